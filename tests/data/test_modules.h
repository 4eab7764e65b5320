// SPDX-License-Identifier: Apache-2.0
// The serialized modules beside this file, for C++ tests that Bazel runs from the workspace root.
#ifndef TESTS_DATA_TEST_MODULES_H_
#define TESTS_DATA_TEST_MODULES_H_

#include <string>
#include <vector>

namespace jax_oneshot {

struct TestModule {
  std::string name;  // "cpu_scanned_tp8"
  std::string bytes;
};

// One of them; empty bytes when it cannot be read.
TestModule ReadTestModule(const std::string& name);

std::vector<TestModule> AllTestModules();

}  // namespace jax_oneshot

#endif  // TESTS_DATA_TEST_MODULES_H_
