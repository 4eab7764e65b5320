// SPDX-License-Identifier: Apache-2.0
// Reader, AppendIntegers and Writer, on hand-written bytes.
#include "xla_pass/wire/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace jax_oneshot::wire {
namespace {

using std::string_literals::operator""s;

// Reads all fields; returns the reader's error.
std::string ReadAll(const std::string& bytes, std::vector<Field>* fields = nullptr) {
  Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) {
    if (fields != nullptr) fields->push_back(field);
  }
  return reader.error();
}

TEST(Reader, GivesEveryWireTypeWithItsVerbatimBytes) {
  const std::string bytes = "\x08\x96\x01\x11\x01\0\0\0\0\0\0\x80\x1a\x02hi\x25\x02\0\0\0"s;
  std::vector<Field> fields;
  ASSERT_EQ(ReadAll(bytes, &fields), "");
  ASSERT_EQ(fields.size(), 4u);
  EXPECT_EQ(fields[0].number, 1u);
  EXPECT_EQ(fields[0].integer, 150u);
  EXPECT_EQ(fields[1].integer, 0x8000000000000001u);
  EXPECT_EQ(fields[2].payload, "hi");
  EXPECT_EQ(fields[2].bytes, "\x1a\x02hi");
  EXPECT_EQ(fields[3].integer, 2u);
  std::string joined;
  for (const Field& field : fields) joined += field.bytes;
  EXPECT_EQ(joined, bytes);
}

TEST(Reader, TakesAnEmptyMessageAsOneWithoutFields) { EXPECT_EQ(ReadAll(""), ""); }

TEST(Reader, RefusesEveryCutThroughAFieldAndSaysWhere) {
  const std::string bytes = "\x08\x96\x01\x11\x01\0\0\0\0\0\0\x80\x1a\x02hi\x25\x02\0\0\0"s;
  const std::vector<size_t> borders = {0, 3, 12, 16, 21};
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const bool whole = std::find(borders.begin(), borders.end(), size) != borders.end();
    EXPECT_EQ(ReadAll(bytes.substr(0, size)).empty(), whole) << size;
  }
  EXPECT_EQ(ReadAll(bytes.substr(0, 2)), "a varint is cut off or longer than ten bytes at byte 0 of a message");
  EXPECT_EQ(ReadAll(bytes.substr(0, 7)), "a fixed-width value is cut off at byte 3 of a message");
  EXPECT_EQ(ReadAll(bytes.substr(0, 15)), "a length points behind the end of the message at byte 12 of a message");
}

TEST(Reader, RefusesALengthThatWouldOverflow) {
  EXPECT_EQ(ReadAll("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"s),
            "a length points behind the end of the message at byte 0 of a message");
}

TEST(Reader, RefusesAVarintOfElevenBytesButNotOfTen) {
  EXPECT_EQ(ReadAll("\x08" + std::string(9, '\xff') + "\x01"), "");
  EXPECT_EQ(ReadAll("\x08" + std::string(10, '\xff') + "\x01"),
            "a varint is cut off or longer than ten bytes at byte 0 of a message");
}

TEST(Reader, RefusesGroupsAndFieldNumberZero) {
  EXPECT_EQ(ReadAll("\x0b"), "unknown wire type at byte 0 of a message");
  EXPECT_EQ(ReadAll("\x00\x01"s), "malformed tag at byte 0 of a message");
}

TEST(AppendIntegers, ReadsPackedAndUnpackedAlike) {
  const std::string packed = Writer().Packed(4, {1, -1, 300}).Take();
  const std::string unpacked = Writer().Integer(4, 1).Integer(4, -1).Integer(4, 300).Take();
  for (const std::string& bytes : {packed, unpacked}) {
    std::vector<Field> fields;
    ASSERT_EQ(ReadAll(bytes, &fields), "");
    std::vector<int64_t> values;
    for (const Field& field : fields) ASSERT_TRUE(AppendIntegers(field, &values));
    EXPECT_EQ(values, (std::vector<int64_t>{1, -1, 300}));
  }
}

TEST(AppendIntegers, RefusesAPackedListCutInsideAnInteger) {
  std::vector<Field> fields;
  const std::string bytes = Writer().Bytes(4, "\x01\x80").Take();
  ASSERT_EQ(ReadAll(bytes, &fields), "");
  std::vector<int64_t> values;
  EXPECT_FALSE(AppendIntegers(fields[0], &values));
}

TEST(AppendIntegers, RefusesAFixedWidthField) {
  Field field;
  field.wire_type = kFixed32;
  std::vector<int64_t> values;
  EXPECT_FALSE(AppendIntegers(field, &values));
}

TEST(Writer, WritesWhatReaderReads) {
  const std::string bytes = Writer()
                                .Integer(1, 0)
                                .Integer(2, std::numeric_limits<int64_t>::min())
                                .Bytes(100, "text")
                                .Packed(7, {})
                                .Verbatim("\x08\x05")
                                .Take();
  std::vector<Field> fields;
  ASSERT_EQ(ReadAll(bytes, &fields), "");
  ASSERT_EQ(fields.size(), 4u);
  EXPECT_EQ(fields[0].bytes, "\x08\x00"s);
  EXPECT_EQ(static_cast<int64_t>(fields[1].integer), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(fields[2].number, 100u);
  EXPECT_EQ(fields[2].payload, "text");
  EXPECT_EQ(fields[3].integer, 5u);
}

}  // namespace
}  // namespace jax_oneshot::wire
