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
        copts = ["-fvisibility=hidden"],
        linkopts = [
            "-Wl,--gc-sections",
            "-Wl,-s",
            # Symbols from XLA's FFI headers must not be merged with those of jaxlib's copy of the same headers.
            "-Wl,--exclude-libs,ALL",
        ],
        linkshared = True,
        linkstatic = True,
        visibility = ["//visibility:public"],
        deps = deps + ["@nanobind"],
    )
