// In:  bytes in protobuf wire format. Out: fields one by one, bounds checked; and the way back, appended to a string.
//
// Varints go through protozero (header-only, bounded); this file adds what the pass needs beside it: errors as values
// instead of exceptions, and the verbatim bytes of every field. Groups (wire types 3 and 4) are refused: HLO has none.
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
  explicit Reader(std::string_view bytes) : rest_(bytes), begin_(bytes.data()) {}
  bool Next(Field* field);  // false at the end and on malformed input
  bool ok() const { return error_ == nullptr; }
  std::string error() const;  // what is wrong and at which offset

 private:
  std::string_view rest_;
  const char* begin_;
  const char* error_ = nullptr;
};

// Appends the integers of a repeated integer field, packed or not, to *out. Fails on malformed packed bytes.
bool AppendIntegers(const Field& field, std::vector<int64_t>* out);

// Bytes of the tag and length in front of a length-delimited value.
int64_t HeaderBytes(uint32_t number, size_t value_bytes);

// Builds one message.
class Writer {
 public:
  Writer& Integer(uint32_t number, int64_t value);                      // skips nothing: writes zero too
  Writer& Bytes(uint32_t number, std::string_view value);               // string, bytes, sub-message
  Writer& Header(uint32_t number, int64_t value_bytes);                 // of a sub-message that is written next
  Writer& Packed(uint32_t number, const std::vector<int64_t>& values);  // nothing when empty
  Writer& Verbatim(std::string_view field_bytes);                       // a field as Reader gave it
  void Reserve(size_t bytes) { out_.reserve(bytes); }
  const std::string& str() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace jax_oneshot::wire

#endif  // XLA_PASS_WIRE_WIRE_H_
