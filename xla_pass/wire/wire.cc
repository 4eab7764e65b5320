// SPDX-License-Identifier: Apache-2.0
// Implementation of wire.h.
#include "xla_pass/wire/wire.h"

#include <protozero/exception.hpp>
#include <protozero/varint.hpp>

namespace jax_oneshot::wire {
namespace {

uint64_t ReadLittleEndian(const char* data, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(data[i]);
  return value;
}

constexpr size_t kMaxVarint = protozero::max_varint_length;

void WriteVarint(uint64_t value, std::string* out) {
  char buffer[kMaxVarint];
  out->append(buffer, static_cast<size_t>(protozero::write_varint(buffer, value)));
}

// The tag, then the integer or length that follows it.
void WriteTagAnd(uint64_t value, uint32_t number, uint32_t wire_type, std::string* out) {
  char buffer[2 * kMaxVarint];
  char* end = buffer;
  end += protozero::write_varint(end, uint64_t{number} << 3 | wire_type);
  end += protozero::write_varint(end, value);
  out->append(buffer, static_cast<size_t>(end - buffer));
}

}  // namespace

// protozero throws on a malformed varint; this returns a null end instead.
Varint ReadLongVarint(const char* data, const char* end) {
  // Fast path for five bytes, the size of an instruction id whose upper half is the computation's id.
  if (end - data >= 5) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(data);
    const auto bits = [bytes](int i) { return uint64_t{bytes[i] & 0x7fu} << 7 * i; };
    if ((bytes[0] & bytes[1] & bytes[2] & bytes[3] & 0x80) != 0 && bytes[4] < 0x80) {
      return {bits(0) | bits(1) | bits(2) | bits(3) | bits(4), data + 5};
    }
  }
  try {
    const uint64_t result = protozero::decode_varint(&data, end);
    return {result, data};
  } catch (const protozero::exception&) {
    return {0, nullptr};
  }
}

bool Reader::Fail(const char* error) {
  error_ = error;
  end_ = next_;
  return false;
}

bool Reader::ReadFixed(const char* data, Field* field) {
  if (field->wire_type != kFixed64 && field->wire_type != kFixed32) return Fail("unknown wire type");
  const size_t size = field->wire_type == kFixed64 ? 8 : 4;
  if (static_cast<size_t>(end_ - data) < size) return Fail("a fixed-width value is cut off");
  field->payload = {};
  field->integer = ReadLittleEndian(data, size);
  return Give(data + size, field);
}

std::string Reader::error() const {
  if (ok()) return "";
  return std::string(error_) + " at byte " + std::to_string(next_ - begin_) + " of a message";
}

bool AppendIntegers(const Field& field, std::vector<int64_t>* out) {
  if (field.wire_type != kLengthDelimited) {
    if (field.wire_type == kVarint) out->push_back(static_cast<int64_t>(field.integer));
    return field.wire_type == kVarint;
  }
  const char* data = field.payload.data();
  const char* const end = data + field.payload.size();
  while (data != end) {
    const Varint value = ReadVarint(data, end);
    if (value.end == nullptr) return false;
    out->push_back(static_cast<int64_t>(value.value));
    data = value.end;
  }
  return true;
}

int64_t HeaderBytes(uint32_t number, size_t value_bytes) {
  return protozero::length_of_varint(static_cast<uint64_t>(number) << 3) + protozero::length_of_varint(value_bytes);
}

Writer& Writer::Integer(uint32_t number, int64_t value) {
  WriteTagAnd(static_cast<uint64_t>(value), number, kVarint, &out_);
  return *this;
}

Writer& Writer::Header(uint32_t number, int64_t value_bytes) {
  WriteTagAnd(static_cast<uint64_t>(value_bytes), number, kLengthDelimited, &out_);
  return *this;
}

Writer& Writer::Bytes(uint32_t number, std::string_view value) {
  Header(number, static_cast<int64_t>(value.size()));
  out_.append(value);
  return *this;
}

Writer& Writer::Packed(uint32_t number, const std::vector<int64_t>& values) {
  if (values.empty()) return *this;
  int64_t bytes = 0;
  for (int64_t value : values) bytes += protozero::length_of_varint(static_cast<uint64_t>(value));
  Header(number, bytes);
  for (int64_t value : values) WriteVarint(static_cast<uint64_t>(value), &out_);
  return *this;
}

Writer& Writer::Verbatim(std::string_view field_bytes) {
  out_.append(field_bytes);
  return *this;
}

}  // namespace jax_oneshot::wire
