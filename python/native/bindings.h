// SPDX-License-Identifier: Apache-2.0
// Functions that add bindings for each part of the project to the Python module.
#ifndef PYTHON_NATIVE_BINDINGS_H_
#define PYTHON_NATIVE_BINDINGS_H_

#include <nanobind/nanobind.h>

#include <string>

namespace jax_oneshot {

void BindPass(nanobind::module_& module);           // xla_pass/run_pass.h
void BindRowProgram(nanobind::module_& module);     // row_program
void BindHandlers(nanobind::module_& module);       // ffi_kernels/cpu/handler.h, ffi_kernels/cuda/handler
void BindKernelCompile(nanobind::module_& module);  // ffi_kernels/cuda/kernel

// Converts an error message to Python's ValueError.
inline nanobind::builtin_exception ToValueError(const std::string& message) {
  return nanobind::value_error(message.c_str());
}

}  // namespace jax_oneshot

#endif  // PYTHON_NATIVE_BINDINGS_H_
