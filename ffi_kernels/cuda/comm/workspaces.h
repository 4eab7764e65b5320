// SPDX-License-Identifier: Apache-2.0
// The workspace of each communicator, shared by all calls of this process that use it; allocated, or grown, on demand.
//
// Sharing is safe because XLA, as NCCL requires, issues the operations of one communicator in the same order on one
// stream: two calls never use the workspace at once, and the kernel's epochs continue from call to call across
// executables. One workspace per communicator takes 3 slots x N ranks x the largest message, however many calls there
// are.
//
// It grows by doubling. The smaller one stays for the calls that are bound to it, and nothing is ever freed: a peer may
// still write to it, and whether a rank has a workspace must not depend on when that rank frees memory. Making a
// workspace is collective, so all ranks must make the same decision independently. They do, because XLA initialises the
// same calls in the same order on every rank.
#ifndef FFI_KERNELS_CUDA_COMM_WORKSPACES_H_
#define FFI_KERNELS_CUDA_COMM_WORKSPACES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "ffi_kernels/cuda/comm/communicator.h"

namespace jax_oneshot::cuda {

struct Workspace {
  PeerMemory memory;
  int64_t capacity = 0;  // largest message per rank, in bytes
};

class Workspaces {
 public:
  // Makes one for messages of `capacity` bytes; collective, so it may block until all ranks call it.
  using Make = std::function<Result<PeerMemory>(int64_t capacity)>;

  // `communicator` is only compared, never dereferenced. Calls for different communicators do not wait for each other.
  // After a failure every later call for that communicator gets the same error: its ranks no longer agree on what comes
  // next.
  Result<std::shared_ptr<const Workspace>> Get(const void* communicator, int64_t message_bytes, const Make& make);

 private:
  struct Entry {
    std::mutex mutex;
    std::shared_ptr<const Workspace> workspace;
    std::string error;
  };

  std::mutex mutex_;
  std::map<const void*, std::shared_ptr<Entry>> entries_;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_COMM_WORKSPACES_H_
