// SPDX-License-Identifier: Apache-2.0
// For tests: communicators that exchange messages in memory, one thread per rank, and devices backed by host memory.
#ifndef FFI_KERNELS_CUDA_COMM_FAKE_RANKS_H_
#define FFI_KERNELS_CUDA_COMM_FAKE_RANKS_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ffi_kernels/cuda/comm/communicator.h"
#include "ffi_kernels/cuda/comm/peer_device.h"

namespace jax_oneshot::cuda {

// The all-gather of one group: ranks deposit their messages and wait for each other.
class FakeAllGather {
 public:
  explicit FakeAllGather(int size) : size_(size), current_(static_cast<size_t>(size)) {}

  int size() const { return size_; }
  std::vector<std::string> Exchange(int rank, std::string_view mine);

 private:
  int size_;
  std::mutex mutex_;
  std::condition_variable complete_;
  int arrived_ = 0, round_ = 0;
  std::vector<std::string> current_, last_;
};

class FakeDevice : public PeerDevice {
 public:
  explicit FakeDevice(int ordinal) : identity{"bus " + std::to_string(ordinal), "sm_90"}, ordinal_(ordinal) {}

  // The error of each call that this device refuses, by name; calls counts all calls, failed ones included.
  std::map<std::string, std::string> failures;
  std::map<std::string, int> calls;
  std::set<DevicePointer> live;  // allocated and not freed

  DeviceIdentity identity;

  int ordinal() const override { return ordinal_; }
  Result<DeviceIdentity> Identify() const override { return identity; }
  Result<DevicePointer> Allocate(int64_t bytes) override;
  void Free(DevicePointer address) override;
  Result<IpcMemHandle> Export(DevicePointer address) override;
  Result<DevicePointer> Import(const IpcMemHandle& handle) override;
  Result<void> EnablePeer(int ordinal) override;
  void* stream() override { return this; }
  Result<void> CopyIn(DevicePointer to, const void* from, int64_t bytes) override;
  Result<void> CopyOut(void* to, DevicePointer from, int64_t bytes) override;
  Result<bool> Idle() override;

 private:
  Result<void> Call(const std::string& name);

  int ordinal_;
  std::vector<std::unique_ptr<char[]>> memory_;
};

// What Import returns for the memory at `address` of another process.
DevicePointer FakeImportOf(DevicePointer address);

class FakeCommunicator : public Communicator {
 public:
  FakeCommunicator(FakeAllGather* all_gather, int rank) : all_gather_(*all_gather), rank_(rank) {}

  bool windows = false;
  std::set<int> out_of_window;  // ranks that its window does not reach
  std::string window_failure;

  int rank() const override { return rank_; }
  int size() const override { return all_gather_.size(); }
  Result<std::vector<std::string>> AllGather(std::string_view mine) override {
    return all_gather_.Exchange(rank_, mine);
  }
  bool has_windows() const override { return windows; }
  Result<Window> MakeWindow(int64_t bytes) override;

 private:
  FakeAllGather& all_gather_;
  int rank_;
};

// Runs `body` for every rank, each on its own thread.
void RunRanks(int size, const std::function<void(int rank)>& body);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_FAKE_RANKS_H_
