# SPDX-License-Identifier: Apache-2.0
"""The C++ toolchain of `--config=manylinux`: zig's clang, libc++ and glibc stubs.

Zig links against any glibc's symbol versions, so a module built here loads wherever that glibc or a newer one is.
libc++, its ABI library and libunwind are linked in statically. `make wheel` installs zig from PyPI (requirements/wheel.txt).
"""

load("//bazel:local.bzl", "ask_python")

# As in the tag of jaxlib's wheels. tools/wheel reads it here.
GLIBC = "2.27"

# Zig runs clang as one of its sub-commands, and keeps libc++ and its other run-time libraries, once built, in a cache.
_WRAPPER = """#!/bin/sh
export ZIG_GLOBAL_CACHE_DIR="${{ZIG_GLOBAL_CACHE_DIR:-{cache}}}"
exec "{zig}" c++ -target {target} "$@"
"""

def _zig_toolchain_impl(repository_ctx):
    folder = ask_python(
        repository_ctx,
        "import os, ziglang; print(os.path.dirname(ziglang.__file__))",
        "`tools/setup wheel`, which installs ziglang",
    )
    cache = repository_ctx.path(Label("//:WORKSPACE")).dirname.get_child("build").get_child("zig-cache")
    machine = repository_ctx.execute(["uname", "-m"]).stdout.strip()
    target = "{}-linux-gnu.{}".format(machine, GLIBC)
    repository_ctx.file(
        "zig_c++",
        _WRAPPER.format(cache = cache, target = target, zig = folder + "/zig"),
        executable = True,
    )
    repository_ctx.template("BUILD.bazel", repository_ctx.attr._build_file, {
        "%{ar}": str(repository_ctx.which("ar")),
        "%{compiler}": str(repository_ctx.path("zig_c++")),
        "%{cpu}": {"aarch64": "aarch64", "x86_64": "k8"}.get(machine, machine),
        "%{glibc}": GLIBC,
        "%{zig}": folder,
    })

zig_toolchain = repository_rule(
    implementation = _zig_toolchain_impl,
    attrs = {"_build_file": attr.label(default = "//bazel/third_party:zig.BUILD")},
    environ = ["ONESHOT_PYTHON"],
    local = True,
)
