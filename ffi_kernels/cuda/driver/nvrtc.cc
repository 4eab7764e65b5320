// SPDX-License-Identifier: Apache-2.0
// Implementation of nvrtc.h.
#include "ffi_kernels/cuda/driver/nvrtc.h"

#include <utility>

#include "ffi_kernels/cuda/driver/library.h"

namespace jax_oneshot::cuda {
namespace {

constexpr int kNvrtcSuccess = 0;

Result<Nvrtc> Load() {
  Result<Library> library = Library::Open({"NVRTC, CUDA's run-time compiler,",
                                           {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"},
                                           CudaLibraryFolders(),
                                           "Install JAX with its CUDA libraries (pip install \"jax[cuda13]\"), or name "
                                           "the folder of libnvrtc in ONESHOT_CUDA_LIBRARIES."});
  if (!library) return Err(library.error());
  LoadNeighbours(library->path(), "libnvrtc-builtins.so");
  Nvrtc nvrtc;
  nvrtc.path = library->path();
  const Result<void> found[] = {
#define ONESHOT_NVRTC_LOOK_UP(name, parameters) library->LookUp(#name, &nvrtc.name),
      ONESHOT_NVRTC_FUNCTIONS(ONESHOT_NVRTC_LOOK_UP)
#undef ONESHOT_NVRTC_LOOK_UP
          library->LookUp("nvrtcGetErrorString", &nvrtc.nvrtcGetErrorString)};
  for (const Result<void>& one : found) {
    if (!one) return Err(one.error());
  }
  return nvrtc;
}

// Destroys the program on every return path.
class ScopedProgram {
 public:
  explicit ScopedProgram(const Nvrtc& nvrtc) : nvrtc_(nvrtc) {}
  ScopedProgram(const ScopedProgram&) = delete;
  ScopedProgram& operator=(const ScopedProgram&) = delete;
  ~ScopedProgram() {
    if (program_ != nullptr) nvrtc_.nvrtcDestroyProgram(&program_);
  }
  NvrtcProgram* address() { return &program_; }
  NvrtcProgram get() const { return program_; }

 private:
  const Nvrtc& nvrtc_;
  NvrtcProgram program_ = nullptr;
};

// NVRTC's log size includes the terminating zero.
std::string LogOf(const Nvrtc& nvrtc, NvrtcProgram program) {
  size_t size = 0;
  if (nvrtc.nvrtcGetProgramLogSize(program, &size) != kNvrtcSuccess || size <= 1) return "";
  std::string log(size, '\0');
  if (nvrtc.nvrtcGetProgramLog(program, log.data()) != kNvrtcSuccess) return "";
  log.resize(size - 1);
  return log;
}

}  // namespace

std::string Nvrtc::VersionText() const {
  int major = 0;
  int minor = 0;
  if (nvrtcVersion == nullptr || nvrtcVersion(&major, &minor) != kNvrtcSuccess) return "unknown";
  return std::to_string(major) + "." + std::to_string(minor);
}

Result<Compilation> Nvrtc::Compile(const std::string& source, const std::string& arch,
                                   const std::vector<std::string>& options) const {
  const auto failed = [&](const char* call, int status, const std::string& log) {
    return Err(std::string(call) + " failed for " + arch + ": " + nvrtcGetErrorString(status) + "; NVRTC " +
               VersionText() + " from " + path + (log.empty() ? "" : "\n" + log));
  };
  ScopedProgram program(*this);
  int status = nvrtcCreateProgram(program.address(), source.c_str(), "oneshot_kernel.cu", 0, nullptr, nullptr);
  if (status != kNvrtcSuccess) return failed("nvrtcCreateProgram", status, "");
  const std::string arch_option = "--gpu-architecture=" + arch;
  std::vector<const char*> all = {arch_option.c_str()};
  for (const std::string& option : options) all.push_back(option.c_str());
  status = nvrtcCompileProgram(program.get(), static_cast<int>(all.size()), all.data());
  Compilation result;
  result.log = LogOf(*this, program.get());
  if (status != kNvrtcSuccess) return failed("nvrtcCompileProgram", status, result.log);
  size_t size = 0;
  status = nvrtcGetCUBINSize(program.get(), &size);
  if (status != kNvrtcSuccess) return failed("nvrtcGetCUBINSize", status, result.log);
  result.cubin.resize(size);
  status = nvrtcGetCUBIN(program.get(), result.cubin.data());
  if (status != kNvrtcSuccess) return failed("nvrtcGetCUBIN", status, result.log);
  return result;
}

const Result<Nvrtc>& LoadNvrtc() {
  static const Result<Nvrtc> nvrtc = Load();
  return nvrtc;
}

}  // namespace jax_oneshot::cuda
