// SPDX-License-Identifier: Apache-2.0
// The module jax_oneshot._native; _native.pyi documents it.
#include <nanobind/nanobind.h>

#include "python/native/bindings.h"

NB_MODULE(_native, module) {
  module.doc() = "The pass, the row program and the FFI handlers of jax_oneshot.";
  jax_oneshot::BindPass(module);
  jax_oneshot::BindRowProgram(module);
  jax_oneshot::BindHandlers(module);
  jax_oneshot::BindKernelCompile(module);
}
