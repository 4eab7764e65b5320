// SPDX-License-Identifier: Apache-2.0
// Implementation of mutate_message.h.
//
// The wire format does not say which length-delimited fields are messages. A field that parses as one is usually
// treated as one, and sometimes as text.
#include "xla_pass/wire/mutate_message.h"

#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "xla_pass/wire/wire.h"

namespace jax_oneshot::wire {
namespace {

constexpr int kMaxDepth = 12;  // deeper than HLO's protos, tuple shapes aside

size_t Below(size_t bound, std::minstd_rand* random) { return (*random)() % bound; }

// The fields of a message; empty if the bytes are not a message.
std::vector<Field> ReadFields(std::string_view bytes) {
  std::vector<Field> fields;
  Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) fields.push_back(field);
  return reader.ok() ? fields : std::vector<Field>();
}

int64_t MutateInteger(uint64_t value, std::minstd_rand* random) {
  constexpr int64_t kInteresting[] = {0,
                                      1,
                                      2,
                                      4,
                                      8,
                                      10,
                                      11,
                                      16,
                                      -1,
                                      int64_t{1} << 20,
                                      std::numeric_limits<int64_t>::max(),
                                      std::numeric_limits<int64_t>::min()};
  switch (Below(3, random)) {
    case 0:
      return static_cast<int64_t>(value + 1);
    case 1:
      return static_cast<int64_t>(value - 1);
    default:
      return kInteresting[Below(std::size(kInteresting), random)];
  }
}

std::string MutateText(std::string_view text, std::minstd_rand* random) {
  std::string changed(text);
  const auto byte = static_cast<char>(Below(256, random));
  if (changed.empty() || Below(4, random) == 0) {
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(Below(changed.size() + 1, random)), byte);
  } else if (Below(4, random) == 0) {
    changed.erase(Below(changed.size(), random), 1);
  } else {
    changed[Below(changed.size(), random)] = byte;
  }
  return changed;
}

std::string Mutate(std::string_view bytes, int depth, std::minstd_rand* random);

std::string MutateField(const Field& field, int depth, std::minstd_rand* random) {
  switch (field.wire_type) {
    case kVarint:
      return Writer().Integer(field.number, MutateInteger(field.integer, random)).Take();
    case kLengthDelimited:
      return Writer().Bytes(field.number, Mutate(field.payload, depth + 1, random)).Take();
    default:
      return std::string(field.bytes);
  }
}

std::string Mutate(std::string_view bytes, int depth, std::minstd_rand* random) {
  std::vector<Field> fields = ReadFields(bytes);
  if (fields.empty() || depth == kMaxDepth || Below(16, random) == 0) return MutateText(bytes, random);
  const size_t chosen = Below(fields.size(), random);
  const size_t other = Below(fields.size(), random);
  // Mostly recurse: the interesting fields are in the instructions.
  const size_t action = Below(12, random);
  if (action == 0) std::swap(fields[chosen], fields[other]);
  Writer out;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (action == 1 && i == chosen) continue;  // drop it
    if (action == 2 && i == chosen) out.Verbatim(fields[other].bytes);
    if (action > 2 && i == chosen) {
      out.Verbatim(MutateField(fields[i], depth, random));
    } else {
      out.Verbatim(fields[i].bytes);
    }
  }
  return out.Take();
}

}  // namespace

std::string MutateMessage(std::string_view bytes, std::minstd_rand* random) { return Mutate(bytes, 0, random); }

}  // namespace jax_oneshot::wire
