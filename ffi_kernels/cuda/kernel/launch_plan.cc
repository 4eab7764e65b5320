// SPDX-License-Identifier: Apache-2.0
// Implementation of launch_plan.h.
//
// Goals, in this order: every block resident at once (blocks wait for other ranks' blocks, so none may queue behind
// them), few elements per thread (registers), and, if there are few rows, a row spread over several multiprocessors.
#include "ffi_kernels/cuda/kernel/launch_plan.h"

#include <algorithm>
#include <string>

#include "ffi_kernels/cuda/kernel/workspace_layout.h"
#include "row_program/ops.h"

namespace jax_oneshot::cuda {
namespace {

constexpr int kWarp = 32;
constexpr int64_t kWordBytes = 4;
constexpr int kMostThreads = 512;        // per block: 128 registers each
constexpr int kFewestThreads = 64;       // per block, before a row is spread over more blocks
constexpr int kClusterThreads = 128;     // the same within clusters, if that gives whole warps
constexpr int64_t kMostPartials = 6000;  // of a block's row reductions: two floats each in 48 KiB of shared memory
constexpr int kMostChunks = 32;          // per thread; more than 2 only if a row is wider than a cluster holds
constexpr int kLargestCluster = 8;       // portable over all devices that have clusters
constexpr int kMostBlocksPerSm = 16;     // more would only lower the register limit
constexpr int64_t kMostMessageBytes = int64_t{1} << 30;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }

bool VariesOverWidth(Kind kind) { return Widens(Kind::kVec, kind); }

int64_t RowReductions(const RowProgram& program) {
  return std::count_if(program.statements.begin(), program.statements.end(),
                       [](const Statement& s) { return IsRowReduction(s.op); });
}

bool ReducesOverRows(const RowProgram& program) { return RowReductions(program) > 0; }

// A chunk of the widest exchanged input is 16 bytes, the widest access; 8 columns at most.
int VectorColumns(const RowProgram& program) {
  int widest = 1;
  for (const Input& input : program.inputs) {
    if (input.role != Role::kLocal) widest = std::max(widest, DTypeBytes(input.dtype));
  }
  return widest > 2 ? 4 : 8;
}

class Planner {
 public:
  Planner(const RowProgram& program, const DeviceFacts& device, LaunchPlan plan)
      : program_(program), device_(device), plan_(std::move(plan)) {}

  Result<LaunchPlan> Run() {
    plan_.vector = VectorColumns(program_);
    row_chunks_ = CeilDiv(plan_.width, plan_.vector);
    multiprocessors_ = std::max(1, device_.multiprocessors / device_.ranks_on_device);
    SpreadOverColumns();
    if (row_chunks_ > WidestRow()) return TooWide();
    SpreadOverRows();
    PlaceMessages();
    if (plan_.message_bytes > kMostMessageBytes) {
      return Err("one-shot kernel: a message would be " + std::to_string(plan_.message_bytes) +
                 " bytes, expected at most " + std::to_string(kMostMessageBytes));
    }
    return plan_;
  }

 private:
  int64_t MostBlocksPerRow() const {
    if (!ReducesOverRows(program_)) return multiprocessors_;
    return device_.compute_capability >= 90 ? kLargestCluster : 1;
  }

  // Uses more blocks only while multiprocessors are idle and blocks stay large enough, or if a block cannot hold the
  // row.
  void SpreadOverColumns() {
    const int64_t wanted = std::min(BlocksForEachRow(), row_chunks_ / kFewestThreads);
    const int64_t needed = CeilDiv(row_chunks_, kMostThreads * TwoChunks());
    const int64_t most = std::clamp<int64_t>(std::max(wanted, needed), 1, MostBlocksPerRow());
    const int64_t blocks = most > needed ? LargerBlocksOfClusters(BlocksOfWholeWarps(most)) : most;
    plan_.blocks_per_row = static_cast<int>(blocks);
    plan_.cluster = blocks > 1 && ReducesOverRows(program_);
    plan_.chunks = static_cast<int>(CeilDiv(row_chunks_, blocks * kMostThreads));
    plan_.threads_per_row = static_cast<int>(RoundUp(CeilDiv(row_chunks_, blocks * plan_.chunks), kWarp));
  }

  // Two-shot with one row per multiprocessor: two blocks of half a row each instead, so that one can compute while the
  // other waits. (4 ranks with a GPU each, 128 rows, bf16, 28 November 2026: 8 % faster at 3584 columns; at
  // 4096, 7 % on H200s and 1 % slower on H100s. Not faster if a row has two chunks per thread, and slower with several
  // rows per multiprocessor.)
  int64_t BlocksForEachRow() const {
    const int64_t blocks = multiprocessors_ / plan_.rows;
    const bool halves = plan_.algorithm == Algorithm::kTwoShot && blocks == 1 && row_chunks_ <= kMostThreads;
    return halves ? 2 * multiprocessors_ / plan_.rows : blocks;
  }

  // The largest number from `most` down to half of it that divides a row into whole warps, otherwise `most`: threads
  // without columns are wasted, and every access must be tested for them.
  int64_t BlocksOfWholeWarps(int64_t most) const {
    for (int64_t blocks = most; 2 * blocks > most; --blocks) {
      if (row_chunks_ % (blocks * kWarp) == 0) return blocks;
    }
    return most;
  }

  // Each block of a cluster waits for all others: half as many with 128 threads are 0 to 7 % faster than all with 64,
  // and larger blocks are slower again (two H100s, 4096 and 8192 columns, 25 November 2026).
  int64_t LargerBlocksOfClusters(int64_t blocks) const {
    const bool small = ReducesOverRows(program_) && row_chunks_ < blocks * kClusterThreads;
    return small && blocks % 2 == 0 && row_chunks_ % (blocks / 2 * kWarp) == 0 ? blocks / 2 : blocks;
  }

  // Chunks that give 16 columns per thread, which fit in registers without spills.
  int TwoChunks() const { return 16 / plan_.vector; }

  void SpreadOverRows() {
    plan_.rows_per_block = 1;
    while (plan_.blocks_per_row == 1 && 2 * plan_.rows_per_block * plan_.threads_per_row <= kMostThreads / 2 &&
           CeilDiv(plan_.rows, 2 * plan_.rows_per_block) >= multiprocessors_) {
      plan_.rows_per_block *= 2;
    }
    plan_.blocks_per_multiprocessor = BlocksPerMultiprocessor();
    const int64_t needed = CeilDiv(plan_.rows, plan_.rows_per_block);
    const int64_t resident =
        std::min<int64_t>(int64_t{plan_.blocks_per_multiprocessor} * multiprocessors_, kEpochEntries);
    const int64_t groups = std::min(needed, std::max<int64_t>(1, resident / plan_.blocks_per_row));
    plan_.row_steps = static_cast<int>(CeilDiv(needed, groups));
    plan_.row_groups = static_cast<int>(CeilDiv(needed, plan_.row_steps));
  }

  // An estimate of a thread's registers; the compiler is then limited to the registers that the planned residency
  // leaves.
  int RegistersPerThread() const {
    int words = 0;
    for (const Input& input : program_.inputs) {
      const int chunk = std::max(1, plan_.vector * DTypeBytes(input.dtype) / 4);
      if (IsCombined(input.role)) words = std::max(words, chunk * plan_.group_size);
      if (VariesOverWidth(input.kind)) words += chunk * plan_.chunks;
    }
    return static_cast<int>(std::clamp<int64_t>(RoundUp(32 + words + 3 * plan_.vector * plan_.chunks, 8), 48, 255));
  }

  int BlocksPerMultiprocessor() const {
    const int by_registers = device_.registers_per_multiprocessor / (RegistersPerThread() * plan_.block());
    const int by_threads = device_.threads_per_multiprocessor / plan_.block();
    return std::clamp(std::min(by_registers, by_threads), 1, kMostBlocksPerSm);
  }

  void PlaceMessages() {
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      const Input& input = program_.inputs[i];
      const bool in_two_hops = plan_.algorithm == Algorithm::kTwoShot && IsCombined(input.role);
      const int64_t rows = input.kind == Kind::kVec ? 1 : plan_.rows;
      const int64_t bytes = in_two_hops ? BytesOfPieces(input.dtype) : rows * plan_.RowBytes(input);
      plan_.message_offsets.push_back(input.role == Role::kLocal ? -1 : Place(bytes));
      plan_.sum_offsets.push_back(in_two_hops ? Place(BytesOfPieces(SumType(i))) : -1);
    }
  }

  int64_t Place(int64_t bytes) {
    const int64_t at = plan_.message_bytes;
    plan_.message_bytes += bytes;
    return at;
  }

  // The bytes of the pieces that one rank owns (device/two_shot.cuh), with elements of `dtype`. A multiple of 16.
  int64_t BytesOfPieces(DType dtype) const {
    const int64_t pieces = CeilDiv(plan_.rows * CeilDiv(row_chunks_, kWarp), plan_.group_size);
    return pieces * kWarp * plan_.vector * DTypeBytes(dtype);
  }

  // The type that input i is combined to.
  DType SumType(size_t i) const {
    const auto sum = std::find_if(program_.statements.begin(), program_.statements.end(), [&](const Statement& s) {
      return s.op == Op::kAllReduce && static_cast<size_t>(s.index) == i;
    });
    return sum->dtype;  // every valid program has it
  }

  // In chunks. A warp has a partial result of each reduction for each 32 chunks (device/reduce.cuh).
  int64_t WidestRow() const {
    const int64_t by_threads = MostBlocksPerRow() * kMostThreads * kMostChunks;
    const int64_t reductions = RowReductions(program_);
    return reductions == 0 ? by_threads : std::min(by_threads, kMostPartials / reductions * kWarp);
  }

  Result<LaunchPlan> TooWide() const {
    const int64_t widest = WidestRow() * plan_.vector;
    return Err("one-shot kernel: a row has " + std::to_string(plan_.width) + " columns, expected at most " +
               std::to_string(widest) + " on sm_" + std::to_string(device_.compute_capability) +
               "; lower JAX_ONESHOT_MAX_BYTES so that this call is left to XLA");
  }

  const RowProgram& program_;
  const DeviceFacts& device_;
  LaunchPlan plan_;
  int64_t row_chunks_ = 0;
  int64_t multiprocessors_ = 1;
};

Result<void> CheckRequest(int64_t rows, int64_t width, int group_size, const DeviceFacts& device) {
  if (rows < 1 || width < 1 || rows > kMostMessageBytes || width > kMostMessageBytes) {
    return Err("one-shot kernel: the extent is " + std::to_string(rows) + " rows of " + std::to_string(width) +
               " columns, expected at least one of each and at most " + std::to_string(kMostMessageBytes));
  }
  if (group_size < 2 || group_size > kMaxRanks) {
    return Err("one-shot kernel: the group has " + std::to_string(group_size) + " ranks, expected 2 to " +
               std::to_string(kMaxRanks));
  }
  if (device.compute_capability < 80) {
    return Err("one-shot kernel: the device is sm_" + std::to_string(device.compute_capability) +
               ", expected sm_80 or newer; set JAX_ONESHOT=0 to run with XLA's own all-reduce");
  }
  return {};
}

}  // namespace

int64_t LaunchPlan::RowBytes(const Input& input) const {
  if (input.role != Role::kGather) return RoundUp(RoundUp(width, vector) * DTypeBytes(input.dtype), 16);
  const int64_t shard = width / group_size;
  return RoundUp(shard * (shard % vector == 0 ? DTypeBytes(input.dtype) : kWordBytes), 16);
}

int LaunchPlan::AccessBytes(DType dtype, Kind kind, bool shard) const {
  if (!VariesOverWidth(kind)) return DTypeBytes(dtype);
  const int64_t columns = shard ? width / group_size : width;
  if (shard && columns % vector != 0) return DTypeBytes(dtype);
  const int64_t row = columns * DTypeBytes(dtype);
  return static_cast<int>(std::min<int64_t>({16, int64_t{vector} * DTypeBytes(dtype), row & -row}));
}

Result<LaunchPlan> PlanLaunch(const RowProgram& program, int64_t rows, int64_t width, int group_size,
                              const DeviceFacts& device, Algorithm algorithm) {
  if (Result<void> checked = CheckRequest(rows, width, group_size, device); !checked) return Err(checked.error());
  if (HasShards(program) && width % group_size != 0) {
    return Err("one-shot kernel: the program has shards, but the width " + std::to_string(width) +
               " is no multiple of the group's " + std::to_string(group_size) + " ranks");
  }
  LaunchPlan plan;
  plan.algorithm = algorithm;
  plan.rows = rows;
  plan.width = width;
  plan.group_size = group_size;
  plan.compute_capability = device.compute_capability;
  return Planner(program, device, std::move(plan)).Run();
}

Result<DeviceFacts> ReadDeviceFacts(const CudaDriver& driver, Device device) {
  int major = 0;
  int minor = 0;
  DeviceFacts facts;
  const std::pair<DeviceAttribute, int*> wanted[] = {
      {kComputeCapabilityMajor, &major},
      {kComputeCapabilityMinor, &minor},
      {kMultiprocessorCount, &facts.multiprocessors},
      {kMaxThreadsPerMultiprocessor, &facts.threads_per_multiprocessor},
      {kMaxRegistersPerMultiprocessor, &facts.registers_per_multiprocessor},
  };
  for (const auto& [attribute, value] : wanted) {
    ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetAttribute(value, attribute, device));
  }
  facts.compute_capability = 10 * major + minor;
  return facts;
}

}  // namespace jax_oneshot::cuda
