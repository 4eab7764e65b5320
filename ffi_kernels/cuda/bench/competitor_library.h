// SPDX-License-Identifier: Apache-2.0
// Loads a competitor library (competitor.h), or says what is wrong with the file.
#ifndef FFI_KERNELS_CUDA_BENCH_COMPETITOR_LIBRARY_H_
#define FFI_KERNELS_CUDA_BENCH_COMPETITOR_LIBRARY_H_

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/competitor.h"

namespace jax_oneshot::cuda::bench {

// A kernel opened for one shape.
class OpenedCompetitor {
 public:
  OpenedCompetitor(JaxOneshotCompetitorLaunch launch, JaxOneshotCompetitorClose close, void* opened)
      : launch_(launch), opened_(opened, close) {}
  Result<void> Launch(int rank, void* stream, const JaxOneshotCompetitorBuffers& buffers) const;

 private:
  JaxOneshotCompetitorLaunch launch_;
  std::unique_ptr<void, JaxOneshotCompetitorClose> opened_;
};

class CompetitorLibrary {
 public:
  // The library stays loaded until the process ends.
  static Result<CompetitorLibrary> Load(const std::string& path);

  const std::vector<std::string>& names() const { return names_; }
  Result<OpenedCompetitor> Open(int which, const JaxOneshotCompetitorShape& shape) const;

 private:
  CompetitorLibrary() = default;

  std::vector<std::string> names_;
  JaxOneshotCompetitorOpen open_ = nullptr;
  JaxOneshotCompetitorLaunch launch_ = nullptr;
  JaxOneshotCompetitorClose close_ = nullptr;
};

}  // namespace jax_oneshot::cuda::bench

#endif  // FFI_KERNELS_CUDA_BENCH_COMPETITOR_LIBRARY_H_
