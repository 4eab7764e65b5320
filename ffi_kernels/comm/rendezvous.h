// Collects the participants of a round, one per rank, in any order and from any thread. The last to arrive receives the
// whole round; if somebody does not arrive in time, all who did receive an error. Nobody blocks.
//
// A round is named by (run, group, instance). The same name may meet again and again (a call within a loop): a rank
// can come back only after it was let go, so a name has one open round at a time.
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

// One slot at a round, used again by later rounds. Either Resume or Fail is called once for each time it is taken;
// both must move out what they need, for the slot may be taken again before they return.
class Participant {
 public:
  virtual ~Participant() = default;
  virtual void Resume() = 0;
  virtual void Fail(const std::string& message) = 0;
};

struct RendezvousRound {
  int64_t run_id = 0;
  RankSlot slot;  // of the first to arrive; group and instance are everybody's
  std::chrono::steady_clock::time_point deadline;
  int arrived = 0;
  std::vector<bool> here;                                  // by index within the group
  std::vector<std::unique_ptr<Participant>> participants;  // by index within the group
  std::atomic<int> users{0};                               // who still needs this object; see Rendezvous::Release
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

  // Lets `fill` put what the rank brings into its slot. Returns null unless this was the last of its group; then the
  // whole round, which nobody else can see any more. The caller sets `users` and sees to every participant.
  Result<RendezvousRound*> Arrive(int64_t run_id, const RankSlot& slot, const std::function<void(Participant*)>& fill);

  // Ends the round that `slot` would go to: all who wait in it, and all who come to it later in this run, fail with
  // `message`.
  void Cancel(int64_t run_id, const RankSlot& slot, const std::string& message);

  // One user less; the last one's call makes the round free for use again.
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

  // Outlives the rendezvous where its thread does, so that destroying one never waits for a thread (which may be the
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
