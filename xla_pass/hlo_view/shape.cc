// SPDX-License-Identifier: Apache-2.0
// Implementation of shape.h.
#include "xla_pass/hlo_view/shape.h"

#include <algorithm>
#include <array>
#include <limits>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Field;
using wire::Reader;

constexpr int kMaxTupleDepth = 32;
constexpr size_t kMaxRank = 64;

struct TypeInfo {
  const char* name;
  int bytes;  // 0: no fixed size in whole bytes
};

// Indexed by the proto's enum values.
constexpr std::array<TypeInfo, 37> kTypes = {{
    {"invalid", 0},    {"pred", 1},       {"s8", 1},       {"s16", 2},       {"s32", 4},    {"s64", 8},
    {"u8", 1},         {"u16", 2},        {"u32", 4},      {"u64", 8},       {"f16", 2},    {"f32", 4},
    {"f64", 8},        {"tuple", 0},      {"opaque", 0},   {"c64", 8},       {"bf16", 2},   {"token", 0},
    {"c128", 16},      {"f8e5m2", 1},     {"f8e4m3fn", 1}, {"s4", 0},        {"u4", 0},     {"f8e4m3b11fnuz", 1},
    {"f8e5m2fnuz", 1}, {"f8e4m3fnuz", 1}, {"s2", 0},       {"u2", 0},        {"f8e4m3", 1}, {"f8e3m4", 1},
    {"s1", 0},         {"u1", 0},         {"f4e2m1fn", 0}, {"f8e8m0fnu", 1}, {"buffer", 0}, {"f6e3m2fn", 0},
    {"f6e2m3fn", 0},
}};

TypeInfo InfoOf(PrimitiveType type) {
  const auto value = static_cast<uint32_t>(type);
  return value < kTypes.size() ? kTypes[value] : TypeInfo{"unknown", 0};
}

bool AnyNonZero(const Field& field) {
  std::vector<int64_t> values;
  if (!wire::AppendIntegers(field, &values)) return true;
  return std::any_of(values.begin(), values.end(), [](int64_t value) { return value != 0; });
}

// True if the field keeps the layout as row-wise code expects it: dense, untiled, in default memory.
bool IsPlainLayoutField(const Field& field, PrimitiveType type) {
  namespace layout = fields::layout;
  switch (field.number) {
    case layout::kTiles:
    case layout::kPhysicalShape:
    case layout::kSplitConfigs:
      return false;
    case layout::kElementSizeInBits:
      return field.integer == 0 || field.integer == 8u * static_cast<uint64_t>(PrimitiveTypeBytes(type));
    case layout::kMemorySpace:
    case layout::kDynamicShapeMetadataPrefixBytes:
      return field.integer == 0;
    case layout::kTailPaddingAlignmentInElements:
      return field.integer <= 1;
    case layout::kDimLevelTypes:
      return !AnyNonZero(field);  // 0 is dense
    default:
      return true;
  }
}

bool IsPermutation(const std::vector<int64_t>& order) {
  uint64_t seen = 0;  // kMaxRank bits
  for (int64_t dimension : order) {
    if (dimension < 0 || dimension >= static_cast<int64_t>(order.size())) return false;
    seen |= uint64_t{1} << dimension;
  }
  return order.empty() || seen == ~uint64_t{0} >> (kMaxRank - order.size());
}

Result<void> ParseLayout(std::string_view bytes, Shape* shape) {
  shape->has_layout = true;
  Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) {
    if (field.number == fields::layout::kMinorToMajor) {
      if (!wire::AppendIntegers(field, &shape->minor_to_major)) return Err("malformed minor_to_major in a LayoutProto");
    } else if (!IsPlainLayoutField(field, shape->element_type)) {
      shape->is_plain = false;
    }
  }
  if (!reader.ok()) return Err("LayoutProto: " + reader.error());
  return {};
}

Result<void> CheckShape(Shape* shape) {
  const size_t rank = shape->dimensions.size();
  if (rank > kMaxRank) {
    return Err("a shape has " + std::to_string(rank) + " dimensions, expected at most " + std::to_string(kMaxRank));
  }
  for (int64_t dimension : shape->dimensions) shape->is_plain &= dimension >= 0;
  if (!shape->has_layout) return {};
  if (shape->minor_to_major.size() != rank || !IsPermutation(shape->minor_to_major)) {
    return Err("the layout of " + shape->ToString() + " is no permutation of its dimensions");
  }
  return {};
}

Result<Shape> ParseShapeAtDepth(std::string_view bytes, int depth);

Result<void> ParseTupleShape(const Field& field, int depth, Shape* shape) {
  if (depth == kMaxTupleDepth) return Err("a tuple shape is nested over " + std::to_string(kMaxTupleDepth) + " deep");
  auto element = ParseShapeAtDepth(field.payload, depth + 1);
  if (!element) return Err(std::move(element.error()));
  shape->is_plain &= element->is_plain;
  shape->tuple_shapes.push_back(*std::move(element));
  return {};
}

Result<void> ParseShapeField(const Field& field, int depth, Shape* shape, std::string_view* layout) {
  switch (field.number) {
    case fields::shape::kElementType:
      shape->element_type = static_cast<PrimitiveType>(field.integer);
      return {};
    case fields::shape::kDimensions:
      if (!wire::AppendIntegers(field, &shape->dimensions)) return Err("malformed dimensions in a ShapeProto");
      return {};
    case fields::shape::kTupleShapes:
      return ParseTupleShape(field, depth, shape);
    case fields::shape::kLayout:
      *layout = field.bytes;
      return {};
    case fields::shape::kIsDynamicDimension:
      shape->is_plain &= !AnyNonZero(field);
      return {};
    default:
      return {};
  }
}

Result<Shape> ParseShapeAtDepth(std::string_view bytes, int depth) {
  Shape shape;
  shape.bytes = bytes;
  Reader reader(bytes);
  Field field;
  std::string_view layout;  // parsed last: is_plain depends on the element type
  while (reader.Next(&field)) {
    if (auto parsed = ParseShapeField(field, depth, &shape, &layout); !parsed) return Err(std::move(parsed.error()));
  }
  if (!reader.ok()) return Err("ShapeProto: " + reader.error());
  if (!layout.empty()) {
    Reader layout_reader(layout);
    layout_reader.Next(&field);
    if (auto parsed = ParseLayout(field.payload, &shape); !parsed) return Err(std::move(parsed.error()));
  }
  if (auto checked = CheckShape(&shape); !checked) return Err(std::move(checked.error()));
  return shape;
}

std::string Join(const std::vector<std::string>& parts, const char* separator) {
  std::string joined;
  for (size_t i = 0; i < parts.size(); ++i) joined += (i == 0 ? "" : separator) + parts[i];
  return joined;
}

}  // namespace

bool Shape::IsRowMajor() const {
  if (!tuple_shapes.empty()) {
    return std::all_of(tuple_shapes.begin(), tuple_shapes.end(), [](const Shape& s) { return s.IsRowMajor(); });
  }
  if (!is_plain) return false;
  int64_t last = std::numeric_limits<int64_t>::max();
  for (int64_t dimension : minor_to_major) {
    if (dimensions[dimension] == 1) continue;
    if (dimension > last) return false;
    last = dimension;
  }
  return true;
}

int64_t Shape::ElementCount() const {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t count = 1;
  bool saturated = false;
  for (int64_t dimension : dimensions) {
    if (dimension == 0) return 0;
    saturated |= dimension < 0 || __builtin_mul_overflow(count, dimension, &count);
  }
  return saturated ? kMax : count;
}

std::string Shape::ToString() const {
  std::vector<std::string> parts;
  if (IsTuple()) {
    for (const Shape& element : tuple_shapes) parts.push_back(element.ToString());
    return "(" + Join(parts, ", ") + ")";
  }
  for (int64_t dimension : dimensions) parts.push_back(std::to_string(dimension));
  return std::string(PrimitiveTypeName(element_type)) + "[" + Join(parts, ",") + "]";
}

Result<Shape> ParseShape(std::string_view bytes) { return ParseShapeAtDepth(bytes, 0); }

const char* PrimitiveTypeName(PrimitiveType type) { return InfoOf(type).name; }

int PrimitiveTypeBytes(PrimitiveType type) { return InfoOf(type).bytes; }

}  // namespace jax_oneshot::hlo
