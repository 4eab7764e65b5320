// SPDX-License-Identifier: Apache-2.0
// Implementation of competitor_library.h.
#include "ffi_kernels/cuda/bench/competitor_library.h"

#include <dlfcn.h>

#include <array>

namespace jax_oneshot::cuda::bench {
namespace {

template <typename F>
Result<void> LookUp(void* library, const std::string& path, const char* name, F* out) {
  *out = reinterpret_cast<F>(dlsym(library, name));
  if (*out != nullptr) return {};
  return Err(path + " lacks the function " + name + "; a competitor library exports the five of competitor.h");
}

}  // namespace

Result<void> OpenedCompetitor::Launch(int rank, void* stream, const JaxOneshotCompetitorBuffers& buffers) const {
  const int status = launch_(opened_.get(), rank, stream, &buffers);
  if (status == 0) return {};
  return Err("its launch on rank " + std::to_string(rank) + " failed with CUDA runtime error " +
             std::to_string(status));
}

Result<CompetitorLibrary> CompetitorLibrary::Load(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return Err("the competitor library does not load: " + std::string(dlerror()));
  CompetitorLibrary out;
  JaxOneshotCompetitorCount count = nullptr;
  JaxOneshotCompetitorName name = nullptr;
  for (const Result<void>& found :
       {LookUp(library, path, kCompetitorCount, &count), LookUp(library, path, kCompetitorName, &name),
        LookUp(library, path, kCompetitorOpen, &out.open_), LookUp(library, path, kCompetitorLaunch, &out.launch_),
        LookUp(library, path, kCompetitorClose, &out.close_)}) {
    if (!found) return Err(found.error());
  }
  for (int i = 0; i < count(); ++i) out.names_.emplace_back(name(i));
  return out;
}

Result<OpenedCompetitor> CompetitorLibrary::Open(int which, const JaxOneshotCompetitorShape& shape) const {
  std::array<char, 512> why = {};
  void* const opened = open_(which, &shape, why.data(), why.size());
  if (opened == nullptr) return Err(why.data());
  return OpenedCompetitor(launch_, close_, opened);
}

}  // namespace jax_oneshot::cuda::bench
