// Functions that add each part of the project to the Python module.
#ifndef PYTHON_NATIVE_BINDINGS_H_
#define PYTHON_NATIVE_BINDINGS_H_

#include <nanobind/nanobind.h>

#include <string>

namespace jax_oneshot {

void BindPass(nanobind::module_& module);           // xla_pass/run_pass.h
void BindRowProgram(nanobind::module_& module);     // row_program
void BindHandlers(nanobind::module_& module);       // ffi_kernels/{cpu,cuda}/handler.h
void BindKernelBench(nanobind::module_& module);    // ffi_kernels/cuda/bench
void BindKernelCompile(nanobind::module_& module);  // ffi_kernels/cuda/kernel

// An error value of ours as the exception Python sees.
inline nanobind::builtin_exception ToValueError(const std::string& message) {
  return nanobind::value_error(message.c_str());
}

}  // namespace jax_oneshot

#endif  // PYTHON_NATIVE_BINDINGS_H_
