// SPDX-License-Identifier: Apache-2.0
// Implementation of test_modules.h.
#include "tests/data/test_modules.h"

#include <fstream>
#include <iterator>

namespace jax_oneshot {

TestModule ReadTestModule(const std::string& name) {
  std::ifstream file("tests/data/" + name + ".pb", std::ios::binary);
  return {name, std::string(std::istreambuf_iterator<char>(file), {})};
}

std::vector<TestModule> AllTestModules() {
  std::vector<TestModule> modules;
  for (const char* name : {"cpu_scanned_tp8", "cpu_sharded_tp8", "cpu_unrolled_dp2_tp4", "gpu_scanned_tp8",
                           "gpu_sharded_dp2_tp4", "gpu_unrolled_dp2_tp4", "notations"}) {
    modules.push_back(ReadTestModule(name));
  }
  return modules;
}

}  // namespace jax_oneshot
