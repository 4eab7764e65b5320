// SPDX-License-Identifier: Apache-2.0
// Implementation of nccl_communicator.h.
#include "ffi_kernels/cuda/comm/nccl_communicator.h"

#include <thread>

namespace jax_oneshot::cuda {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kPollEvery{50};

// Polls `done`: true once it is, false at the deadline, its error if it fails.
template <typename Done>
Result<bool> PollUntil(Clock::time_point deadline, const Done& done) {
  while (true) {
    Result<bool> is = done();
    if (!is || *is) return is;
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPollEvery);
  }
}

}  // namespace

Result<std::unique_ptr<NcclCommunicator>> NcclCommunicator::Create(const NcclApi& api, NcclComm comm,
                                                                   PeerDevice* device,
                                                                   std::chrono::milliseconds timeout) {
  std::unique_ptr<NcclCommunicator> made(new NcclCommunicator(api, comm, device, timeout));
  if (Result<void> rank = made->Finish("ncclCommUserRank", api.comm_user_rank(comm, &made->rank_)); !rank) {
    return Err(rank.error());
  }
  if (Result<void> size = made->Finish("ncclCommCount", api.comm_count(comm, &made->size_)); !size) {
    return Err(size.error());
  }
  return made;
}

Result<std::vector<std::string>> NcclCommunicator::AllGather(std::string_view mine) {
  const auto bytes = static_cast<int64_t>(mine.size());
  if (Result<void> enough = ReserveBuffer(bytes * (size_ + 1)); !enough) return Err(enough.error());
  const DevicePointer all = buffer_, own = all + static_cast<DevicePointer>(bytes * size_);
  if (Result<void> in = device_.CopyIn(own, mine.data(), bytes); !in) return Err(in.error());
  const NcclResult result = api_.all_gather(reinterpret_cast<const void*>(own), reinterpret_cast<void*>(all),
                                            mine.size(), kNcclUint8, comm_, device_.stream());
  if (Result<void> queued = Finish("ncclAllGather", result); !queued) return Err(queued.error());
  if (Result<void> gathered = WaitForStream("ncclAllGather"); !gathered) return Err(gathered.error());
  // Only now: a copy to pageable memory blocks until all earlier work on the stream is done, regardless of the
  // deadline.
  std::string received(static_cast<size_t>(bytes * size_), '\0');
  if (Result<void> out = device_.CopyOut(received.data(), all, bytes * size_); !out) return Err(out.error());
  if (Result<void> copied = WaitForStream("ncclAllGather"); !copied) return Err(copied.error());
  std::vector<std::string> by_rank;
  for (size_t rank = 0; rank < static_cast<size_t>(size_); ++rank) {
    by_rank.push_back(received.substr(mine.size() * rank, mine.size()));
  }
  return by_rank;
}

// Never freed: freeing waits for all work of the device, which may itself wait for a rank of this process.
Result<void> NcclCommunicator::ReserveBuffer(int64_t bytes) {
  if (bytes <= buffer_bytes_) return {};
  Result<DevicePointer> buffer = device_.Allocate(bytes);
  if (!buffer) return Err(buffer.error());
  buffer_ = *buffer;
  buffer_bytes_ = bytes;
  return {};
}

Result<Window> NcclCommunicator::MakeWindow(int64_t bytes) {
  void* own = nullptr;
  if (Result<void> made = Finish("ncclMemAlloc", api_.mem_alloc(&own, static_cast<size_t>(bytes))); !made) {
    return Err(made.error());
  }
  NcclWindow window = nullptr;
  const NcclResult result =
      api_.comm_window_register(comm_, own, static_cast<size_t>(bytes), &window, kNcclWindowSymmetric);
  if (Result<void> registered = Finish("ncclCommWindowRegister", result); !registered) return Err(registered.error());
  if (window == nullptr) return Err("ncclCommWindowRegister made none: this machine has no symmetric memory");
  Window made;
  made.own = reinterpret_cast<DevicePointer>(own);
  for (int rank = 0; rank < size_; ++rank) {
    void* peer = nullptr;
    const NcclResult found = api_.peer_device_pointer(window, 0, rank, &peer);
    if (Result<void> checked = Finish("ncclGetPeerDevicePointer", found); !checked) return Err(checked.error());
    made.workspaces.push_back(reinterpret_cast<DevicePointer>(peer));
  }
  made.workspaces[static_cast<size_t>(rank_)] = made.own;
  void* multicast = nullptr;
  if (api_.lsa_multimem_device_pointer != nullptr &&
      api_.lsa_multimem_device_pointer(window, 0, &multicast) == kNcclSuccess) {
    made.multicast = reinterpret_cast<DevicePointer>(multicast);
  }
  return made;
}

Result<void> NcclCommunicator::Finish(const char* call, NcclResult result) {
  const Result<bool> settled = PollUntil(Clock::now() + timeout_, [&]() -> Result<bool> {
    if (result != kNcclInProgress) return true;
    const NcclResult asked = api_.comm_async_error(comm_, &result);
    if (asked != kNcclSuccess) result = asked;
    return result != kNcclInProgress;
  });
  if (!*settled) return Err(LateText(call));
  if (result == kNcclSuccess) return {};
  return Err(std::string(call) + " failed: " + api_.error_string(result) + "; NCCL " + NcclVersionText(api_.version) +
             " (" + api_.path + "). NCCL_DEBUG=WARN makes it say more");
}

Result<void> NcclCommunicator::WaitForStream(const char* call) {
  const Result<bool> done = PollUntil(Clock::now() + timeout_, [this]() -> Result<bool> {
    NcclResult state = kNcclSuccess;
    const NcclResult asked = api_.comm_async_error(comm_, &state);
    if (asked != kNcclSuccess) state = asked;
    if (state != kNcclSuccess && state != kNcclInProgress) return Err(api_.error_string(state));
    return device_.Idle();
  });
  if (!done) return Err(std::string(call) + " failed: " + done.error());
  if (!*done) return Err(LateText(call));
  return {};
}

std::string NcclCommunicator::LateText(const char* call) const {
  return "rank " + std::to_string(rank_) + " of " + std::to_string(size_) + " waited " +
         std::to_string(timeout_.count()) + " ms in " + call +
         " for all ranks to set up the one-shot calls; a process may have died or not have come this far. "
         "JAX_ONESHOT_TIMEOUT_S sets the time";
}

}  // namespace jax_oneshot::cuda
