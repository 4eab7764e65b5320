// In:  Python's KernelBench(competitors=...), .device() and .measure(...). Out: the kernel benchmark's answers as
// dicts.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ffi_kernels/cuda/bench/kernel_bench.h"
#include "python/native/bindings.h"

namespace jax_oneshot {
namespace {

namespace nb = nanobind;
using cuda::bench::BenchDevice;
using cuda::bench::KernelBench;
using cuda::bench::Measurement;

template <typename T>
T OrThrow(Result<T> result) {
  if (!result) throw std::runtime_error(result.error());
  return *std::move(result);
}

class PyKernelBench {
 public:
  explicit PyKernelBench(const std::vector<std::string>& competitors)
      : bench_(OrThrow(KernelBench::Make(competitors))) {}

  nb::dict Device() const {
    const BenchDevice device = bench_->device();
    nb::dict out;
    out["gpu"] = device.gpu;
    out["driver"] = device.driver;
    out["nvrtc"] = device.nvrtc;
    out["arch"] = device.arch;
    out["multiprocessors"] = device.multiprocessors;
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

}  // namespace

void BindKernelBench(nb::module_& module) {
  nb::class_<PyKernelBench>(module, "KernelBench", "Several ranks on this machine's first GPU; see kernel_bench.h.")
      .def(nb::init<const std::vector<std::string>&>(), nb::arg("competitors"))
      .def("device", &PyKernelBench::Device, "What the device and its software are.")
      .def("measure", &PyKernelBench::Measure, nb::arg("ranks"), nb::arg("rows"), nb::arg("width"), nb::arg("links"),
           nb::arg("turns"),
           "Microseconds per call of every method, one value per turn; and what was skipped, and why.");
}

}  // namespace jax_oneshot
