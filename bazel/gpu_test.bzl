# SPDX-License-Identifier: Apache-2.0
"""gpu_test: a C++ test that needs a GPU. `make test-gpu` runs it."""

def gpu_test(name, srcs, deps):
    """A cc_test that `bazel test //...` leaves out.

    Args:
      name: the test's name.
      srcs: its sources.
      deps: cc_library targets; GoogleTest is added.
    """
    native.cc_test(
        name = name,
        size = "large",
        linkstatic = True,  # runs on machines other than the one that built it
        srcs = srcs,
        tags = [
            "gpu",
            "manual",
        ],
        deps = deps + ["@googletest//:gtest_main"],
    )
