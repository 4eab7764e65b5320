# SPDX-License-Identifier: Apache-2.0
"""python_module: a Python extension module of the package jax_oneshot, bound with nanobind."""

def python_module(name, srcs, deps):
    """Builds `name`.abi3.so, which holds all it needs of C++ but the C++ runtime.

    Args:
      name: the module's name within the package.
      srcs: its sources; one has NB_MODULE(name, ...).
      deps: cc_library targets; nanobind is added.
    """
    native.cc_binary(
        name = name + ".abi3.so",
        srcs = srcs,
        additional_linker_inputs = ["//bazel:python_module.lds"],
        copts = ["-fvisibility=hidden"],
        linkopts = [
            "-Wl,--gc-sections",
            "-Wl,-s",
            # Symbols from XLA's FFI headers, or of a statically linked C++ library, must not be merged with those of
            # another copy: jaxlib's or the system's.
            "-Wl,--version-script=$(location //bazel:python_module.lds)",
        ],
        linkshared = True,
        linkstatic = True,
        visibility = ["//visibility:public"],
        deps = deps + ["@nanobind"],
    )
