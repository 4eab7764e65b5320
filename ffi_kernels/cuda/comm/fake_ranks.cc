// SPDX-License-Identifier: Apache-2.0
// Implementation of fake_ranks.h.
#include "ffi_kernels/cuda/comm/fake_ranks.h"

#include <cstring>
#include <thread>

namespace jax_oneshot::cuda {

std::vector<std::string> FakeAllGather::Exchange(int rank, std::string_view mine) {
  std::unique_lock<std::mutex> lock(mutex_);
  current_[static_cast<size_t>(rank)] = std::string(mine);
  const int round = round_;
  if (++arrived_ == size_) {
    last_ = current_;
    arrived_ = 0;
    ++round_;
    complete_.notify_all();
  } else {
    complete_.wait(lock, [&] { return round_ != round; });
  }
  return last_;
}

Result<void> FakeDevice::Call(const std::string& name) {
  ++calls[name];
  const auto failure = failures.find(name);
  if (failure != failures.end()) return Err(failure->second);
  return {};
}

Result<DevicePointer> FakeDevice::Allocate(int64_t bytes) {
  if (Result<void> called = Call("Allocate"); !called) return Err(called.error());
  memory_.push_back(std::make_unique<char[]>(static_cast<size_t>(bytes)));
  const auto address = reinterpret_cast<DevicePointer>(memory_.back().get());
  live.insert(address);
  return address;
}

void FakeDevice::Free(DevicePointer address) { live.erase(address); }

Result<IpcMemHandle> FakeDevice::Export(DevicePointer address) {
  if (Result<void> called = Call("Export"); !called) return Err(called.error());
  IpcMemHandle handle = {};
  std::memcpy(handle.reserved, &address, sizeof(address));
  return handle;
}

Result<DevicePointer> FakeDevice::Import(const IpcMemHandle& handle) {
  if (Result<void> called = Call("Import"); !called) return Err(called.error());
  DevicePointer address = 0;
  std::memcpy(&address, handle.reserved, sizeof(address));
  return FakeImportOf(address);
}

Result<void> FakeDevice::EnablePeer(int /*ordinal*/) { return Call("EnablePeer"); }

Result<void> FakeDevice::CopyIn(DevicePointer to, const void* from, int64_t bytes) {
  std::memcpy(reinterpret_cast<void*>(to), from, static_cast<size_t>(bytes));
  return Call("CopyIn");
}

Result<void> FakeDevice::CopyOut(void* to, DevicePointer from, int64_t bytes) {
  std::memcpy(to, reinterpret_cast<const void*>(from), static_cast<size_t>(bytes));
  return Call("CopyOut");
}

Result<bool> FakeDevice::Idle() {
  if (Result<void> called = Call("Idle"); !called) return Err(called.error());
  return true;
}

DevicePointer FakeImportOf(DevicePointer address) { return address + 1; }

Result<Window> FakeCommunicator::MakeWindow(int64_t /*bytes*/) {
  if (!window_failure.empty()) return Err(window_failure);
  Window window;
  window.own = 1000 + static_cast<DevicePointer>(rank_);
  for (int peer = 0; peer < size(); ++peer) {
    window.workspaces.push_back(out_of_window.count(peer) != 0 ? 0 : 1000 + static_cast<DevicePointer>(peer));
  }
  window.multicast = 2000;
  return window;
}

void RunRanks(int size, const std::function<void(int rank)>& body) {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) threads.emplace_back([&body, rank] { body(rank); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace jax_oneshot::cuda
