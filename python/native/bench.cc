// SPDX-License-Identifier: Apache-2.0
// The module jax_oneshot._bench, the kernel benchmark: KernelBench(competitors=..., gpus=..., nccl=...), .device(),
// .measure(...). A module of its own, because programs that only run the pass do not need it. _bench.pyi documents it.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ffi_kernels/cuda/bench/kernel_bench.h"

namespace jax_oneshot {
namespace {

namespace nb = nanobind;
using cuda::bench::BenchDevice;
using cuda::bench::KernelBench;
using cuda::bench::Measurement;
using cuda::bench::Placement;

template <typename T>
T OrThrow(Result<T> result) {
  if (!result) throw std::runtime_error(result.error());
  return *std::move(result);
}

Placement PlacementOf(const std::string& gpus) {
  if (gpus != "one" && gpus != "each") throw std::runtime_error("gpus: expected \"one\" or \"each\", got " + gpus);
  return gpus == "each" ? Placement::kGpuEach : Placement::kOneGpu;
}

class PyKernelBench {
 public:
  PyKernelBench(const std::vector<std::string>& competitors, const std::string& gpus, bool nccl,
                const std::vector<std::string>& methods)
      : bench_(OrThrow(KernelBench::Make({competitors, PlacementOf(gpus), nccl, {methods.begin(), methods.end()}}))) {}

  nb::dict Device() const {
    const BenchDevice device = bench_->device();
    nb::dict out;
    out["gpu"] = device.gpu;
    out["driver"] = device.driver;
    out["nvrtc"] = device.nvrtc;
    out["arch"] = device.arch;
    out["multiprocessors"] = device.multiprocessors;
    out["nccl"] = device.nccl;
    out["gpus"] = device.gpus;
    out["most_ranks"] = device.most_ranks;
    return out;
  }

  nb::dict Measure(int ranks, int rows, int width, int links, int turns) {
    const Measurement measured = OrThrow(bench_->Measure({ranks, rows, width}, links, turns));
    nb::dict out;
    out["us"] = measured.us;
    out["public_us"] = measured.public_us;
    out["skipped"] = measured.skipped;
    return out;
  }

 private:
  std::unique_ptr<KernelBench> bench_;
};

void BindKernelBench(nb::module_& module) {
  nb::class_<PyKernelBench>(module, "KernelBench",
                            "Several ranks on this machine's first GPU, or on a GPU each; see kernel_bench.h.")
      .def(nb::init<const std::vector<std::string>&, const std::string&, bool, const std::vector<std::string>&>(),
           nb::arg("competitors"), nb::arg("gpus"), nb::arg("nccl"), nb::arg("methods"))
      .def("device", &PyKernelBench::Device, "What the device and its software are.")
      .def("measure", &PyKernelBench::Measure, nb::arg("ranks"), nb::arg("rows"), nb::arg("width"), nb::arg("links"),
           nb::arg("turns"),
           "Microseconds per call of every method, one value per turn; and what was skipped, and why.");
}

}  // namespace
}  // namespace jax_oneshot

NB_MODULE(_bench, module) {
  module.doc() = "The benchmark of the CUDA kernels of jax_oneshot.";
  jax_oneshot::BindKernelBench(module);
}
