// SPDX-License-Identifier: Apache-2.0
// Implementation of launch.h.
#include "ffi_kernels/cuda/kernel/launch.h"

#include <algorithm>

#include "row_program/kernel_name.h"

namespace jax_oneshot::cuda {
namespace {

// The kernel's only parameter, `struct Parameters` of device/protocol.cuh: 64-bit words only, so that both sides agree.
std::vector<uint64_t> ParameterWords(const KernelArguments& arguments) {
  const Peers& peers = arguments.peers;
  std::vector<uint64_t> words(peers.workspace.begin(), peers.workspace.begin() + peers.size);
  words.push_back(static_cast<uint64_t>(arguments.capacity_bytes));
  words.push_back(arguments.timeout_ns);
  words.push_back(arguments.error_record);
  words.push_back(uint64_t{arguments.call} << 32 | static_cast<uint32_t>(peers.rank));
  words.insert(words.end(), arguments.inputs.begin(), arguments.inputs.end());
  words.insert(words.end(), arguments.outputs.begin(), arguments.outputs.end());
  return words;
}

// Grid, block and attributes of a plan's launch; must outlive the configuration that points to them.
class LaunchShape {
 public:
  explicit LaunchShape(const LaunchPlan& plan)
      : grid_(static_cast<unsigned>(plan.grid())), block_(static_cast<unsigned>(plan.block())) {
    if (plan.cluster) Add(kLaunchClusterDimension, static_cast<unsigned>(plan.blocks_per_row));
    // Not on older devices, whose kernels do not wait for the previous kernel: see device/kernel.cuh.
    if (plan.compute_capability >= 90) Add(kLaunchProgrammaticStreamSerialization, 1);
  }

  LaunchConfig Config(Stream stream) const {
    return {{grid_, 1, 1}, {block_, 1, 1}, 0, stream, const_cast<LaunchAttribute*>(attributes_.data()), count_};
  }

 private:
  void Add(int id, unsigned first) { attributes_[count_++] = {id, 0, {{first, 1, 1}}}; }

  unsigned grid_, block_;
  std::array<LaunchAttribute, 2> attributes_ = {};
  unsigned count_ = 0;
};

Result<void> CheckCount(const char* what, size_t came, size_t expected) {
  if (came == expected) return {};
  return Err("one-shot kernel: " + std::to_string(came) + " " + what + " came, the row program has " +
             std::to_string(expected));
}

Result<void> CheckAlignment(const std::string& name, DevicePointer pointer, int bytes) {
  if (pointer % static_cast<unsigned>(bytes) == 0) return {};
  return Err("one-shot kernel: buffer " + name + " is at an address that is " +
             std::to_string(pointer % static_cast<unsigned>(bytes)) + " more than a multiple of " +
             std::to_string(bytes) + ", expected a multiple");
}

}  // namespace

Result<ErrorRecord> MakeErrorRecord(const CudaDriver& driver) {
  void* word = nullptr;
  ErrorRecord record;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver,
                               cuMemHostAlloc(&word, sizeof(uint64_t), kHostAllocPortable | kHostAllocDeviceMap));
  record.word = static_cast<volatile uint64_t*>(word);
  *record.word = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemHostGetDevicePointer_v2(&record.on_device, word, 0));
  return record;
}

std::optional<MissingPeers> ReadErrorRecord(const volatile uint64_t* word) {
  // Relaxed: the word is self-contained, and no other read depends on it.
  const uint64_t bits = __atomic_load_n(word, __ATOMIC_RELAXED);
  if (bits == 0) return std::nullopt;
  MissingPeers missing;
  missing.call = static_cast<uint32_t>(bits >> 32);
  for (int rank = 0; rank < kMaxRanks; ++rank) {
    if ((bits >> rank & 1) != 0) missing.ranks.push_back(rank);
  }
  return missing;
}

Result<std::shared_ptr<const LoadedKernel>> LoadedKernel::Load(const CudaDriver& driver,
                                                               std::shared_ptr<const CompiledKernel> compiled) {
  std::shared_ptr<LoadedKernel> kernel(new LoadedKernel(driver, std::move(compiled)));
  if (Result<void> loaded = kernel->LoadModule(); !loaded) return Err(loaded.error());
  if (Result<void> read = kernel->ReadFacts(); !read) return Err(read.error());
  return std::shared_ptr<const LoadedKernel>(std::move(kernel));
}

// At the end of a process the context may already be destroyed, and the module with it.
LoadedKernel::~LoadedKernel() {
  if (module_ != nullptr) driver_.cuModuleUnload(module_);
}

Result<void> LoadedKernel::LoadModule() {
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuModuleLoadData(&module_, compiled_->cubin.data()));
  const LaunchPlan& plan = compiled_->plan;
  const std::string name = KernelName(compiled_->program, plan.rows, plan.width, plan.group_size);
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuModuleGetFunction(&function_, module_, name.c_str()));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_,
                               cuFuncSetAttribute(function_, kFunctionPreferredSharedMemory, kSharedMemoryPercent));
  return {};
}

Result<void> LoadedKernel::ReadFacts() {
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuFuncGetAttribute(&registers_, kFunctionNumRegs, function_));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuFuncGetAttribute(&local_bytes_, kFunctionLocalSizeBytes, function_));
  const LaunchPlan& plan = compiled_->plan;
  if (plan.cluster) {
    const LaunchShape shape(plan);
    const LaunchConfig config = shape.Config(nullptr);
    int clusters = 0;
    ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuOccupancyMaxActiveClusters(&clusters, function_, &config));
    resident_ = clusters * plan.blocks_per_row;
    return {};
  }
  Device device = 0;
  int multiprocessors = 0;
  int blocks = 0;
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuCtxGetDevice(&device));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuDeviceGetAttribute(&multiprocessors, kMultiprocessorCount, device));
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_,
                               cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function_, plan.block(), 0));
  resident_ = blocks * multiprocessors;
  return {};
}

Result<void> LoadedKernel::CheckArguments(const KernelArguments& arguments) const {
  const LaunchPlan& plan = compiled_->plan;
  const RowProgram& program = compiled_->program;
  if (arguments.peers.size != plan.group_size || arguments.peers.rank < 0 || arguments.peers.rank >= plan.group_size) {
    return Err("one-shot kernel: rank " + std::to_string(arguments.peers.rank) + " of " +
               std::to_string(arguments.peers.size) + " came, the kernel was made for " +
               std::to_string(plan.group_size) + " ranks");
  }
  if (arguments.capacity_bytes < plan.message_bytes || arguments.capacity_bytes % 16 != 0) {
    return Err("one-shot kernel: the workspace holds messages of " + std::to_string(arguments.capacity_bytes) +
               " bytes, expected a multiple of 16 and at least " + std::to_string(plan.message_bytes));
  }
  Result<void> checked = CheckCount("inputs", arguments.inputs.size(), program.inputs.size());
  if (checked) checked = CheckCount("outputs", arguments.outputs.size(), program.outputs.size());
  for (size_t i = 0; checked && i < program.inputs.size(); ++i) {
    const Input& input = program.inputs[i];
    const int bytes = plan.AccessBytes(input.dtype, input.kind, input.role == Role::kGather);
    checked = CheckAlignment("a" + std::to_string(i), arguments.inputs[i], bytes);
  }
  for (size_t i = 0; checked && i < program.outputs.size(); ++i) {
    const Output& output = program.outputs[i];
    const int bytes = plan.AccessBytes(program.statements[output.value].dtype, output.kind, output.shard);
    checked = CheckAlignment("of output " + std::to_string(i), arguments.outputs[i], bytes);
  }
  return checked;
}

Result<void> LoadedKernel::Launch(Stream stream, const KernelArguments& arguments) const {
  if (Result<void> checked = CheckArguments(arguments); !checked) return checked;
  const LaunchPlan& plan = compiled_->plan;
  std::vector<uint64_t> words = ParameterWords(arguments);
  void* parameters[] = {words.data()};
  const LaunchShape shape(plan);
  const LaunchConfig config = shape.Config(stream);
  ONESHOT_CUDA_RETURN_IF_ERROR(driver_, cuLaunchKernelEx(&config, function_, parameters, nullptr));
  return {};
}

}  // namespace jax_oneshot::cuda
