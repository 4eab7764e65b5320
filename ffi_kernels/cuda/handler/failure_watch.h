// SPDX-License-Identifier: Apache-2.0
// Watches the host word that a kernel writes before it traps, one per GPU. A failure is logged as soon as it happens,
// and is returned as the error of every later call on that GPU.
//
// XLA can only report that a launch failed: a trap carries no reason, and none of our code runs in between. So a thread
// polls the words, ten times a second, once there is a device to watch.
#ifndef FFI_KERNELS_CUDA_HANDLER_FAILURE_WATCH_H_
#define FFI_KERNELS_CUDA_HANDLER_FAILURE_WATCH_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace jax_oneshot::cuda {

// A call as one rank runs it.
struct WatchedCall {
  std::string name;  // "one-shot all-reduce 3 (channel 7)"
  int rank = 0, size = 0;
  std::chrono::milliseconds timeout{0};
};

class FailureWatch {
 public:
  using Log = std::function<void(const std::string&)>;

  explicit FailureWatch(Log log) : log_(std::move(log)) {}
  FailureWatch(const FailureWatch&) = delete;
  FailureWatch& operator=(const FailureWatch&) = delete;
  ~FailureWatch();

  // `word` starts as 0 and must outlive this object. Starts the thread.
  void WatchDevice(int ordinal, const volatile uint64_t* word);

  // The call number that the kernels of this call write into the word.
  uint32_t AddCall(const WatchedCall& call);

  // Why this GPU can no longer run anything, if so.
  std::optional<std::string> FailureOn(int ordinal) const;

 private:
  struct Device {
    const volatile uint64_t* word;
    bool logged = false;
  };

  void Run();
  std::optional<std::string> FailureOf(const Device& device) const;  // under mutex_

  const Log log_;
  mutable std::mutex mutex_;
  std::condition_variable stop_requested_;
  bool stop_ = false;
  std::vector<WatchedCall> calls_;
  std::map<int, Device> devices_;
  std::thread thread_;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_HANDLER_FAILURE_WATCH_H_
