// SPDX-License-Identifier: Apache-2.0
// Loads a shared library by names and search folders, or returns an error that lists what was tried.
//
// We do not link against CUDA's libraries, so that one build serves machines with and without a GPU. They come from
// JAX's own wheels (site-packages/nvidia/*/lib), from a CUDA toolkit, or from the system loader's search path.
#ifndef FFI_KERNELS_CUDA_DRIVER_LIBRARY_H_
#define FFI_KERNELS_CUDA_DRIVER_LIBRARY_H_

#include <string>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::cuda {

struct LibraryQuery {
  std::string what;                  // "the CUDA driver", for messages
  std::vector<std::string> names;    // "libnvrtc.so.13", the best first
  std::vector<std::string> folders;  // searched first, in order; then the system loader
  std::string remedy;                // "install JAX with its CUDA libraries: ..."
};

class Library {
 public:
  static Result<Library> Open(const LibraryQuery& query);

  // The address of a function, or an error that names the library and the function.
  Result<void*> Symbol(const char* name) const;
  // The same, into a pointer of the function's type.
  template <typename Function>
  Result<void> LookUp(const char* name, Function* function) const {
    const Result<void*> address = Symbol(name);
    if (!address) return Err(address.error());
    *function = reinterpret_cast<Function>(*address);
    return {};
  }
  const std::string& path() const { return path_; }

 private:
  Library(void* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

  void* handle_;  // never closed: CUDA's libraries start threads and exit handlers that do not survive it
  std::string path_;
};

// Folders that hold CUDA's libraries: those in the environment variable ONESHOT_CUDA_LIBRARIES (separated by ':'), then
// site-packages/nvidia/*/lib beside the package that this code was loaded from, then the toolkit's usual folders.
std::vector<std::string> CudaLibraryFolders();

// Loads every library in the folder of `library_path` whose file name begins with `prefix`: for a library that opens
// others by bare name, which the loader then finds among the loaded ones.
void LoadNeighbours(const std::string& library_path, const std::string& prefix);

// `parent`/*/lib, sorted from the newest name to the oldest ("cu13" before "cu12").
std::vector<std::string> LibFoldersBelow(const std::string& parent);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_DRIVER_LIBRARY_H_
