// SPDX-License-Identifier: Apache-2.0
// FirstFreeNumber on modules with many kinds of names.
#include "xla_pass/rewrite/new_names.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/hlo_view/hlo_text_builder.h"

namespace jax_oneshot {
namespace {

int64_t FreeBeside(const std::string& name) {
  const std::string bytes = hlo::ModuleFromText("main { " + name + " = f32[8,64] parameter(0) }");
  return FirstFreeNumber(hlo::ParseModule(bytes).value());
}

TEST(NewNames, CountFromZeroWhereNothingIsNamedSo) {
  EXPECT_EQ(FreeBeside("x"), 0);
  EXPECT_EQ(FreeBeside("x.17"), 0);
  EXPECT_EQ(FreeBeside("partition-id.1"), 0);
}

TEST(NewNames, CountOnBehindThoseOfAnEarlierRun) {
  EXPECT_EQ(FreeBeside("jax_oneshot.0"), 1);
  EXPECT_EQ(FreeBeside("jax_oneshot_operand.41"), 42);
}

TEST(NewNames, TakeNoNumberFromWhatOnlyLooksLikeOne) {
  EXPECT_EQ(FreeBeside("jax_oneshot"), 0);
  EXPECT_EQ(FreeBeside("jax_oneshot.clone"), 0);
  EXPECT_EQ(FreeBeside("jax_oneshot.1x"), 0);
  EXPECT_EQ(FreeBeside("jax_oneshot.99999999999999999999"), 0);
}

}  // namespace
}  // namespace jax_oneshot
