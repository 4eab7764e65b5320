// SPDX-License-Identifier: Apache-2.0
// Rendezvous of the ranks of a group: participants arrive in any order and from any thread. The last to arrive receives
// the whole round; if a rank does not arrive before the deadline, all that did fail with an error. Never blocks.
//
// A round is identified by (run, group, instance). The same key is used again when the call runs in a loop: a rank can
// return only after it was resumed, so each key has at most one open round.
#ifndef FFI_KERNELS_COMM_RENDEZVOUS_H_
#define FFI_KERNELS_COMM_RENDEZVOUS_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/comm/groups.h"

namespace jax_oneshot {

// One rank's part in a round; reused by later rounds. Exactly one of Resume and Fail is called for each use; both must
// move out what they need first, because the object may be reused before they return.
class Participant {
 public:
  virtual ~Participant() = default;
  virtual void Resume() = 0;
  virtual void Fail(const std::string& message) = 0;
};

struct RendezvousRound {
  int64_t run_id = 0;
  RankSlot slot;  // of the first to arrive; all share its group and instance
  std::chrono::steady_clock::time_point deadline;
  int arrived = 0;
  std::vector<bool> here;                                  // by index within the group
  std::vector<std::unique_ptr<Participant>> participants;  // by index within the group
  std::atomic<int> users{0};                               // references to this object; see Rendezvous::Release
};

class Rendezvous : public std::enable_shared_from_this<Rendezvous> {
 public:
  struct Options {
    std::string call;  // "one-shot all-reduce 3 (channel 7)"
    std::chrono::milliseconds timeout{0};
    std::function<std::unique_ptr<Participant>()> make_participant;
  };
  Rendezvous(Groups groups, Options options) : groups_(std::move(groups)), options_(std::move(options)) {}
  ~Rendezvous();

  const Groups& groups() const { return groups_; }

  // `fill` stores the rank's data in its participant. Returns null unless this rank is the last of its group; then the
  // whole round, which is now visible only to the caller. The caller sets `users` and resumes or fails every
  // participant.
  Result<RendezvousRound*> Arrive(int64_t run_id, const RankSlot& slot, const std::function<void(Participant*)>& fill);

  // Fails the round that `slot` belongs to with `message`: ranks that wait in it, and ranks that arrive later in this
  // run.
  void Cancel(int64_t run_id, const RankSlot& slot, const std::string& message);

  // Drops one reference; the last one returns the round to the free list.
  void Release(RendezvousRound* round);

 private:
  struct Failure {
    int64_t run_id;
    RankSlot slot;
    std::string message;
  };
  using TimePoint = std::chrono::steady_clock::time_point;

  RendezvousRound* FindOpen(int64_t run_id, const RankSlot& slot);
  const Failure* FindFailure(int64_t run_id, const RankSlot& slot) const;
  Result<RendezvousRound*> Open(int64_t run_id, const RankSlot& slot);
  Result<void> StartWatch();
  void Close(RendezvousRound* round);
  void Remember(int64_t run_id, const RankSlot& slot, const std::string& message);
  void FailAll(RendezvousRound* round, const std::string& message);
  std::string TwiceMessage(const RankSlot& slot) const;
  std::string LateMessage(const RendezvousRound& round) const;

  // Owned jointly with the watch thread, so that destroying a rendezvous never waits for that thread (which may be the
  // very thread that destroys it).
  struct Alarm {
    std::mutex mutex;
    std::condition_variable ring;
    bool stop = false;
    bool SleepUntil(TimePoint wake);  // false: stopped
  };

  static void Watch(const std::weak_ptr<Rendezvous>& self, const std::shared_ptr<Alarm>& alarm);
  bool WatchOnce(TimePoint* wake, std::vector<std::pair<RendezvousRound*, std::string>>* late);

  const Groups groups_;
  const Options options_;

  const std::shared_ptr<Alarm> alarm_ = std::make_shared<Alarm>();

  std::mutex mutex_;
  std::vector<std::unique_ptr<RendezvousRound>> all_;
  std::vector<RendezvousRound*> open_, free_;
  std::vector<Failure> failures_;  // the latest few
  bool watching_ = false;
  bool opened_since_watch_ = false;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_COMM_RENDEZVOUS_H_
