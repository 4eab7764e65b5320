// SPDX-License-Identifier: Apache-2.0
// Implementation of row_runner.h.
#include "ffi_kernels/cpu/row_runner.h"

#include <algorithm>
#include <cstring>

namespace jax_oneshot {
namespace {

bool VariesOverWidth(Kind kind) { return Widens(Kind::kVec, kind); }
bool VariesOverRows(Kind kind) { return Widens(Kind::kRowScalar, kind); }

}  // namespace

int64_t RowRunner::First(Kind kind, int64_t column, int64_t width) const {
  const int64_t row = VariesOverRows(kind) ? row_ : 0;
  return VariesOverWidth(kind) ? row * width + column : row;
}

template <typename Visit>
void RowRunner::ForEachShard(Kind kind, int64_t column, int64_t n, Visit visit) const {
  const int64_t shard = width_ / rank_count_;
  for (int64_t done = 0; done < n;) {
    const int64_t own = (column + done) % shard;
    const int64_t count = std::min(n - done, shard - own);
    visit((column + done) / shard, First(kind, own, shard), done, count);
    done += count;
  }
}

void RowRunner::Run(RowRange rows) {
  FindVecLeaders();
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    row_ = row;
    FindLeaders(row);
    const bool alone = std::all_of(ws_.leader.begin(), ws_.leader.end(), [](int leader) { return leader == 0; });
    alone ? ForgetSharedOperands() : KeepSharedOperands();
    for (int r = 0; r < rank_count_; ++r) {
      if (ws_.leader[r] == r) RunRow(row, r);
    }
  }
}

void RowRunner::KeepSharedOperands() {
  constexpr int64_t kWidest = sizeof(float);  // of the types of all operands
  ForgetSharedOperands();
  const int64_t n = columns_.end - columns_.begin;
  int64_t size = 0;
  for (size_t i = 0; i < program_.inputs.size(); ++i) {
    const Input& input = program_.inputs[i];
    if (input.role == Role::kLocal || !VariesOverRows(input.kind)) continue;
    size = (size + kWidest - 1) / kWidest * kWidest;  // a preceding operand of single bytes may end unaligned
    ws_.kept_at[i] = size;
    size += n * DTypeBytes(input.dtype) * (input.role == Role::kGather ? 1 : rank_count_);
  }
  ws_.kept.resize(static_cast<size_t>(size));
  for (size_t i = 0; i < program_.inputs.size(); ++i) {
    if (ws_.kept_at[i] < 0) continue;
    const Input& input = program_.inputs[i];
    const int64_t bytes = DTypeBytes(input.dtype);
    char* to = ws_.kept.data() + ws_.kept_at[i];
    const auto copy = [&](int64_t rank, int64_t first, int64_t done, int64_t count) {
      std::memcpy(to + done * bytes, static_cast<const char*>(ranks_[rank].inputs[i]) + first * bytes,
                  static_cast<size_t>(count * bytes));
    };
    if (input.role == Role::kGather) {
      ForEachShard(input.kind, columns_.begin, n, copy);
    } else {
      for (int r = 0; r < rank_count_; ++r) copy(r, First(input.kind, columns_.begin), r * n, n);
    }
  }
}

bool RowRunner::SameLocals(int a, int b, int64_t row, bool per_row) const {
  for (size_t i = 0; i < program_.inputs.size(); ++i) {
    const Input& input = program_.inputs[i];
    if (input.role != Role::kLocal || VariesOverRows(input.kind) != per_row) continue;
    const auto* x = static_cast<const char*>(ranks_[a].inputs[i]);
    const auto* y = static_cast<const char*>(ranks_[b].inputs[i]);
    if (x == y) continue;
    const bool wide = VariesOverWidth(input.kind);
    const int64_t first = (per_row ? row * (wide ? width_ : 1) : 0) + (wide ? columns_.begin : 0);
    const int64_t count = wide ? columns_.end - columns_.begin : 1;
    const int64_t bytes = DTypeBytes(input.dtype);
    if (std::memcmp(x + first * bytes, y + first * bytes, static_cast<size_t>(count * bytes)) != 0) return false;
  }
  return true;
}

void RowRunner::FindVecLeaders() {
  ws_.vec_leader.assign(rank_count_, 0);
  for (int r = 0; r < rank_count_; ++r) {
    int leader = 0;
    while (leader < r && (ws_.vec_leader[leader] != leader || !SameLocals(leader, r, 0, false))) ++leader;
    ws_.vec_leader[r] = leader;
  }
}

void RowRunner::FindLeaders(int64_t row) {
  ws_.leader.assign(rank_count_, 0);
  for (int r = 0; r < rank_count_; ++r) {
    int leader = 0;
    while (leader < r && (ws_.leader[leader] != leader || ws_.vec_leader[leader] != ws_.vec_leader[r] ||
                          !SameLocals(leader, r, row, true))) {
      ++leader;
    }
    ws_.leader[r] = leader;
  }
}

void RowRunner::RunRow(int64_t row, int leader) {
  row_ = row;
  leader_ = leader;
  for (const Phase& phase : plan_.phases) {
    for (const Step& step : phase.row_begin) RunStep(step, columns_.begin, 1);
    if (!phase.chunk.empty()) {
      for (int64_t column = columns_.begin; column < columns_.end; column += kChunk) {
        const int64_t n = std::min(kChunk, columns_.end - column);
        for (const Step& step : phase.chunk) RunStep(step, column, n);
      }
    }
    for (const Step& step : phase.row_end) RunStep(step, columns_.begin, 1);
  }
}

void RowRunner::RunStep(const Step& step, int64_t column, int64_t n) {
  float* out = ws_.At(step.out, column);
  switch (step.what) {
    case Step::Do::kMap: {
      const float* in[3] = {ws_.At(step.in[0], column), ws_.At(step.in[1], column), ws_.At(step.in[2], column)};
      return step.map(out, in, n);
    }
    case Step::Do::kCombine:
      return Combine(step, column, out, n);
    case Step::Do::kGather:
      return Gather(step, column, out, n);
    case Step::Do::kLoad:
      return Load(step, column, out, n);
    case Step::Do::kStore:
      return Store(step, column, ws_.At(step.in[0], column), n);
    case Step::Do::kRound:
      return loops_.round[static_cast<int>(step.dtype)](out, n);
    case Step::Do::kReduce:
      ws_.Total(step.out) = step.reduce(ws_.Total(step.out), ws_.At(step.in[0], column), n);
      return;
    case Step::Do::kBegin:
      ws_.Total(step.out) = step.constant;
      return;
    case Step::Do::kFinish:
      *out = static_cast<float>(ws_.Total(step.in[0]));
      return;
    case Step::Do::kConstant:
      *out = static_cast<float>(step.constant);
      return;
    case Step::Do::kSplat:
      return loops_.fill(out, *ws_.At(step.in[0], column), std::min(kChunk, columns_.end - columns_.begin));
  }
}

void RowRunner::Load(const Step& step, int64_t column, float* out, int64_t n) {
  loops_.widen[static_cast<int>(step.dtype)](ranks_[leader_].inputs[step.index], First(step.kind, column), out, n);
}

void RowRunner::Combine(const Step& step, int64_t column, float* out, int64_t n) {
  ws_.rank_pointers.resize(rank_count_);
  const int64_t kept_at = ws_.kept_at[step.index];
  const int64_t kept_bytes = (columns_.end - columns_.begin) * DTypeBytes(step.dtype);
  for (int r = 0; r < rank_count_; ++r) {
    ws_.rank_pointers[r] = kept_at < 0 ? ranks_[r].inputs[step.index] : ws_.kept.data() + kept_at + r * kept_bytes;
  }
  const int64_t first = kept_at < 0 ? First(step.kind, column) : column - columns_.begin;
  step.combine(ws_.rank_pointers.data(), rank_count_, first, out, n);
}

void RowRunner::Gather(const Step& step, int64_t column, float* out, int64_t n) {
  const Loops::Widen widen = loops_.widen[static_cast<int>(step.dtype)];
  const int64_t kept_at = ws_.kept_at[step.index];
  if (kept_at >= 0) return widen(ws_.kept.data() + kept_at, column - columns_.begin, out, n);
  ForEachShard(step.kind, column, n, [&](int64_t rank, int64_t first, int64_t done, int64_t count) {
    widen(ranks_[rank].inputs[step.index], first, out + done, count);
  });
}

// Each rank that shares the leader's local operands receives its own columns.
void RowRunner::StoreShards(const Step& step, int64_t column, const float* in, int64_t n) {
  const Loops::Narrow narrow = loops_.narrow[static_cast<int>(step.dtype)];
  ForEachShard(step.kind, column, n, [&](int64_t rank, int64_t first, int64_t done, int64_t count) {
    if (ws_.leader[rank] != leader_) return;
    narrow(in + done, ranks_[rank].outputs[step.index], first, count);
  });
}

// Converts once, into the leader's result, and copies that to the ranks that share its local operands.
void RowRunner::Store(const Step& step, int64_t column, const float* in, int64_t n) {
  if (!VariesOverRows(step.kind) && row_ != 0) return;             // written with the first row
  if (!VariesOverWidth(step.kind) && columns_.begin != 0) return;  // written with the first columns
  if (step.shard) return StoreShards(step, column, in, n);
  const int64_t first = First(step.kind, column);
  void* mine = ranks_[leader_].outputs[step.index];
  loops_.narrow[static_cast<int>(step.dtype)](in, mine, first, n);
  const int64_t bytes = DTypeBytes(step.dtype);
  for (int r = leader_ + 1; r < rank_count_; ++r) {
    if (ws_.leader[r] != leader_) continue;
    std::memcpy(static_cast<char*>(ranks_[r].outputs[step.index]) + first * bytes,
                static_cast<const char*>(mine) + first * bytes, static_cast<size_t>(n * bytes));
  }
}

}  // namespace jax_oneshot
