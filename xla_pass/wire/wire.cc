// In:  bytes in protobuf wire format. Out: fields one by one; and messages built field by field. See wire.h.
#include "xla_pass/wire/wire.h"

#include <iterator>
#include <limits>
#include <protozero/exception.hpp>
#include <protozero/varint.hpp>

namespace jax_oneshot::wire {
namespace {

// protozero reports a bad varint by throwing; here it is a value. Moves *data behind the varint.
inline bool ReadVarint(const char** data, const char* end, uint64_t* value) {
  // Nearly all are of one or two bytes (tags, lengths) or of five (ids: a computation's in the upper half).
  uint64_t result = 0;
  const char* next = *data;
  for (int shift = 0; next != end && shift < 35; shift += 7) {
    const auto byte = static_cast<unsigned char>(*next++);
    result |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) {
      *value = result;
      *data = next;
      return true;
    }
  }
  try {
    *value = protozero::decode_varint(data, end);
    return true;
  } catch (const protozero::exception&) {
    return false;
  }
}

uint64_t ReadLittleEndian(const char* data, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(data[i]);
  return value;
}

void WriteVarint(uint64_t value, std::string* out) { protozero::write_varint(std::back_inserter(*out), value); }

void WriteTag(uint32_t number, uint32_t wire_type, std::string* out) {
  WriteVarint(static_cast<uint64_t>(number) << 3 | wire_type, out);
}

// Reads the value behind the tag; returns what is wrong, or null.
const char* ReadValue(const char** data, const char* end, Field* field) {
  const size_t left = static_cast<size_t>(end - *data);
  switch (field->wire_type) {
    case kVarint:
      field->payload = {};
      return ReadVarint(data, end, &field->integer) ? nullptr : "a varint is cut off or longer than ten bytes";
    case kFixed64:
    case kFixed32: {
      const size_t size = field->wire_type == kFixed64 ? 8 : 4;
      if (left < size) return "a fixed-width value is cut off";
      field->payload = {};
      field->integer = ReadLittleEndian(*data, size);
      *data += size;
      return nullptr;
    }
    case kLengthDelimited: {
      uint64_t size = 0;
      if (!ReadVarint(data, end, &size)) return "a length is cut off or longer than ten bytes";
      if (size > static_cast<uint64_t>(end - *data)) return "a length points behind the end of the message";
      field->integer = 0;
      field->payload = std::string_view(*data, size);
      *data += size;
      return nullptr;
    }
    default:
      return "unknown wire type";
  }
}

}  // namespace

bool Reader::Next(Field* field) {
  if (rest_.empty() || error_ != nullptr) return false;
  const char* data = rest_.data();
  const char* const end = data + rest_.size();
  uint64_t tag = 0;
  if (!ReadVarint(&data, end, &tag) || tag > std::numeric_limits<uint32_t>::max() || tag >> 3 == 0) {
    error_ = "malformed tag";
    return false;
  }
  field->number = static_cast<uint32_t>(tag >> 3);
  field->wire_type = static_cast<uint32_t>(tag & 7);
  error_ = ReadValue(&data, end, field);
  if (error_ != nullptr) return false;
  field->bytes = rest_.substr(0, static_cast<size_t>(data - rest_.data()));
  rest_.remove_prefix(field->bytes.size());
  return true;
}

std::string Reader::error() const {
  if (ok()) return "";
  return std::string(error_) + " at byte " + std::to_string(rest_.data() - begin_) + " of a message";
}

bool AppendIntegers(const Field& field, std::vector<int64_t>* out) {
  if (field.wire_type != kLengthDelimited) {
    if (field.wire_type == kVarint) out->push_back(static_cast<int64_t>(field.integer));
    return field.wire_type == kVarint;
  }
  const char* data = field.payload.data();
  const char* const end = data + field.payload.size();
  while (data != end) {
    uint64_t value = 0;
    if (!ReadVarint(&data, end, &value)) return false;
    out->push_back(static_cast<int64_t>(value));
  }
  return true;
}

int64_t HeaderBytes(uint32_t number, size_t value_bytes) {
  return protozero::length_of_varint(static_cast<uint64_t>(number) << 3) + protozero::length_of_varint(value_bytes);
}

Writer& Writer::Integer(uint32_t number, int64_t value) {
  WriteTag(number, kVarint, &out_);
  WriteVarint(static_cast<uint64_t>(value), &out_);
  return *this;
}

Writer& Writer::Header(uint32_t number, int64_t value_bytes) {
  WriteTag(number, kLengthDelimited, &out_);
  WriteVarint(static_cast<uint64_t>(value_bytes), &out_);
  return *this;
}

Writer& Writer::Bytes(uint32_t number, std::string_view value) {
  Header(number, static_cast<int64_t>(value.size()));
  out_.append(value);
  return *this;
}

Writer& Writer::Packed(uint32_t number, const std::vector<int64_t>& values) {
  if (values.empty()) return *this;
  std::string packed;
  for (int64_t value : values) WriteVarint(static_cast<uint64_t>(value), &packed);
  return Bytes(number, packed);
}

Writer& Writer::Verbatim(std::string_view field_bytes) {
  out_.append(field_bytes);
  return *this;
}

}  // namespace jax_oneshot::wire
