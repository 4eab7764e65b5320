#include "xla_pass/hlo_view/donated_outputs.h"

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

}  // namespace
}  // namespace jax_oneshot::hlo
