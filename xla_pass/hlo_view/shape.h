// SPDX-License-Identifier: Apache-2.0
// Shape: element type, dimensions, layout, or a tuple of shapes, from a serialized ShapeProto.
#ifndef XLA_PASS_HLO_VIEW_SHAPE_H_
#define XLA_PASS_HLO_VIEW_SHAPE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::hlo {

// Values as in the proto.
enum class PrimitiveType : int32_t {
  kInvalid = 0,
  kPred = 1,
  kS8 = 2,
  kS16 = 3,
  kS32 = 4,
  kS64 = 5,
  kU8 = 6,
  kU16 = 7,
  kU32 = 8,
  kU64 = 9,
  kF16 = 10,
  kF32 = 11,
  kF64 = 12,
  kTuple = 13,
  kOpaque = 14,
  kC64 = 15,
  kBF16 = 16,
  kToken = 17,
  kC128 = 18,
  kF8E5M2 = 19,
  kF8E4M3FN = 20,
};

struct Shape {
  PrimitiveType element_type = PrimitiveType::kInvalid;
  std::vector<int64_t> dimensions;
  std::vector<int64_t> minor_to_major;  // empty if has_layout is false: any layout
  bool has_layout = false;
  bool is_plain = true;  // no dynamic dimension, no tiling, default memory space, default element size
  std::vector<Shape> tuple_shapes;
  std::string_view bytes;  // the whole ShapeProto

  bool IsTuple() const { return element_type == PrimitiveType::kTuple; }
  // Dense row-major, or without a layout; dimensions of size one are ignored.
  bool IsRowMajor() const;
  int64_t ElementCount() const;  // product of dimensions; saturates instead of overflowing
  std::string ToString() const;  // "bf16[8,4096]", "(f32[8], f32[8])"
};

Result<Shape> ParseShape(std::string_view bytes);
const char* PrimitiveTypeName(PrimitiveType type);  // "bf16"
int PrimitiveTypeBytes(PrimitiveType type);         // 0 for types without a fixed size in bytes

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_SHAPE_H_
