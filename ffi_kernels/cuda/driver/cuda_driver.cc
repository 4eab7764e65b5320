// SPDX-License-Identifier: Apache-2.0
// Implementation of cuda_driver.h.
#include "ffi_kernels/cuda/driver/cuda_driver.h"

#include <string_view>

#include "ffi_kernels/cuda/driver/library.h"

namespace jax_oneshot::cuda {
namespace {

Result<void> LookUpAll(const Library& library, CudaDriver* driver) {
  const Result<void> found[] = {
#define ONESHOT_CUDA_LOOK_UP(name, parameters) library.LookUp(#name, &driver->name),
      ONESHOT_CUDA_FUNCTIONS(ONESHOT_CUDA_LOOK_UP)
#undef ONESHOT_CUDA_LOOK_UP
  };
  for (const Result<void>& one : found) {
    if (!one) return Err(one.error() + "; update NVIDIA's driver");
  }
  return {};
}

Result<CudaDriver> Load() {
  Result<Library> library = Library::Open(
      {"the CUDA driver", {"libcuda.so.1", "libcuda.so"}, {}, "It comes with NVIDIA's kernel driver, not with pip."});
  if (!library) return Err(library.error());
  CudaDriver driver;
  if (Result<void> found = LookUpAll(*library, &driver); !found) return Err(found.error());
  ONESHOT_CUDA_RETURN_IF_ERROR(driver, cuInit(0));
  return driver;
}

// "cuMemFree_v2(pointer)" -> "cuMemFree_v2"
std::string_view NameOfCall(std::string_view call) { return call.substr(0, call.find('(')); }

}  // namespace

std::string CudaDriver::VersionText() const {
  int version = 0;
  if (cuDriverGetVersion == nullptr || cuDriverGetVersion(&version) != kSuccess) return "unknown";
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Result<void> CudaDriver::Check(const char* call, Status status) const {
  if (status == kSuccess) return {};
  const char* name = nullptr;
  const char* text = nullptr;
  if (cuGetErrorName == nullptr || cuGetErrorName(status, &name) != kSuccess) name = nullptr;
  if (cuGetErrorString == nullptr || cuGetErrorString(status, &text) != kSuccess) text = nullptr;
  return Err(std::string(NameOfCall(call)) +
             " failed: " + (name == nullptr ? "error " + std::to_string(status) : name) +
             (text == nullptr ? "" : std::string(" (") + text + ")") + "; CUDA driver " + VersionText());
}

const Result<CudaDriver>& LoadCudaDriver() {
  static const Result<CudaDriver> driver = Load();
  return driver;
}

}  // namespace jax_oneshot::cuda
