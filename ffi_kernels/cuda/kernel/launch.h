// SPDX-License-Identifier: Apache-2.0
// Launches a compiled kernel with its peers, buffers and stream. The interface between the code that makes kernels
// (launch_plan, generate_kernel, kernel_cache) and the code that runs them (handler, benchmarks, tests).
//
//   const Result<DeviceFacts> facts = ReadDeviceFacts(driver, device);
//   auto compiled = cache.Get(program, rows, width, group_size, *facts);  // once per call site
//   auto kernel = LoadedKernel::Load(driver, *compiled);                  // once per call site and context
//   kernel->Launch(stream, {peers, capacity, inputs, outputs, ...});      // on each execution; graphs may record it
#ifndef FFI_KERNELS_CUDA_KERNEL_LAUNCH_H_
#define FFI_KERNELS_CUDA_KERNEL_LAUNCH_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/driver/cuda_driver.h"
#include "ffi_kernels/cuda/kernel/kernel_cache.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"

namespace jax_oneshot::cuda {

// This rank, and every rank's workspace as addressed by this rank's device (workspace[rank] is its own).
struct Peers {
  int rank = 0, size = 0;
  std::array<DevicePointer, kMaxRanks> workspace = {};
  DevicePointer multicast = 0;  // one address that stores to all workspaces, or 0; not used yet
};

// Written to host memory, as one 64-bit word, by a kernel that gave up waiting, before it traps.
struct MissingPeers {
  uint32_t call = 0;
  std::vector<int> ranks;
};

// A word of pinned host memory, which survives a trap; every device can write it, at the same address.
struct ErrorRecord {
  volatile uint64_t* word = nullptr;  // 0 until a kernel gives up; cuMemFreeHost frees it
  DevicePointer on_device = 0;
};

Result<ErrorRecord> MakeErrorRecord(const CudaDriver& driver);
std::optional<MissingPeers> ReadErrorRecord(const volatile uint64_t* word);

struct KernelArguments {
  Peers peers;
  int64_t capacity_bytes = 0;                  // of the workspaces (WorkspaceLayout)
  std::vector<DevicePointer> inputs, outputs;  // in the program's order
  uint32_t call = 0;                           // for the error record
  uint64_t timeout_ns = 0;
  DevicePointer error_record = 0;
};

// Preferred split of a multiprocessor's memory into shared memory and L1, in percent. Blocks that ask for different
// splits cannot share a multiprocessor: one of them waits until it is empty. If several ranks share a device,
// everything that they run between calls must ask for the same split, or it might wait for kernels that wait for it.
// That happened with 8 ranks whose waiting blocks occupied every multiprocessor (H100, 25 November 2026).
inline constexpr int kSharedMemoryPercent = 14;

class LoadedKernel {
 public:
  // Loads into the current context.
  static Result<std::shared_ptr<const LoadedKernel>> Load(const CudaDriver& driver,
                                                          std::shared_ptr<const CompiledKernel> compiled);
  LoadedKernel(const LoadedKernel&) = delete;
  LoadedKernel& operator=(const LoadedKernel&) = delete;
  ~LoadedKernel();

  // Checks the arguments and launches; nothing else is put on the stream, and the same arguments always give the same
  // launch. The context that the kernel was loaded into must be current.
  Result<void> Launch(Stream stream, const KernelArguments& arguments) const;

  const LaunchPlan& plan() const { return compiled_->plan; }
  const CompiledKernel& compiled() const { return *compiled_; }
  int registers() const { return registers_; }       // per thread
  int local_bytes() const { return local_bytes_; }   // per thread: spills
  int resident_blocks() const { return resident_; }  // of this kernel, at the same time on the whole device

 private:
  LoadedKernel(const CudaDriver& driver, std::shared_ptr<const CompiledKernel> compiled)
      : driver_(driver), compiled_(std::move(compiled)) {}
  Result<void> LoadModule();
  Result<void> ReadFacts();
  Result<void> CheckArguments(const KernelArguments& arguments) const;

  const CudaDriver driver_;
  const std::shared_ptr<const CompiledKernel> compiled_;
  Module module_ = nullptr;
  Function function_ = nullptr;
  int registers_ = 0, local_bytes_ = 0, resident_ = 0;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_LAUNCH_H_
