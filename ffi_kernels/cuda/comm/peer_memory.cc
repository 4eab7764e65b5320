// SPDX-License-Identifier: Apache-2.0
// Implementation of peer_memory.h.
#include "ffi_kernels/cuda/comm/peer_memory.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string_view>
#include <vector>

namespace jax_oneshot::cuda {
namespace {

constexpr char kTurnOff[] =
    "Set JAX_ONESHOT=0 to run this program with XLA's own all-reduce, or JAX_ONESHOT_MODULES to name the modules whose "
    "groups do not leave one host";
constexpr uint32_t kLayout = 1;  // version of Record: ranks with different builds of this library must not continue

template <size_t N>
void Put(std::string_view text, char (&field)[N]) {
  std::memset(field, 0, N);
  std::memcpy(field, text.data(), std::min(text.size(), N - 1));
}

// What a rank tells the others; fixed size, because all messages of an all-gather have the same length.
struct Record {
  uint32_t layout;
  int32_t device;
  DevicePointer address;
  IpcMemHandle handle;
  char can_export;  // 0: reachable only within the process
  char has_windows;
  char host[48];
  char process[48];
  char bus_id[32];
  char kind[64];
  char problem[512];  // empty if there is none
};

std::string_view Bytes(const Record& record) { return {reinterpret_cast<const char*>(&record), sizeof(record)}; }

std::string Random128() {
  std::random_device random;
  std::string text;
  for (int i = 0; i < 4; ++i) text += std::to_string(random()) + "-";
  return text.substr(0, sizeof(Record::process) - 1);
}

std::string HostName() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (std::getline(file, id) && !id.empty()) return id;
  char name[256] = {};
  gethostname(name, sizeof(name) - 1);
  return name;
}

class Sharing {
 public:
  Sharing(Communicator* communicator, PeerDevice* device, const Whereabouts& here, const WorkspaceRequest& request)
      : communicator_(*communicator), device_(*device), here_(here), request_(request) {}

  Result<PeerMemory> Run() {
    Result<void> introduced = Introduce();
    if (!introduced) return Err(introduced.error());
    memory_.workspaces.assign(records_.size(), 0);
    const std::string unreachable = MapPeers();
    Result<std::string> problems = GatherProblems(unreachable);
    if (!problems) return Err(problems.error());
    if (problems->empty()) return Done();
    return RunWindow(*problems);
  }

 private:
  Result<PeerMemory> Done() {
    memory_.rank = communicator_.rank();
    memory_.size = communicator_.size();
    memory_.ranks_on_device = RanksOnDevice();
    return memory_;
  }

  int RanksOnDevice() const {
    std::map<std::string, int> ranks;
    int most = 0;
    for (const Record& record : records_) most = std::max(most, ++ranks[std::string(record.host) + record.bus_id]);
    return most;
  }

  // Round 1: exchanges the records of all ranks, whose workspaces are initialised by then.
  Result<void> Introduce() {
    Record mine = {};
    mine.layout = kLayout;
    mine.device = device_.ordinal();
    mine.has_windows = communicator_.has_windows() ? 1 : 0;
    Put(here_.host, mine.host);
    Put(here_.process, mine.process);
    if (Result<void> made = MakeOwn(&mine); !made) Put(made.error(), mine.problem);
    Result<std::vector<std::string>> all = communicator_.AllGather(Bytes(mine));
    if (!all) return Err(all.error());
    for (const std::string& bytes : *all) {
      records_.emplace_back();
      std::memcpy(&records_.back(), bytes.data(), std::min(bytes.size(), sizeof(Record)));
    }
    return CheckRecords();
  }

  Result<void> MakeOwn(Record* mine) {
    Result<DeviceIdentity> identity = device_.Identify();
    if (!identity) return Err(identity.error());
    Put(identity->bus_id, mine->bus_id);
    Put(identity->kind, mine->kind);
    Result<DevicePointer> own = device_.Allocate(request_.bytes);
    if (!own) return Err("cannot have a workspace of " + std::to_string(request_.bytes) + " bytes: " + own.error());
    mine->address = own_ = *own;
    if (Result<void> ready = request_.initialise(own_); !ready) return ready;
    if (Result<IpcMemHandle> handle = device_.Export(own_); handle) {
      mine->handle = *handle;
      mine->can_export = 1;
    }
    return {};
  }

  Result<void> CheckRecords() {
    std::string problems;
    for (size_t rank = 0; rank < records_.size(); ++rank) {
      Record& record = records_[rank];
      record.problem[sizeof(record.problem) - 1] = 0;
      if (record.layout != kLayout) {
        Put("it runs another version of jax-oneshot", record.problem);
      } else if (record.problem[0] == 0 && std::strcmp(record.kind, records_[0].kind) != 0) {
        Put(std::string("its GPU is another than rank 0's: ") + record.kind + " instead of " + records_[0].kind,
            record.problem);
      }
      if (record.problem[0] != 0) problems += "\n  rank " + std::to_string(rank) + ": " + record.problem;
    }
    if (problems.empty()) return {};
    if (own_ != 0) device_.Free(own_);  // every rank sees the same problems, so no rank has mapped anything
    return Err("the ranks could not set up what they share:" + problems);
  }

  // Empty, or why this rank cannot reach some of the others.
  std::string MapPeers() {
    std::string problems;
    for (size_t rank = 0; rank < records_.size(); ++rank) {
      Result<DevicePointer> mapped = MapPeer(static_cast<int>(rank));
      if (mapped) {
        memory_.workspaces[rank] = *mapped;
      } else {
        problems += (problems.empty() ? "" : "; ") + ("rank " + std::to_string(rank) + ": ") + mapped.error();
      }
    }
    return problems;
  }

  Result<DevicePointer> MapPeer(int rank) {
    const Record& peer = records_[static_cast<size_t>(rank)];
    if (rank == communicator_.rank()) return own_;
    if (here_.process == peer.process) {
      if (peer.device == device_.ordinal()) return peer.address;
      const Result<void> enabled = device_.EnablePeer(peer.device);
      if (!enabled) return Err("no peer access to device " + std::to_string(peer.device) + ": " + enabled.error());
      return peer.address;
    }
    if (here_.host != peer.host) return Err("it is on another host");
    if (peer.can_export == 0) return Err("its memory cannot be exported to other processes");
    return device_.Import(peer.handle);
  }

  // Round 2: the problems of all ranks, one line per rank; empty if there are none.
  Result<std::string> GatherProblems(const std::string& mine) {
    std::string padded = mine;
    padded.resize(sizeof(Record::problem));
    Result<std::vector<std::string>> all = communicator_.AllGather(padded);
    if (!all) return Err(all.error());
    std::string problems;
    for (size_t rank = 0; rank < all->size(); ++rank) {
      const std::string text = (*all)[rank].c_str();
      if (!text.empty()) problems += "\n  rank " + std::to_string(rank) + " cannot reach " + text;
    }
    return problems;
  }

  // Fallback if addresses and IPC are not enough. `why` is the same on all ranks, and so is the decision.
  Result<PeerMemory> RunWindow(const std::string& why) {
    const bool everybody =
        std::all_of(records_.begin(), records_.end(), [](const Record& record) { return record.has_windows != 0; });
    if (!everybody) {
      return Err("the ranks of this group cannot write to each other's memory:" + why +
                 "\nand this NCCL has no symmetric windows (2.29 and newer have). " + kTurnOff);
    }
    const std::string problem = MapWindow();
    Result<std::string> problems = GatherProblems(problem);
    if (!problems) return Err(problems.error());
    if (problems->empty()) return Done();
    return Err("the ranks of this group cannot write to each other's memory:" + why +
               "\nnor through NCCL's symmetric window:" + *problems + "\n" + kTurnOff);
  }

  std::string MapWindow() {
    Result<Window> window = communicator_.MakeWindow(request_.bytes);
    if (!window) return "its own window: " + window.error();
    if (Result<void> ready = request_.initialise(window->own); !ready) return "its own window: " + ready.error();
    std::string problem;
    for (size_t rank = 0; rank < window->workspaces.size(); ++rank) {
      if (window->workspaces[rank] == 0) problem += (problem.empty() ? "rank " : ", rank ") + std::to_string(rank);
    }
    memory_.workspaces = window->workspaces;
    memory_.multicast = window->multicast;
    return problem;
  }

  Communicator& communicator_;
  PeerDevice& device_;
  const Whereabouts& here_;
  const WorkspaceRequest& request_;
  DevicePointer own_ = 0;
  std::vector<Record> records_;  // by rank
  PeerMemory memory_;
};

}  // namespace

const Whereabouts& OwnWhereabouts() {
  static const Whereabouts here = {HostName(), Random128()};
  return here;
}

Result<PeerMemory> SharePeerMemory(Communicator* communicator, PeerDevice* device, const Whereabouts& here,
                                   const WorkspaceRequest& request) {
  return Sharing(communicator, device, here, request).Run();
}

}  // namespace jax_oneshot::cuda
