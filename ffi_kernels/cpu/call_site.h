// CallSite: one one-shot call of a CPU executable: its engine, its groups, its rendezvous. Takes one rank's buffers on
// each execution and writes that rank's results once all ranks of its group have arrived. Independent of XLA.
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

// A rank that waits at a call site. What it waits with (a promise) is its subclass's, which also writes Resume and
// Refuse: both take that out of this object first; Resume then calls Leave; then comes the promise's turn.
class WaitingRank : public Participant {
 public:
  void Fail(const std::string& message) final;

  std::vector<const void*> inputs;
  std::vector<void*> outputs;

 protected:
  virtual void Refuse(const std::string& message) = 0;

  // This object may be taken by another call from here on.
  void Leave();

 private:
  friend class CallSite;
  InPlaceWait wait_;
  std::shared_ptr<Rendezvous> rendezvous_;  // from the last arrival to Leave
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
  const std::shared_ptr<ContinuationExecutor::Cost>& cost() const;  // of what follows a call

  // `fill` puts the rank's buffers, and what it waits with, into its slot. An error says why this rank cannot meet the
  // others; they hear of it now or at the deadline. May wait for the others on the calling thread, for a short time; a
  // rank that has not been resumed or failed by then is so later, on another thread. Allocates nothing of its own once
  // as many calls as ever were in flight together (a `fill` that captures more than two pointers allocates in
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
