// SPDX-License-Identifier: Apache-2.0
// Implementation of failure_watch.h.
#include "ffi_kernels/cuda/handler/failure_watch.h"

#include "ffi_kernels/cuda/kernel/launch.h"

namespace jax_oneshot::cuda {
namespace {

constexpr std::chrono::milliseconds kLookEvery{100};

std::string RanksText(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(ranks[i]);
  return text;
}

}  // namespace

FailureWatch::~FailureWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  stop_requested_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void FailureWatch::WatchDevice(int ordinal, const volatile uint64_t* word) {
  const std::lock_guard<std::mutex> lock(mutex_);
  devices_.emplace(ordinal, Device{word});
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
}

uint32_t FailureWatch::AddCall(const WatchedCall& call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  calls_.push_back(call);
  return static_cast<uint32_t>(calls_.size() - 1);
}

std::optional<std::string> FailureWatch::FailureOn(int ordinal) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto device = devices_.find(ordinal);
  return device == devices_.end() ? std::nullopt : FailureOf(device->second);
}

std::optional<std::string> FailureWatch::FailureOf(const Device& device) const {
  const std::optional<MissingPeers> missing = ReadErrorRecord(device.word);
  if (!missing) return std::nullopt;
  if (missing->call >= calls_.size()) return "a one-shot all-reduce gave up waiting for " + RanksText(missing->ranks);
  const WatchedCall& call = calls_[missing->call];
  return call.name + ": rank " + std::to_string(call.rank) + " of " + std::to_string(call.size) + " waited " +
         std::to_string(call.timeout.count()) + " ms for " + RanksText(missing->ranks) +
         ", then gave up. The process of a missing rank may have died, hang, or run another program; this process "
         "cannot use its GPU any more. JAX_ONESHOT_TIMEOUT_S sets the time";
}

void FailureWatch::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    for (auto& [ordinal, device] : devices_) {
      if (device.logged) continue;
      if (const std::optional<std::string> failure = FailureOf(device)) {
        device.logged = true;
        log_(*failure);
      }
    }
    stop_requested_.wait_for(lock, kLookEvery);
  }
}

}  // namespace jax_oneshot::cuda
