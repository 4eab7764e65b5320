// SPDX-License-Identifier: Apache-2.0
// For GPU tests: runs row programs on the GPU from host buffers and compares with the scalar evaluator.
//
// Without a GPU nothing runs, but kernels are still compiled (for sm_90) into the cache folder named by
// ONESHOT_GPU_TEST_CACHE, where a machine with a GPU then finds them. All ranks share the first GPU, unless
// ONESHOT_GPU_TEST_DEVICES gives the number of GPUs to distribute them over.
#ifndef FFI_KERNELS_CUDA_GPU_TESTS_GPU_RUN_H_
#define FFI_KERNELS_CUDA_GPU_TESTS_GPU_RUN_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/kernel/launch.h"
#include "ffi_kernels/cuda/local_ranks/local_group.h"
#include "row_program/row_program.h"

namespace jax_oneshot::cuda {

using Bytes = std::vector<uint8_t>;
using BuffersOfRanks = std::vector<std::vector<Bytes>>;  // by rank, by input or output

struct Shape {
  int64_t rows = 1, width = 1;
  int ranks = 2;
  Algorithm algorithm = Algorithm::kOneShot;
};

// One kernel, loaded on every GPU.
class GroupKernel {
 public:
  explicit GroupKernel(KernelOnGpus on_gpus) : on_gpus_(std::move(on_gpus)) {}
  const LaunchPlan& plan() const { return on_gpus_[0]->plan(); }
  const RowProgram& program() const { return on_gpus_[0]->compiled().program; }
  const LoadedKernel& OfRank(int rank) const;

 private:
  KernelOnGpus on_gpus_;
};

class TestGpu {
 public:
  // One per process.
  static const TestGpu& Get();

  bool present() const { return gpus_ != nullptr; }
  const std::string& why_absent() const { return why_absent_; }
  const CudaDriver& driver() const { return *LoadCudaDriver(); }
  const RankGpus& gpus() const { return *gpus_; }  // if present()

  // Compiled for a share of the device if ranks share it.
  Result<std::shared_ptr<const CompiledKernel>> Compile(const RowProgram& program, const Shape& shape) const;
  // The same, loaded, after checking that all ranks fit on the device at once. Without a GPU: null.
  Result<std::shared_ptr<const GroupKernel>> Load(const RowProgram& program, const Shape& shape) const;
  // With streams of its own, so that two groups run at the same time.
  Result<std::unique_ptr<LocalGroup>> MakeGroup(int ranks, int64_t capacity_bytes) const;

 private:
  TestGpu();
  Result<void> Open();

  std::string why_absent_;
  std::unique_ptr<RankGpus> gpus_;
  DeviceFacts facts_;
  std::unique_ptr<KernelCache> cache_;
};

// Random elements: ordinary numbers, or occasionally a zero of either sign, a NaN, an infinity, a denormal.
enum class Numbers : uint8_t { kOrdinary, kSpecialToo };
BuffersOfRanks RandomInputs(const RowProgram& program, const Shape& shape, uint32_t seed, Numbers numbers);

// Every rank's outputs according to the evaluator.
BuffersOfRanks Evaluate(const RowProgram& program, const Shape& shape, const BuffersOfRanks& inputs);

// Element i of a buffer, as f32.
float ElementOf(DType dtype, const Bytes& bytes, int64_t i);

// "", or the first element that differs by more than `ulps` of its type. Two NaNs compare equal, and two zeros.
std::string Difference(const RowProgram& program, const BuffersOfRanks& got, const BuffersOfRanks& wanted, double ulps);

// A rank's buffers on its GPU.
struct RankBuffers {
  std::vector<Memory> inputs, outputs;
};

// A call of one kernel by all ranks of a group.
class GroupCall {
 public:
  // Copies the inputs to the devices; outputs start as 0xa5.
  static Result<std::unique_ptr<GroupCall>> Make(const LocalGroup& group, std::shared_ptr<const GroupKernel> kernel,
                                                 const BuffersOfRanks& inputs);
  Result<void> Launch(int rank) const;
  Result<void> LaunchAll() const;
  Result<BuffersOfRanks> Outputs() const;
  KernelArguments& arguments(int rank) { return arguments_[static_cast<size_t>(rank)]; }

 private:
  GroupCall(const LocalGroup& group, std::shared_ptr<const GroupKernel> kernel)
      : group_(group), kernel_(std::move(kernel)) {}
  Result<void> AddRank(int rank, const std::vector<Bytes>& inputs);

  const LocalGroup& group_;
  const std::shared_ptr<const GroupKernel> kernel_;
  std::vector<RankBuffers> buffers_;
  std::vector<KernelArguments> arguments_;
};

// One call in its own group. Without a GPU: compiles only, no outputs.
Result<BuffersOfRanks> RunOnce(const RowProgram& program, const Shape& shape, const BuffersOfRanks& inputs);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_GPU_TESTS_GPU_RUN_H_
