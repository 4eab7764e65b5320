// SPDX-License-Identifier: Apache-2.0
// KnownPrograms: one text per program, and an error for an invalid one.
#include "xla_pass/translate/known_programs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "row_program/random_row_program.h"
#include "row_program/text.h"
#include "xla_pass/verdict/reason.h"

namespace jax_oneshot {
namespace {

TEST(KnownPrograms, GivesEqualProgramsOneTextAndOthersTheirOwn) {
  KnownPrograms known;
  std::vector<const std::string*> texts;
  for (uint32_t seed = 0; seed < 50; ++seed) texts.push_back(*known.TextOf(RandomRowProgram(seed)));
  for (uint32_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(*texts[seed], PrintRowProgram(RandomRowProgram(seed)));
    EXPECT_EQ(*known.TextOf(RandomRowProgram(seed)), texts[seed]);
  }
  EXPECT_EQ(known.size(), 50u);
}

TEST(KnownPrograms, TellsProgramsApartThatDifferInAConstantOnly) {
  const char* const text =
      "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: f32 scalar = constant 1; "
      "x2: f32 row = add x0, x1 } -> (x2: row)";
  RowProgram program = *ParseRowProgram(text);
  KnownPrograms known;
  EXPECT_EQ(**known.TextOf(program), text);
  program.statements[1].constant = 2;
  EXPECT_THAT(**known.TextOf(program), testing::HasSubstr("constant 2;"));
}

TEST(KnownPrograms, RefusesAProgramThatBreaksARule) {
  KnownPrograms known;
  const Decision<const std::string*> text = known.TextOf(RowProgram());
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().text, testing::HasSubstr("output"));
  EXPECT_EQ(known.size(), 0u);
}

}  // namespace
}  // namespace jax_oneshot
