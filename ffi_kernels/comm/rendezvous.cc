// In:  guests, one per rank. Out: the whole party, or an error for everybody. See rendezvous.h.
#include "ffi_kernels/comm/rendezvous.h"

#include <algorithm>
#include <cstdio>
#include <system_error>
#include <thread>
#include <utility>

namespace jax_oneshot {
namespace {

// Runs that failed end soon; whoever is late for one of them comes within the next few.
constexpr size_t kFailuresKept = 64;

bool SameParty(const Seat& a, const Seat& b) { return a.group == b.group && a.instance == b.instance; }

std::string SecondsText(std::chrono::milliseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(time.count()) / 1000);
  return text;
}

}  // namespace

Result<Meeting*> Rendezvous::Arrive(int64_t run_id, const Seat& seat, const std::function<void(Guest*)>& fill) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (const Failure* failure = FindFailure(run_id, seat)) return Err(failure->message);
  Meeting* meeting = FindOpen(run_id, seat);
  if (meeting == nullptr) {
    Result<Meeting*> opened = Open(run_id, seat);
    if (!opened) return opened;
    meeting = *opened;
  }
  if (meeting->here[seat.index]) {
    const std::string message = TwiceMessage(seat);
    lock.unlock();
    Cancel(run_id, seat, message);
    return Err(message);
  }
  fill(meeting->guests[seat.index].get());
  meeting->here[seat.index] = true;
  if (++meeting->arrived < groups_.group_size()) return nullptr;
  Close(meeting);
  return meeting;
}

void Rendezvous::Cancel(int64_t run_id, const Seat& seat, const std::string& message) {
  Meeting* meeting;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (FindFailure(run_id, seat) != nullptr) return;
    Remember(run_id, seat, message);
    meeting = FindOpen(run_id, seat);
    if (meeting != nullptr) Close(meeting);
  }
  if (meeting != nullptr) FailAll(meeting, message);
}

void Rendezvous::Release(Meeting* meeting) {
  if (meeting->users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  std::lock_guard<std::mutex> lock(mutex_);
  free_.push_back(meeting);
}

Meeting* Rendezvous::FindOpen(int64_t run_id, const Seat& seat) {
  for (Meeting* meeting : open_) {
    if (meeting->run_id == run_id && SameParty(meeting->seat, seat)) return meeting;
  }
  return nullptr;
}

const Rendezvous::Failure* Rendezvous::FindFailure(int64_t run_id, const Seat& seat) const {
  for (const Failure& failure : failures_) {
    if (failure.run_id == run_id && SameParty(failure.seat, seat)) return &failure;
  }
  return nullptr;
}

Result<Meeting*> Rendezvous::Open(int64_t run_id, const Seat& seat) {
  if (!watching_) {
    const Result<void> started = StartWatch();
    if (!started) return Err(started.error());
  }
  if (free_.empty()) {
    all_.push_back(std::make_unique<Meeting>());
    free_.push_back(all_.back().get());
    for (int i = 0; i < groups_.group_size(); ++i) free_.back()->guests.push_back(options_.make_guest());
  }
  Meeting* meeting = free_.back();
  free_.pop_back();
  meeting->run_id = run_id;
  meeting->seat = seat;
  meeting->deadline = std::chrono::steady_clock::now() + options_.timeout;
  meeting->arrived = 0;
  meeting->here.assign(static_cast<size_t>(groups_.group_size()), false);
  open_.push_back(meeting);
  opened_since_watch_ = true;
  return meeting;
}

void Rendezvous::Close(Meeting* meeting) { open_.erase(std::find(open_.begin(), open_.end(), meeting)); }

void Rendezvous::Remember(int64_t run_id, const Seat& seat, const std::string& message) {
  if (failures_.size() == kFailuresKept) failures_.erase(failures_.begin());
  failures_.push_back({run_id, seat, message});
}

void Rendezvous::FailAll(Meeting* meeting, const std::string& message) {
  // A guest that failed may end the run and with it this object; only the shared pointer keeps it.
  const std::shared_ptr<Rendezvous> self = shared_from_this();
  meeting->users.store(1);
  for (size_t i = 0; i < meeting->guests.size(); ++i) {
    if (meeting->here[i]) meeting->guests[i]->Fail(message);
  }
  Release(meeting);
}

std::string Rendezvous::TwiceMessage(const Seat& seat) const {
  return options_.call + ": rank " + std::to_string(groups_.id(seat.group, seat.index)) + " of group " +
         groups_.Text(seat.group) +
         " arrived twice at one meeting; expected each rank once (two devices of this run have the same logical id)";
}

std::string Rendezvous::LateMessage(const Meeting& meeting) const {
  std::string missing;
  int count = 0;
  for (int i = 0; i < groups_.group_size(); ++i) {
    if (meeting.here[static_cast<size_t>(i)]) continue;
    missing += (count++ == 0 ? "" : ", ") + std::to_string(groups_.id(meeting.seat.group, i));
  }
  return options_.call + ": rank" + (count == 1 ? " " : "s ") + missing + " of group " +
         groups_.Text(meeting.seat.group) + " never arrived within " + SecondsText(options_.timeout) +
         "; the other ranks gave up waiting. Look for a device that failed or that runs another program; if it is only "
         "slow, set JAX_ONESHOT_TIMEOUT_S higher, or JAX_ONESHOT=0 to use XLA's own all-reduce";
}

// The watch wakes no more often than once per timeout while all goes well: a meeting that opens while it sleeps cannot
// be due before it wakes. It ends after a whole timeout in which nobody met.
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
    std::vector<std::pair<Meeting*, std::string>> late;
    {
      const std::shared_ptr<Rendezvous> self = weak.lock();
      if (self == nullptr || !self->WatchOnce(&wake, &late)) return;
      for (auto& [meeting, message] : late) self->FailAll(meeting, message);
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

bool Rendezvous::WatchOnce(TimePoint* wake, std::vector<std::pair<Meeting*, std::string>>* late) {
  std::lock_guard<std::mutex> lock(mutex_);
  const TimePoint now = std::chrono::steady_clock::now();
  *wake = now + options_.timeout;
  for (Meeting* meeting : std::vector<Meeting*>(open_)) {
    if (meeting->deadline > now) {
      *wake = std::min(*wake, meeting->deadline);
      continue;
    }
    late->emplace_back(meeting, LateMessage(*meeting));
    Remember(meeting->run_id, meeting->seat, late->back().second);
    Close(meeting);
  }
  watching_ = opened_since_watch_ || !open_.empty() || !late->empty();
  opened_since_watch_ = false;
  return watching_;
}

}  // namespace jax_oneshot
