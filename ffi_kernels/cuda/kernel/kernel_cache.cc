// SPDX-License-Identifier: Apache-2.0
// Implementation of kernel_cache.h.
#include "ffi_kernels/cuda/kernel/kernel_cache.h"

#include <cstdlib>
#include <utility>

#include "ffi_kernels/cuda/kernel/generate_kernel.h"

namespace jax_oneshot::cuda {

Result<Compilation> KernelCache::CompileOrRead(const std::string& source, const std::string& arch) const {
  std::string key = arch + " NVRTC " + nvrtc_.VersionText();
  for (const std::string& option : CompilerOptions()) key += " " + option;
  key += "\n" + source;
  if (std::optional<std::string> kept = disk_.Read(key)) return Compilation{*std::move(kept), ""};
  Result<Compilation> compiled = nvrtc_.Compile(source, arch, CompilerOptions());
  if (compiled) disk_.Write(key, compiled->cubin);  // a failed write only costs time
  return compiled;
}

Result<std::shared_ptr<const CompiledKernel>> KernelCache::Get(const RowProgram& program, int64_t rows, int64_t width,
                                                               int group_size, const DeviceFacts& device,
                                                               Algorithm algorithm) {
  Result<LaunchPlan> plan = PlanLaunch(program, rows, width, group_size, device, algorithm);
  if (!plan) return Err(plan.error());
  const std::string source = GenerateKernel(program, *plan);
  const std::string arch = "sm_" + std::to_string(device.compute_capability);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = kernels_.find(arch + source); found != kernels_.end()) return found->second;
  }
  Result<Compilation> compiled = CompileOrRead(source, arch);
  if (!compiled) return Err(compiled.error());
  auto kernel = std::make_shared<const CompiledKernel>(
      CompiledKernel{program, *std::move(plan), std::move(compiled->cubin), std::move(compiled->log)});
  const std::lock_guard<std::mutex> lock(mutex_);
  return kernels_.emplace(arch + source, std::move(kernel)).first->second;
}

std::string DefaultCacheFolder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::string(cache) + "/jax-oneshot";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::string(home) + "/.cache/jax-oneshot";
  }
  return "";
}

}  // namespace jax_oneshot::cuda
