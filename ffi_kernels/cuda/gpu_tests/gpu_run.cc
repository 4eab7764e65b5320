// SPDX-License-Identifier: Apache-2.0
// Implementation of gpu_run.h.
#include "ffi_kernels/cuda/gpu_tests/gpu_run.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/float_types.h"
#include "ffi_kernels/cuda/driver/nvrtc.h"
#include "row_program/evaluate.h"
#include "row_program/ops.h"

namespace jax_oneshot::cuda {
namespace {

uint32_t BitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// The bits of `x` as `dtype` holds them.
uint32_t Narrowed(DType dtype, float x) {
  switch (dtype) {
    case DType::kPred:
      return x != 0 ? 1 : 0;
    case DType::kBF16:
      return F32ToBF16(x);
    case DType::kF16:
      return F32ToF16(x);
    case DType::kF32:
      return BitsOf(x);
    case DType::kF8E4M3FN:
      return F32ToF8E4M3FN(x);
    case DType::kF8E5M2:
      return F32ToF8E5M2(x);
  }
  return 0;
}

float SpecialNumber(uint32_t which) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  constexpr float kNumbers[] = {0.0f, -0.0f, -0.0f, kNaN, -kNaN, kInfinity, -kInfinity, 1e-40f, -1e-45f, 1e-7f, 3e38f};
  return kNumbers[which % (sizeof kNumbers / sizeof *kNumbers)];
}

Bytes RandomBytes(DType dtype, int64_t count, std::mt19937* random, Numbers numbers) {
  Bytes bytes;
  for (int64_t i = 0; i < count; ++i) {
    // Not a distribution of the standard library: implementations differ.
    const bool special = numbers == Numbers::kSpecialToo && (*random)() % 4 == 0;
    const float ordinary = (static_cast<float>((*random)() % 4097) - 2048) / 700;
    const uint32_t bits = Narrowed(dtype, special ? SpecialNumber((*random)()) : ordinary);
    const auto* first = reinterpret_cast<const uint8_t*>(&bits);  // little-endian, as every machine with CUDA
    bytes.insert(bytes.end(), first, first + DTypeBytes(dtype));
  }
  return bytes;
}

DeviceFacts FactsOfAbsentGpu() { return {90, 132, 2048, 65536}; }  // an H100's

std::string Text(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? "" : text;
}

double UlpsApart(DType dtype, float a, float b) {
  if ((std::isnan(a) && std::isnan(b)) || a == b) return 0;
  if (!std::isfinite(a) || !std::isfinite(b)) return std::numeric_limits<double>::infinity();
  constexpr int kMantissaBits[kDTypeCount] = {0, 7, 10, 23, 3, 2};
  constexpr int kLeastExponent[kDTypeCount] = {0, -126, -14, -126, -6, -14};  // of normal numbers
  const int type = static_cast<int>(dtype);
  int exponent = 0;
  std::frexp(std::max(std::fabs(a), std::fabs(b)), &exponent);
  const int unit = std::max(exponent - 1, kLeastExponent[type]) - kMantissaBits[type];
  return std::fabs(double{a} - b) / std::ldexp(1.0, unit);
}

// Ok, or an error that says how many blocks each of `ranks` ranks launches and how many a GPU holds at once.
Result<void> FitsTogether(const LoadedKernel& kernel, int ranks) {
  const int blocks = kernel.plan().grid();
  if (ranks * blocks <= kernel.resident_blocks()) return {};
  return Err(std::to_string(ranks) + " ranks launch " + std::to_string(blocks) +
             " blocks each on one GPU, which holds only " + std::to_string(kernel.resident_blocks()) +
             " of them at once: plan with DeviceFacts::ranks_on_device");
}

}  // namespace

TestGpu::TestGpu() : facts_(FactsOfAbsentGpu()) {
  if (Result<void> opened = Open(); !opened) why_absent_ = opened.error();
}

Result<void> TestGpu::Open() {
  const Result<Nvrtc>& nvrtc = LoadNvrtc();
  if (!nvrtc) return Err(nvrtc.error());
  cache_ = std::make_unique<KernelCache>(*nvrtc, Text("ONESHOT_GPU_TEST_CACHE"));
  const Result<CudaDriver>& driver = LoadCudaDriver();
  if (!driver) return Err(driver.error());
  const std::string count = Text("ONESHOT_GPU_TEST_DEVICES");
  const int gpus = count.empty() ? 1 : std::atoi(count.c_str());
  Result<std::unique_ptr<RankGpus>> opened = RankGpus::Open(*driver, gpus, gpus);
  if (!opened) return Err(opened.error());
  const Result<DeviceFacts> facts = ReadDeviceFacts(*driver, (*opened)->of(0).device());
  if (!facts) return Err(facts.error());
  facts_ = *facts;
  gpus_ = *std::move(opened);
  return {};
}

const LoadedKernel& GroupKernel::OfRank(int rank) const { return *on_gpus_[TestGpu::Get().gpus().index(rank)]; }

const TestGpu& TestGpu::Get() {
  static const TestGpu* const kGpu = new TestGpu();  // never destroyed: at exit its contexts may already be gone
  return *kGpu;
}

Result<std::shared_ptr<const CompiledKernel>> TestGpu::Compile(const RowProgram& program, const Shape& shape) const {
  if (cache_ == nullptr) return Err(why_absent_);
  DeviceFacts share = facts_;
  share.ranks_on_device = present() ? gpus_->ranks_per_gpu(shape.ranks) : shape.ranks;
  return cache_->Get(program, shape.rows, shape.width, shape.ranks, share, shape.algorithm);
}

Result<std::shared_ptr<const GroupKernel>> TestGpu::Load(const RowProgram& program, const Shape& shape) const {
  Result<std::shared_ptr<const CompiledKernel>> compiled = Compile(program, shape);
  if (!compiled) return Err(compiled.error());
  if (!present()) return std::shared_ptr<const GroupKernel>();
  Result<KernelOnGpus> on_gpus = LoadOnGpus(*gpus_, *compiled);
  if (!on_gpus) return Err(on_gpus.error());
  const Result<void> fits = FitsTogether(*on_gpus->front(), gpus_->ranks_per_gpu(shape.ranks));
  if (!fits) return Err(fits.error());
  return std::make_shared<const GroupKernel>(*std::move(on_gpus));
}

Result<std::unique_ptr<LocalGroup>> TestGpu::MakeGroup(int ranks, int64_t capacity_bytes) const {
  Result<std::unique_ptr<RankGpus>> gpus = RankGpus::Open(driver(), static_cast<int>(gpus_->count()), ranks);
  if (!gpus) return Err(gpus.error());
  return LocalGroup::Make(*std::move(gpus), ranks, capacity_bytes);
}

BuffersOfRanks RandomInputs(const RowProgram& program, const Shape& shape, uint32_t seed, Numbers numbers) {
  std::mt19937 random(seed);
  BuffersOfRanks all;
  for (int rank = 0; rank < shape.ranks; ++rank) {
    std::vector<Bytes> inputs;
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      const Input& input = program.inputs[i];
      const int64_t count = ElementCount(input, shape.rows, shape.width, shape.ranks);
      // Local inputs are equal on all ranks, so that outputs must be.
      const bool copy = rank > 0 && input.role == Role::kLocal;
      inputs.push_back(copy ? all[0][i] : RandomBytes(input.dtype, count, &random, numbers));
    }
    all.push_back(std::move(inputs));
  }
  return all;
}

BuffersOfRanks Evaluate(const RowProgram& program, const Shape& shape, const BuffersOfRanks& inputs) {
  EvaluateRequest request;
  request.rows = shape.rows;
  request.width = shape.width;
  request.extremes = Extremes::kLikeNccl;
  for (const std::vector<Bytes>& of_rank : inputs) {
    std::vector<const void*> pointers;
    for (const Bytes& bytes : of_rank) pointers.push_back(bytes.data());
    request.inputs.push_back(std::move(pointers));
  }
  BuffersOfRanks all;
  for (request.rank = 0; request.rank < shape.ranks; ++request.rank) {
    std::vector<Bytes> outputs;
    for (const Output& output : program.outputs) {
      const int bytes = DTypeBytes(program.statements[output.value].dtype);
      outputs.emplace_back(ElementCount(output, shape.rows, shape.width, shape.ranks) * bytes);
    }
    request.outputs.clear();
    for (Bytes& bytes : outputs) request.outputs.push_back(bytes.data());
    EvaluateRowProgram(program, request);
    all.push_back(std::move(outputs));
  }
  return all;
}

float ElementOf(DType dtype, const Bytes& bytes, int64_t i) {
  uint32_t bits = 0;
  std::memcpy(&bits, bytes.data() + i * DTypeBytes(dtype), static_cast<size_t>(DTypeBytes(dtype)));
  float x = 0;
  switch (dtype) {
    case DType::kPred:
      return bits != 0 ? 1.0f : 0.0f;
    case DType::kBF16:
      return BF16ToF32(static_cast<uint16_t>(bits));
    case DType::kF16:
      return F16ToF32(static_cast<uint16_t>(bits));
    case DType::kF32:
      std::memcpy(&x, &bits, sizeof x);
      return x;
    case DType::kF8E4M3FN:
      return F8E4M3FNToF32(static_cast<uint8_t>(bits));
    case DType::kF8E5M2:
      return F8E5M2ToF32(static_cast<uint8_t>(bits));
  }
  return x;
}

std::string Difference(const RowProgram& program, const BuffersOfRanks& got, const BuffersOfRanks& wanted,
                       double ulps) {
  for (size_t rank = 0; rank < wanted.size(); ++rank) {
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      const DType dtype = program.statements[program.outputs[o].value].dtype;
      const auto count = static_cast<int64_t>(wanted[rank][o].size()) / DTypeBytes(dtype);
      for (int64_t i = 0; i < count; ++i) {
        const float came = ElementOf(dtype, got[rank][o], i);
        const float expected = ElementOf(dtype, wanted[rank][o], i);
        if (UlpsApart(dtype, came, expected) <= ulps) continue;
        return "rank " + std::to_string(rank) + " output " + std::to_string(o) + " element " + std::to_string(i) +
               " is " + std::to_string(came) + ", not " + std::to_string(expected);
      }
    }
  }
  return "";
}

Result<std::unique_ptr<GroupCall>> GroupCall::Make(const LocalGroup& group, std::shared_ptr<const GroupKernel> kernel,
                                                   const BuffersOfRanks& inputs) {
  std::unique_ptr<GroupCall> call(new GroupCall(group, std::move(kernel)));
  for (int rank = 0; rank < group.size(); ++rank) {
    if (Result<void> added = call->AddRank(rank, inputs[static_cast<size_t>(rank)]); !added) return Err(added.error());
  }
  return call;
}

Result<void> GroupCall::AddRank(int rank, const std::vector<Bytes>& inputs) {
  const CudaDriver& driver = TestGpu::Get().driver();
  const RowProgram& program = kernel_->program();
  const LaunchPlan& plan = kernel_->plan();
  KernelArguments arguments = group_.Arguments(rank);
  const Gpu& gpu = TestGpu::Get().gpus().of(rank);
  RankBuffers buffers;
  for (const Bytes& bytes : inputs) {
    Result<Memory> memory = gpu.Upload(bytes.data(), bytes.size());
    if (!memory) return Err(memory.error());
    arguments.inputs.push_back(memory->at());
    buffers.inputs.push_back(*std::move(memory));
  }
  for (const Output& output : program.outputs) {
    const int64_t bytes = ElementCount(output, plan.rows, plan.width, plan.group_size) *
                          DTypeBytes(program.statements[output.value].dtype);
    Result<Memory> memory = gpu.Allocate(static_cast<size_t>(bytes));
    if (!memory) return Err(memory.error());
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemsetD8_v2(memory->at(), 0xa5, static_cast<size_t>(bytes)));
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuCtxSynchronize());  // the group's streams do not wait for the default one
    arguments.outputs.push_back(memory->at());
    buffers.outputs.push_back(*std::move(memory));
  }
  buffers_.push_back(std::move(buffers));
  arguments_.push_back(std::move(arguments));
  return {};
}

Result<void> GroupCall::Launch(int rank) const {
  if (Result<void> used = group_.Use(rank); !used) return used;
  return kernel_->OfRank(rank).Launch(group_.stream(rank), arguments_[static_cast<size_t>(rank)]);
}

Result<void> GroupCall::LaunchAll() const {
  for (int rank = 0; rank < group_.size(); ++rank) {
    if (Result<void> launched = Launch(rank); !launched) return launched;
  }
  return {};
}

Result<BuffersOfRanks> GroupCall::Outputs() const {
  const CudaDriver& driver = TestGpu::Get().driver();
  const RowProgram& program = kernel_->program();
  const LaunchPlan& plan = kernel_->plan();
  BuffersOfRanks all;
  for (const RankBuffers& buffers : buffers_) {
    std::vector<Bytes> outputs;
    for (size_t o = 0; o < buffers.outputs.size(); ++o) {
      const Output& output = program.outputs[o];
      const int64_t count = ElementCount(output, plan.rows, plan.width, plan.group_size);
      Bytes bytes(static_cast<size_t>(count * DTypeBytes(program.statements[output.value].dtype)));
      ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuMemcpyDtoH_v2(bytes.data(), buffers.outputs[o].at(), bytes.size()));
      outputs.push_back(std::move(bytes));
    }
    all.push_back(std::move(outputs));
  }
  return all;
}

Result<BuffersOfRanks> RunOnce(const RowProgram& program, const Shape& shape, const BuffersOfRanks& inputs) {
  Result<std::shared_ptr<const GroupKernel>> kernel = TestGpu::Get().Load(program, shape);
  if (!kernel) return Err(kernel.error());
  if (*kernel == nullptr) return BuffersOfRanks();
  Result<std::unique_ptr<LocalGroup>> group = TestGpu::Get().MakeGroup(shape.ranks, (*kernel)->plan().message_bytes);
  if (!group) return Err(group.error());
  Result<std::unique_ptr<GroupCall>> call = GroupCall::Make(**group, *kernel, inputs);
  if (!call) return Err(call.error());
  if (Result<void> launched = (*call)->LaunchAll(); !launched) return Err(launched.error());
  if (Result<void> done = (*group)->Synchronise(20); !done) return Err(done.error());
  return (*call)->Outputs();
}

}  // namespace jax_oneshot::cuda
