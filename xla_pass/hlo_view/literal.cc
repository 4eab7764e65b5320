// SPDX-License-Identifier: Apache-2.0
// Implementation of literal.h.
//
// A LiteralProto has one field per element type: packed varints, packed fixed-width floats, or little-endian bytes. All
// three are converted to raw bits first.
#include "xla_pass/hlo_view/literal.h"

#include <cstring>
#include <string>

#include "base/float_types.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/shape.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

enum class Encoding : uint8_t { kVarints, kBytes };  // packed fixed-width floats are little-endian bytes too

struct Storage {
  PrimitiveType type;
  uint32_t field;
  Encoding encoding;
};

constexpr Storage kStorages[] = {
    {PrimitiveType::kPred, fields::literal::kPreds, Encoding::kVarints},
    {PrimitiveType::kS32, fields::literal::kS32s, Encoding::kVarints},
    {PrimitiveType::kS64, fields::literal::kS64s, Encoding::kVarints},
    {PrimitiveType::kU32, fields::literal::kU32s, Encoding::kVarints},
    {PrimitiveType::kU64, fields::literal::kU64s, Encoding::kVarints},
    {PrimitiveType::kS8, fields::literal::kS8s, Encoding::kBytes},
    {PrimitiveType::kS16, fields::literal::kS16s, Encoding::kBytes},
    {PrimitiveType::kU8, fields::literal::kU8s, Encoding::kBytes},
    {PrimitiveType::kU16, fields::literal::kU16s, Encoding::kBytes},
    {PrimitiveType::kF16, fields::literal::kF16s, Encoding::kBytes},
    {PrimitiveType::kBF16, fields::literal::kBf16s, Encoding::kBytes},
    {PrimitiveType::kF32, fields::literal::kF32s, Encoding::kBytes},
    {PrimitiveType::kF64, fields::literal::kF64s, Encoding::kBytes},
    {PrimitiveType::kF8E5M2, fields::literal::kF8e5m2s, Encoding::kBytes},
    {PrimitiveType::kF8E4M3FN, fields::literal::kF8e4m3fns, Encoding::kBytes},
};

struct RawLiteral {
  Shape shape;
  std::vector<int64_t> elements;  // raw bits; integers are sign-extended as in the proto
};

const Storage* FindStorage(PrimitiveType type) {
  for (const Storage& storage : kStorages) {
    if (storage.type == type) return &storage;
  }
  return nullptr;
}

int64_t LittleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return static_cast<int64_t>(value);
}

bool AppendElements(const wire::Field& field, const Storage& storage, std::vector<int64_t>* out) {
  if (storage.encoding == Encoding::kVarints) return wire::AppendIntegers(field, out);
  if (field.wire_type != wire::kLengthDelimited) {  // one unpacked float
    out->push_back(static_cast<int64_t>(field.integer));
    return true;
  }
  const size_t width = static_cast<size_t>(PrimitiveTypeBytes(storage.type));
  if (field.payload.size() % width != 0) return false;
  for (size_t at = 0; at < field.payload.size(); at += width) {
    out->push_back(LittleEndian(field.payload.substr(at, width)));
  }
  return true;
}

Result<Shape> LiteralShape(std::string_view literal) {
  wire::Reader reader(literal);
  wire::Field field;
  std::string_view shape;
  while (reader.Next(&field)) {
    if (field.number == fields::literal::kShape) shape = field.payload;
  }
  if (!reader.ok()) return Err("LiteralProto: " + reader.error());
  return ParseShape(shape);
}

Result<RawLiteral> DecodeRaw(std::string_view literal) {
  auto shape = LiteralShape(literal);
  if (!shape) return Err(std::move(shape.error()));
  const Storage* storage = FindStorage(shape->element_type);
  if (storage == nullptr) return Err("the value of a constant of type " + shape->ToString() + " is not readable here");
  RawLiteral raw;
  wire::Reader reader(literal);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == storage->field && !AppendElements(field, *storage, &raw.elements)) {
      return Err("malformed elements in a constant of type " + shape->ToString());
    }
  }
  if (static_cast<int64_t>(raw.elements.size()) != shape->ElementCount()) {
    return Err("a constant of type " + shape->ToString() + " holds " + std::to_string(raw.elements.size()) +
               " elements, expected " + std::to_string(shape->ElementCount()));
  }
  raw.shape = *std::move(shape);
  return raw;
}

template <typename To, typename From>
To BitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

int64_t ToInteger(PrimitiveType type, int64_t bits) {
  switch (type) {
    case PrimitiveType::kPred:
      return bits != 0;
    case PrimitiveType::kS8:
      return static_cast<int8_t>(bits);
    case PrimitiveType::kS16:
      return static_cast<int16_t>(bits);
    case PrimitiveType::kS32:
      return static_cast<int32_t>(bits);
    case PrimitiveType::kU32:
      return static_cast<uint32_t>(bits);
    default:
      return bits;
  }
}

double ToDouble(PrimitiveType type, int64_t bits) {
  switch (type) {
    case PrimitiveType::kF16:
      return F16ToF32(static_cast<uint16_t>(bits));
    case PrimitiveType::kBF16:
      return BF16ToF32(static_cast<uint16_t>(bits));
    case PrimitiveType::kF8E5M2:
      return F8E5M2ToF32(static_cast<uint8_t>(bits));
    case PrimitiveType::kF8E4M3FN:
      return F8E4M3FNToF32(static_cast<uint8_t>(bits));
    case PrimitiveType::kF32:
      return BitCast<float>(static_cast<uint32_t>(bits));
    case PrimitiveType::kF64:
      return BitCast<double>(bits);
    case PrimitiveType::kU64:
      return static_cast<double>(static_cast<uint64_t>(bits));
    default:
      return static_cast<double>(ToInteger(type, bits));
  }
}

bool IsInteger(PrimitiveType type) {
  return type >= PrimitiveType::kPred && type <= PrimitiveType::kU64;  // contiguous in the proto
}

}  // namespace

Result<double> DecodeSplatLiteral(std::string_view literal) {
  auto raw = DecodeRaw(literal);
  if (!raw) return Err(std::move(raw.error()));
  if (raw->elements.empty()) return Err("a constant of type " + raw->shape.ToString() + " has no elements");
  for (int64_t bits : raw->elements) {
    if (bits != raw->elements[0]) {
      return Err("the elements of a constant of type " + raw->shape.ToString() + " differ, expected one value");
    }
  }
  return ToDouble(raw->shape.element_type, raw->elements[0]);
}

Result<std::vector<int64_t>> DecodeIntegerLiteral(std::string_view literal) {
  auto raw = DecodeRaw(literal);
  if (!raw) return Err(std::move(raw.error()));
  if (!IsInteger(raw->shape.element_type)) {
    return Err("expected a constant of an integer type, got " + raw->shape.ToString());
  }
  for (int64_t& bits : raw->elements) bits = ToInteger(raw->shape.element_type, bits);
  return std::move(raw->elements);
}

}  // namespace jax_oneshot::hlo
