// A cache of files in a folder, keyed by content hashes and shared between processes.
//
// One file per key. It holds the whole key, so that no two keys are mistaken for one another, and a checksum: a file
// that was cut short, was altered or belongs to another key counts as absent. Files are written under a name of their
// own and renamed, so that a reader sees all of one or nothing.
#ifndef FFI_KERNELS_CUDA_KERNEL_DISK_CACHE_H_
#define FFI_KERNELS_CUDA_KERNEL_DISK_CACHE_H_

#include <optional>
#include <string>
#include <string_view>

namespace jax_oneshot::cuda {

class DiskCache {
 public:
  // Empty: keeps nothing. The folder is made with the first file.
  explicit DiskCache(std::string folder) : folder_(std::move(folder)) {}

  std::optional<std::string> Read(std::string_view key) const;
  // False if the disk does not take it; nothing is left behind then.
  bool Write(std::string_view key, std::string_view content) const;
  std::string PathOf(std::string_view key) const;

 private:
  const std::string folder_;
};

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_DISK_CACHE_H_
