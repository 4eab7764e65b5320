// SPDX-License-Identifier: Apache-2.0
// Reads protobuf wire format field by field with bounds checks, and writes it by appending to a string.
//
// Varints go through protozero (header-only, bounded); this file adds errors as values instead of exceptions, and the
// verbatim bytes of every field. Groups (wire types 3 and 4) are rejected: HLO has none.
#ifndef XLA_PASS_WIRE_WIRE_H_
#define XLA_PASS_WIRE_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jax_oneshot::wire {

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  uint32_t wire_type = 0;    // a WireType
  uint64_t integer = 0;      // varint and fixed types
  std::string_view payload;  // length-delimited
  std::string_view bytes;    // tag and value, verbatim
};

// Iterates over the fields of one message:
//   Reader r(bytes);
//   Field f;
//   while (r.Next(&f)) { ... }
//   if (!r.ok()) return Err(r.error());
class Reader {
 public:
  explicit Reader(std::string_view bytes) : begin_(bytes.data()), next_(begin_), end_(begin_ + bytes.size()) {}
  // False at the end and on malformed input.
  [[gnu::always_inline]] bool Next(Field* field);
  bool ok() const { return error_ == nullptr; }
  std::string error() const;  // what is wrong and at which offset

 private:
  static constexpr char kBadVarint[] = "a varint is cut off or longer than ten bytes";
  static constexpr char kBadLength[] = "a length is cut off or longer than ten bytes";

  bool ReadFixed(const char* data, Field* field);
  bool Give(const char* data, Field* field);
  bool Fail(const char* error);

  const char* begin_;
  const char* next_;  // where the next field begins
  const char* end_;   // where reading ends, also after a malformed field
  const char* error_ = nullptr;
};

// Appends the integers of a repeated integer field, packed or not, to *out. Fails on malformed packed bytes and on
// fixed-width fields.
bool AppendIntegers(const Field& field, std::vector<int64_t>* out);

// Size of the tag and length before a length-delimited value.
int64_t HeaderBytes(uint32_t number, size_t value_bytes);

// Builds one message.
class Writer {
 public:
  Writer& Integer(uint32_t number, int64_t value);                      // writes zero too
  Writer& Bytes(uint32_t number, std::string_view value);               // string, bytes, sub-message
  Writer& Header(uint32_t number, int64_t value_bytes);                 // of a sub-message whose bytes follow
  Writer& Packed(uint32_t number, const std::vector<int64_t>& values);  // writes nothing if empty
  Writer& Verbatim(std::string_view field_bytes);                       // a field as read by Reader
  void Reserve(size_t bytes) { out_.reserve(bytes); }
  const std::string& str() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// The common path is inline: parsing a module consists of little else.

struct Varint {
  uint64_t value;
  const char* end;  // null: it is cut off or longer than ten bytes
};

Varint ReadLongVarint(const char* data, const char* end);

inline Varint ReadVarint(const char* data, const char* end) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(data);
  if (end - data > 0 && bytes[0] < 0x80) return {bytes[0], data + 1};
  if (end - data > 1 && bytes[1] < 0x80) return {(bytes[0] & 0x7fu) | uint64_t{bytes[1]} << 7, data + 2};
  return ReadLongVarint(data, end);
}

inline bool Reader::Next(Field* field) {
  if (next_ == end_) return false;
  const Varint tag = ReadVarint(next_, end_);
  if (tag.end == nullptr || tag.value >> 32 != 0 || tag.value >> 3 == 0) return Fail("malformed tag");
  field->number = static_cast<uint32_t>(tag.value >> 3);
  field->wire_type = static_cast<uint32_t>(tag.value & 7);
  if (field->wire_type != kVarint && field->wire_type != kLengthDelimited) return ReadFixed(tag.end, field);
  const Varint number = ReadVarint(tag.end, end_);  // the value, or the length of the payload
  const bool is_integer = field->wire_type == kVarint;
  if (number.end == nullptr) return Fail(is_integer ? kBadVarint : kBadLength);
  const uint64_t size = is_integer ? 0 : number.value;
  if (size > static_cast<uint64_t>(end_ - number.end)) return Fail("a length points behind the end of the message");
  field->integer = is_integer ? number.value : 0;
  field->payload = is_integer ? std::string_view() : std::string_view(number.end, size);
  return Give(number.end + size, field);
}

// Finishes a field that ends at `data`.
inline bool Reader::Give(const char* data, Field* field) {
  field->bytes = std::string_view(next_, static_cast<size_t>(data - next_));
  next_ = data;
  return true;
}

}  // namespace jax_oneshot::wire

#endif  // XLA_PASS_WIRE_WIRE_H_
