# SPDX-License-Identifier: Apache-2.0
"""Repository rules for dependencies that are installed on this machine.

They make @tl_expected, @protozero, @googletest, @python_headers, @nanobind and @xla_ffi from Debian's header packages,
a CPython >= 3.12 with nanobind, and jaxlib's FFI headers. Environment variables give the locations; tools/bazel sets
the first two if they are not set:
  ONESHOT_PYTHON       the interpreter that provides the headers and the nanobind package
  ONESHOT_XLA_INCLUDE  the include folder of the oldest supported jaxlib (older runtimes reject newer headers)
  ONESHOT_NANOBIND     a nanobind package folder, if ONESHOT_PYTHON cannot import nanobind
"""

_SETUP = "run `make build`, which installs everything, or"

def _required(repository_ctx, path, missing, remedy):
    if not repository_ctx.path(path).exists:
        fail("@{}: {} not found at {}; {} {}".format(repository_ctx.name, missing, path, _SETUP, remedy))

def _system_headers_impl(repository_ctx):
    remedy = "install the Debian package " + repository_ctx.attr.package
    for link, target in repository_ctx.attr.directories.items():
        _required(repository_ctx, target, "the folder of " + repository_ctx.attr.package, remedy)
        repository_ctx.symlink(target, link)
    _required(repository_ctx, repository_ctx.attr.witness, repository_ctx.attr.witness, remedy)
    repository_ctx.symlink(repository_ctx.attr.build_file, "BUILD.bazel")

system_headers = repository_rule(
    implementation = _system_headers_impl,
    attrs = {
        "build_file": attr.label(mandatory = True, allow_single_file = True),
        "directories": attr.string_dict(mandatory = True, doc = "name in the repository -> folder on this machine"),
        "package": attr.string(mandatory = True, doc = "the Debian package that brings the folders"),
        "witness": attr.string(mandatory = True, doc = "a file that must exist once the folders are linked"),
    },
    local = True,
)

def ask_python(repository_ctx, question, remedy):
    """Runs one line of Python in the configured interpreter and returns what it prints.

    Args:
      repository_ctx: the calling rule's context
      question: the line of Python
      remedy: what to do when it fails, for the message
    Returns:
      what the line printed, stripped
    """
    python = repository_ctx.os.environ.get("ONESHOT_PYTHON", "")
    if not python:
        fail("@{}: ONESHOT_PYTHON is not set; build through tools/bazel, or set it to a CPython >= 3.12".format(
            repository_ctx.name,
        ))
    answer = repository_ctx.execute([python, "-c", question])
    if answer.return_code != 0:
        fail("@{}: {} could not run `{}`: {}; {} {}".format(
            repository_ctx.name,
            python,
            question,
            answer.stderr.strip(),
            _SETUP,
            remedy,
        ))
    return answer.stdout.strip()

def _python_headers_impl(repository_ctx):
    include = ask_python(
        repository_ctx,
        "import sysconfig; print(sysconfig.get_path('include'))",
        "set ONESHOT_PYTHON to a working CPython >= 3.12",
    )
    _required(repository_ctx, include + "/Python.h", "Python.h", "install that Python's development headers")
    repository_ctx.symlink(include, "include")
    repository_ctx.symlink(repository_ctx.attr._build_file, "BUILD.bazel")

python_headers = repository_rule(
    implementation = _python_headers_impl,
    attrs = {"_build_file": attr.label(default = "//bazel/third_party:python_headers.BUILD")},
    environ = ["ONESHOT_PYTHON"],
    local = True,
)

def _nanobind_sources_impl(repository_ctx):
    root = repository_ctx.os.environ.get("ONESHOT_NANOBIND", "") or ask_python(
        repository_ctx,
        "import nanobind, os; print(os.path.dirname(nanobind.__file__))",
        "`pip install nanobind` for the interpreter that ONESHOT_PYTHON names",
    )
    for folder in ["src", "include", "ext"]:
        _required(repository_ctx, "{}/{}".format(root, folder), "nanobind's " + folder, "reinstall nanobind")
        repository_ctx.symlink("{}/{}".format(root, folder), folder)
    repository_ctx.symlink(repository_ctx.attr._build_file, "BUILD.bazel")

nanobind_sources = repository_rule(
    implementation = _nanobind_sources_impl,
    attrs = {"_build_file": attr.label(default = "//bazel/third_party:nanobind.BUILD")},
    environ = [
        "ONESHOT_NANOBIND",
        "ONESHOT_PYTHON",
    ],
    local = True,
)

def _xla_ffi_headers_impl(repository_ctx):
    include = repository_ctx.os.environ.get("ONESHOT_XLA_INCLUDE", "")
    if not include:
        fail("@{}: ONESHOT_XLA_INCLUDE is not set; build through tools/bazel, or set it to jaxlib's include folder".format(
            repository_ctx.name,
        ))
    api = include + "/xla/ffi/api"
    _required(repository_ctx, api + "/ffi.h", "XLA's FFI header", "set ONESHOT_XLA_INCLUDE to <jaxlib>/include")
    repository_ctx.symlink(api, "include/xla/ffi/api")
    repository_ctx.symlink(repository_ctx.attr._build_file, "BUILD.bazel")

xla_ffi_headers = repository_rule(
    implementation = _xla_ffi_headers_impl,
    attrs = {"_build_file": attr.label(default = "//bazel/third_party:xla_ffi.BUILD")},
    environ = ["ONESHOT_XLA_INCLUDE"],
    local = True,
)
