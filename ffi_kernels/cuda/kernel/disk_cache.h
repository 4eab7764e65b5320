// SPDX-License-Identifier: Apache-2.0
// A cache of files in a folder, keyed by content hashes and shared between processes.
//
// One file per key. It holds the full key, so that no two keys are confused, and a checksum: a file that is truncated,
// modified or belongs to another key counts as absent. Files are written under a temporary name and renamed, so that a
// reader sees either the whole file or none.
#ifndef FFI_KERNELS_CUDA_KERNEL_DISK_CACHE_H_
#define FFI_KERNELS_CUDA_KERNEL_DISK_CACHE_H_

#include <optional>
#include <string>
#include <string_view>

namespace jax_oneshot::cuda {

class DiskCache {
 public:
  // Empty: keeps nothing. The folder is created with the first file.
  explicit DiskCache(std::string folder) : folder_(std::move(folder)) {}

  std::optional<std::string> Read(std::string_view key) const;
  // False if the file cannot be written; nothing is left behind then.
  bool Write(std::string_view key, std::string_view content) const;
  std::string PathOf(std::string_view key) const;

 private:
  const std::string folder_;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_DISK_CACHE_H_
