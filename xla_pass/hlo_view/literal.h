// SPDX-License-Identifier: Apache-2.0
// Reads a serialized LiteralProto (the value of a constant) as a double or as integers.
#ifndef XLA_PASS_HLO_VIEW_LITERAL_H_
#define XLA_PASS_HLO_VIEW_LITERAL_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::hlo {

// The value of a scalar, or of an array whose elements are bitwise equal, of a floating-point, integer or pred type.
// 64-bit integers beyond 2^53 are rounded.
Result<double> DecodeSplatLiteral(std::string_view literal);

// All elements of an array of an integer or pred type, row-major. u64 beyond 2^63 wraps.
Result<std::vector<int64_t>> DecodeIntegerLiteral(std::string_view literal);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_LITERAL_H_
