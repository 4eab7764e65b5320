// SPDX-License-Identifier: Apache-2.0
// Compiles CUDA C++ source for one architecture with NVRTC; returns machine code or the compiler's log.
//
// NVRTC needs neither a GPU nor a CUDA toolkit; JAX's CUDA plug-in brings the library. The declarations follow its
// documented C interface (NVRTC manual, "User Interface").
#ifndef FFI_KERNELS_CUDA_DRIVER_NVRTC_H_
#define FFI_KERNELS_CUDA_DRIVER_NVRTC_H_

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::cuda {

struct Compilation {
  std::string cubin;
  std::string log;  // warnings; with --ptxas-options=-v, the registers and spills of each kernel
};

using NvrtcProgram = struct NvrtcProgramTag*;

#define ONESHOT_NVRTC_FUNCTIONS(X)                                                                       \
  X(nvrtcVersion, (int* major, int* minor))                                                              \
  X(nvrtcCreateProgram, (NvrtcProgram * program, const char* source, const char* name, int header_count, \
                         const char* const* headers, const char* const* header_names))                   \
  X(nvrtcDestroyProgram, (NvrtcProgram * program))                                                       \
  X(nvrtcCompileProgram, (NvrtcProgram program, int option_count, const char* const* options))           \
  X(nvrtcGetProgramLogSize, (NvrtcProgram program, size_t * size))                                       \
  X(nvrtcGetProgramLog, (NvrtcProgram program, char* log))                                               \
  X(nvrtcGetCUBINSize, (NvrtcProgram program, size_t * size))                                            \
  X(nvrtcGetCUBIN, (NvrtcProgram program, char* cubin))

// Plain function pointers, so that tests can substitute their own functions.
struct Nvrtc {
// A name and a parameter list stand alone: NOLINTNEXTLINE(bugprone-macro-parentheses)
#define ONESHOT_NVRTC_MEMBER(name, parameters) int(*name) parameters = nullptr;
  ONESHOT_NVRTC_FUNCTIONS(ONESHOT_NVRTC_MEMBER)
#undef ONESHOT_NVRTC_MEMBER
  const char* (*nvrtcGetErrorString)(int status) = nullptr;
  std::string path;  // where the library was found

  std::string VersionText() const;  // "13.0", or "unknown"

  // `arch`: "sm_90". An error holds the log, the version and the path of the library.
  Result<Compilation> Compile(const std::string& source, const std::string& arch,
                              const std::vector<std::string>& options) const;
};

// Loads libnvrtc from CudaLibraryFolders(), once per process; the table never changes afterwards.
const Result<Nvrtc>& LoadNvrtc();

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_DRIVER_NVRTC_H_
