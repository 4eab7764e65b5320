// SPDX-License-Identifier: Apache-2.0
// Implementation of rendezvous.h.
#include "ffi_kernels/comm/rendezvous.h"

#include <algorithm>
#include <cstdio>
#include <system_error>
#include <thread>
#include <utility>

namespace jax_oneshot {
namespace {

// A failed run ends soon, so its late ranks arrive within the next few failures.
constexpr size_t kFailuresKept = 64;

bool SameRound(const RankSlot& a, const RankSlot& b) { return a.group == b.group && a.instance == b.instance; }

std::string SecondsText(std::chrono::milliseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(time.count()) / 1000);
  return text;
}

}  // namespace

Result<RendezvousRound*> Rendezvous::Arrive(int64_t run_id, const RankSlot& slot,
                                            const std::function<void(Participant*)>& fill) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (const Failure* failure = FindFailure(run_id, slot)) return Err(failure->message);
  RendezvousRound* round = FindOpen(run_id, slot);
  if (round == nullptr) {
    Result<RendezvousRound*> opened = Open(run_id, slot);
    if (!opened) return opened;
    round = *opened;
  }
  if (round->here[slot.index]) {
    const std::string message = TwiceMessage(slot);
    lock.unlock();
    Cancel(run_id, slot, message);
    return Err(message);
  }
  fill(round->participants[slot.index].get());
  round->here[slot.index] = true;
  if (++round->arrived < groups_.group_size()) return nullptr;
  Close(round);
  return round;
}

void Rendezvous::Cancel(int64_t run_id, const RankSlot& slot, const std::string& message) {
  RendezvousRound* round;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (FindFailure(run_id, slot) != nullptr) return;
    Remember(run_id, slot, message);
    round = FindOpen(run_id, slot);
    if (round != nullptr) Close(round);
  }
  if (round != nullptr) FailAll(round, message);
}

void Rendezvous::Release(RendezvousRound* round) {
  if (round->users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  std::lock_guard<std::mutex> lock(mutex_);
  free_.push_back(round);
}

RendezvousRound* Rendezvous::FindOpen(int64_t run_id, const RankSlot& slot) {
  for (RendezvousRound* round : open_) {
    if (round->run_id == run_id && SameRound(round->slot, slot)) return round;
  }
  return nullptr;
}

const Rendezvous::Failure* Rendezvous::FindFailure(int64_t run_id, const RankSlot& slot) const {
  for (const Failure& failure : failures_) {
    if (failure.run_id == run_id && SameRound(failure.slot, slot)) return &failure;
  }
  return nullptr;
}

Result<RendezvousRound*> Rendezvous::Open(int64_t run_id, const RankSlot& slot) {
  if (!watching_) {
    const Result<void> started = StartWatch();
    if (!started) return Err(started.error());
  }
  if (free_.empty()) {
    all_.push_back(std::make_unique<RendezvousRound>());
    free_.push_back(all_.back().get());
    for (int i = 0; i < groups_.group_size(); ++i) free_.back()->participants.push_back(options_.make_participant());
  }
  RendezvousRound* round = free_.back();
  free_.pop_back();
  round->run_id = run_id;
  round->slot = slot;
  round->deadline = std::chrono::steady_clock::now() + options_.timeout;
  round->arrived = 0;
  round->here.assign(static_cast<size_t>(groups_.group_size()), false);
  open_.push_back(round);
  opened_since_watch_ = true;
  return round;
}

void Rendezvous::Close(RendezvousRound* round) { open_.erase(std::find(open_.begin(), open_.end(), round)); }

void Rendezvous::Remember(int64_t run_id, const RankSlot& slot, const std::string& message) {
  if (failures_.size() == kFailuresKept) failures_.erase(failures_.begin());
  failures_.push_back({run_id, slot, message});
}

void Rendezvous::FailAll(RendezvousRound* round, const std::string& message) {
  // Fail may end the run and destroy this object; the shared pointer keeps it alive.
  const std::shared_ptr<Rendezvous> self = shared_from_this();
  round->users.store(1);
  for (size_t i = 0; i < round->participants.size(); ++i) {
    if (round->here[i]) round->participants[i]->Fail(message);
  }
  Release(round);
}

std::string Rendezvous::TwiceMessage(const RankSlot& slot) const {
  return options_.call + ": rank " + std::to_string(groups_.id(slot.group, slot.index)) + " of group " +
         groups_.Text(slot.group) +
         " arrived twice at one round; expected each rank once (two devices of this run have the same logical id)";
}

std::string Rendezvous::LateMessage(const RendezvousRound& round) const {
  std::string missing;
  int count = 0;
  for (int i = 0; i < groups_.group_size(); ++i) {
    if (round.here[static_cast<size_t>(i)]) continue;
    missing += (count++ == 0 ? "" : ", ") + std::to_string(groups_.id(round.slot.group, i));
  }
  return options_.call + ": rank" + (count == 1 ? " " : "s ") + missing + " of group " +
         groups_.Text(round.slot.group) + " never arrived within " + SecondsText(options_.timeout) +
         "; the other ranks gave up waiting. Look for a device that failed or that runs another program; if it is only "
         "slow, set JAX_ONESHOT_TIMEOUT_S higher, or JAX_ONESHOT=0 to use XLA's own all-reduce";
}

// Unless a rank is late, the watch thread wakes at most once per timeout: a round that opens while it sleeps is not due
// before it wakes. It ends after a full timeout in which no round opened.
Result<void> Rendezvous::StartWatch() {
  try {
    std::thread(&Rendezvous::Watch, weak_from_this(), alarm_).detach();
  } catch (const std::system_error& error) {
    return Err(options_.call + ": cannot start the thread that watches for missing ranks: " + error.what() +
               "; raise the limit of threads, or set JAX_ONESHOT=0");
  }
  watching_ = true;
  return {};
}

void Rendezvous::Watch(const std::weak_ptr<Rendezvous>& weak, const std::shared_ptr<Alarm>& alarm) {
  TimePoint wake;
  do {
    std::vector<std::pair<RendezvousRound*, std::string>> late;
    {
      const std::shared_ptr<Rendezvous> self = weak.lock();
      if (self == nullptr || !self->WatchOnce(&wake, &late)) return;
      for (auto& [round, message] : late) self->FailAll(round, message);
    }
  } while (alarm->SleepUntil(wake));
}

bool Rendezvous::Alarm::SleepUntil(TimePoint wake) {
  std::unique_lock<std::mutex> lock(mutex);
  ring.wait_until(lock, wake, [this] { return stop; });
  return !stop;
}

Rendezvous::~Rendezvous() {
  std::lock_guard<std::mutex> lock(alarm_->mutex);
  alarm_->stop = true;
  alarm_->ring.notify_all();
}

bool Rendezvous::WatchOnce(TimePoint* wake, std::vector<std::pair<RendezvousRound*, std::string>>* late) {
  std::lock_guard<std::mutex> lock(mutex_);
  const TimePoint now = std::chrono::steady_clock::now();
  *wake = now + options_.timeout;
  for (RendezvousRound* round : std::vector<RendezvousRound*>(open_)) {
    if (round->deadline > now) {
      *wake = std::min(*wake, round->deadline);
      continue;
    }
    late->emplace_back(round, LateMessage(*round));
    Remember(round->run_id, round->slot, late->back().second);
    Close(round);
  }
  watching_ = opened_since_watch_ || !open_.empty() || !late->empty();
  opened_since_watch_ = false;
  return watching_;
}

}  // namespace jax_oneshot
