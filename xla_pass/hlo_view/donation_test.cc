// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/hlo_view/donation.h"

#include <gtest/gtest.h>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Writer;

TEST(DonatedOutputs, AreCountedFromTheAliasConfig) {
  const std::string two = Writer()
                              .Bytes(fields::input_output_alias::kEntries, "\x10\x05")
                              .Bytes(fields::input_output_alias::kEntries, "\x10\x06")
                              .Take();
  EXPECT_EQ(CountDonatedOutputs(Writer().Bytes(fields::hlo_module::kName, "m").Take()), 0);
  EXPECT_EQ(CountDonatedOutputs(Writer().Bytes(fields::hlo_module::kInputOutputAlias, "").Take()), 0);
  EXPECT_EQ(
      CountDonatedOutputs(
          Writer().Bytes(fields::hlo_module::kName, "m").Bytes(fields::hlo_module::kInputOutputAlias, two).Take()),
      2);
}

TEST(DonatedOutputs, OfArgumentsThatXlaPairsLaterCountToo) {
  const std::string one = Writer().Bytes(fields::buffer_donor::kEntries, "\x08\x05").Take();
  EXPECT_EQ(CountDonatedOutputs(Writer().Bytes(fields::hlo_module::kBufferDonor, one).Take()), 1);
}

TEST(DonatedOutputs, AreNoneWhereTheConfigIsCutShort) {
  EXPECT_EQ(CountDonatedOutputs(Writer().Bytes(fields::hlo_module::kInputOutputAlias, "\x0a\x7f").Take()), 0);
}

// An alias of `output` (one index) with a parameter; `more` is appended to the entry.
std::string Alias(int64_t output, int64_t parameter, const std::string& more = "") {
  namespace entry = fields::alias_entry;
  const std::string bytes =
      Writer().Packed(entry::kOutputShapeIndex, {output}).Integer(entry::kParameterNumber, parameter).Take() + more;
  return Writer().Bytes(fields::input_output_alias::kEntries, bytes).Take();
}

std::string Aliases(const std::string& entries) {
  return Writer().Bytes(fields::hlo_module::kInputOutputAlias, entries).Take();
}

TEST(DonatedParameters, AreThoseThatShareABufferWithAnOutput) {
  const auto found = FindDonatedParameters(Aliases(Alias(1, 5) + Alias(2, 6)));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].output, std::vector<int64_t>{1});
  EXPECT_EQ(found[0].parameter, 5);
  EXPECT_EQ(found[1].output, std::vector<int64_t>{2});
  EXPECT_EQ(found[1].parameter, 6);
}

TEST(DonatedParameters, AreNotElementsOfATupleParameter) {
  const std::string element = Writer().Packed(fields::alias_entry::kParameterShapeIndex, {3}).Take();
  EXPECT_TRUE(FindDonatedParameters(Aliases(Alias(1, 5, element))).empty());
}

TEST(DonatedParameters, AreNotEntriesThatAreCutShort) {
  EXPECT_TRUE(FindDonatedParameters(Aliases(Alias(1, 5, "\x1a\x7f"))).empty());
}

}  // namespace
}  // namespace jax_oneshot::hlo
