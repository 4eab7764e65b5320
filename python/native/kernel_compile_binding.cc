// SPDX-License-Identifier: Apache-2.0
// Binds compile_cuda_kernel(program, rows, ...): the compiler's log with registers and spills; no GPU needed.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <string>

#include "ffi_kernels/cuda/driver/nvrtc.h"
#include "ffi_kernels/cuda/kernel/generate_kernel.h"
#include "ffi_kernels/cuda/kernel/launch_plan.h"
#include "python/native/bindings.h"
#include "row_program/text.h"

namespace jax_oneshot {
namespace {

namespace nb = nanobind;

// Those of sm_80, sm_90 and sm_100.
constexpr int kThreadsPerMultiprocessor = 2048;
constexpr int kRegistersPerMultiprocessor = 65536;

std::string CompileCudaKernel(const std::string& text, int64_t rows, int64_t width, int ranks, int compute_capability,
                              int multiprocessors) {
  const Result<RowProgram> program = ParseRowProgram(text);
  if (!program) throw ToValueError(program.error());
  const cuda::DeviceFacts device = {compute_capability, multiprocessors, kThreadsPerMultiprocessor,
                                    kRegistersPerMultiprocessor};
  const Result<cuda::LaunchPlan> plan = cuda::PlanLaunch(*program, rows, width, ranks, device);
  if (!plan) throw ToValueError(plan.error());
  const Result<cuda::Nvrtc>& nvrtc = cuda::LoadNvrtc();
  if (!nvrtc) throw ToValueError(nvrtc.error());
  nb::gil_scoped_release unlocked;
  const Result<cuda::Compilation> compiled = nvrtc->Compile(
      cuda::GenerateKernel(*program, *plan), "sm_" + std::to_string(compute_capability), cuda::CompilerOptions());
  nb::gil_scoped_acquire locked;
  if (!compiled) throw ToValueError(compiled.error());
  return compiled->log;
}

}  // namespace

void BindKernelCompile(nb::module_& module) {
  module.def("compile_cuda_kernel", &CompileCudaKernel, nb::arg("program"), nb::arg("rows"), nb::arg("width"),
             nb::arg("ranks"), nb::arg("compute_capability"), nb::arg("multiprocessors"),
             "The compiler's log of the kernel for one call, by NVRTC; needs no GPU.");
}

}  // namespace jax_oneshot
