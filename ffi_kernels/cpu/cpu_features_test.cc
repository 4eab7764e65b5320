// SPDX-License-Identifier: Apache-2.0
#include "ffi_kernels/cpu/cpu_features.h"

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace jax_oneshot {
namespace {

// The kernel's view, which counts only what it saves the registers of; empty where /proc/cpuinfo has no flags.
std::set<std::string> KernelFlags() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, flag;
  std::set<std::string> flags;
  while (flags.empty() && std::getline(file, line)) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    while (words >> flag) flags.insert(flag);
  }
  return flags;
}

TEST(CpuFeatures, AreThoseThatTheKernelLists) {
  const std::set<std::string> flags = KernelFlags();
  const CpuFeatures features = DetectCpuFeatures();
  EXPECT_EQ(features.fma, flags.count("fma") != 0);
  EXPECT_EQ(features.avx2, flags.count("avx2") != 0);
  EXPECT_EQ(features.avx512f, flags.count("avx512f") != 0);
  EXPECT_EQ(features.avx512bw, flags.count("avx512bw") != 0);
  EXPECT_EQ(features.avx512dq, flags.count("avx512dq") != 0);
  EXPECT_EQ(features.avx512vl, flags.count("avx512vl") != 0);
}

}  // namespace
}  // namespace jax_oneshot
