// SPDX-License-Identifier: Apache-2.0
// CallSite: the run-time state of one one-shot call of a CPU executable: engine, groups, rendezvous. Each rank passes
// its buffers on each execution; its results are written once all ranks of its group have arrived. Independent of XLA.
#ifndef FFI_KERNELS_CPU_CALL_SITE_H_
#define FFI_KERNELS_CPU_CALL_SITE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/comm/continuation_executor.h"
#include "ffi_kernels/comm/in_place_wait.h"
#include "ffi_kernels/comm/rendezvous.h"
#include "ffi_kernels/cpu/engine.h"

namespace jax_oneshot {

// A rank that waits at a call site. The subclass adds what the rank waits with (a promise) and implements Resume and
// Refuse. Both first move the promise out of this object; Resume then calls Leave, and completes the promise last.
class WaitingRank : public Participant {
 public:
  void Fail(const std::string& message) final;

  std::vector<const void*> inputs;
  std::vector<void*> outputs;

 protected:
  virtual void Refuse(const std::string& message) = 0;

  // After this, another call may reuse the object.
  void Leave();

 private:
  friend class CallSite;
  InPlaceWait wait_;
  std::shared_ptr<Rendezvous> rendezvous_;  // set when the last rank arrives, until Leave
  RendezvousRound* round_ = nullptr;
};

struct CallSiteOptions {
  RowProgram program;  // valid
  int64_t rows = 0, width = 0;
  Groups groups;
  std::string name;  // "one-shot all-reduce 3 (channel 7)"
  std::chrono::milliseconds timeout{0};
};

class CallSite {
 public:
  CallSite(CallSiteOptions options, std::function<std::unique_ptr<WaitingRank>()> make_rank);

  const Engine& engine() const;
  const Groups& groups() const;
  const std::string& name() const;
  const std::shared_ptr<ContinuationExecutor::Cost>& cost() const;  // of the code after a call

  // `fill` stores the rank's buffers and its promise in its slot. An error says why this rank cannot take part; its
  // peers fail immediately or at the deadline. May wait for the peers on the calling thread, for a short time; a rank
  // that is neither resumed nor failed by then is resumed or failed later on another thread. Allocates only when more
  // calls are in flight at once than ever before (a `fill` that captures more than two pointers allocates in
  // std::function).
  Result<void> Arrive(int64_t run_id, const RankSlot& slot, const std::function<void(WaitingRank*)>& fill);

 private:
  struct Work;
  struct State;

  static Work* TakeWork(const std::shared_ptr<State>& state, RendezvousRound* round);
  static void Start(Work* work);
  static void Run(Work* work);
  static void Finish(Work* work);

  std::shared_ptr<State> state_;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_CPU_CALL_SITE_H_
