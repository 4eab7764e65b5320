// SPDX-License-Identifier: Apache-2.0
// C++ text of one row program statement, given the text of its operands.
//
//   x2: bf16 row = add x1, x0, operands "x1.At(e)" and "x0[e]" -> "Round<BF16>(x1.At(e) + x0[e])"
#ifndef FFI_KERNELS_CUDA_KERNEL_OP_CODE_H_
#define FFI_KERNELS_CUDA_KERNEL_OP_CODE_H_

#include <array>
#include <string>

#include "row_program/row_program.h"

namespace jax_oneshot::cuda {

// The element type in device/elements.cuh: "BF16".
const char* ElementType(DType dtype);

// "float", or "bool" for pred.
const char* ValueType(DType dtype);

// A number as a C++ literal: "0.5f"; FloatOfBits(0x7fc00000) if there is no literal; "true" for pred.
std::string Literal(DType dtype, float value);

// `expression` rounded to `dtype`.
std::string Rounded(DType dtype, const std::string& expression);

// The value of an elementwise statement, a conversion or a broadcast. `operand_dtype`: the type of operand 0.
std::string OpCode(const Statement& statement, DType operand_dtype, const std::array<std::string, 3>& operands);

}  // namespace jax_oneshot::cuda

#endif  // FFI_KERNELS_CUDA_KERNEL_OP_CODE_H_
