// SPDX-License-Identifier: Apache-2.0
// Token boundaries.
#include "row_program/tokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace jax_oneshot {
namespace {

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> words;
  for (Tokenizer tokens(text); tokens.Peek().type != Token::Type::kEnd;) words.emplace_back(tokens.Next().text);
  return words;
}

using Words = std::vector<std::string>;

TEST(Tokenizer, SplitsWordsAndPunctuationWithOrWithoutSpaces) {
  const Words expected = {"x0", ":", "f32", "row", "=", "constant", "-1.5e-05", "}", "->", "(", "x0"};
  EXPECT_EQ(Split("x0:f32 row=constant -1.5e-05}->(x0"), expected);
  EXPECT_EQ(Split(" x0 :\tf32\nrow =\r\nconstant -1.5e-05 } -> ( x0 "), expected);
}

TEST(Tokenizer, EndsAWordBeforeAnArrowButNotBeforeAMinus) {
  EXPECT_EQ(Split("x1->x2"), (Words{"x1", "->", "x2"}));
  EXPECT_EQ(Split("x1-x2"), (Words{"x1-x2"}));
  EXPECT_EQ(Split("x1-"), (Words{"x1-"}));
}

TEST(Tokenizer, HandsOutBytesItDoesNotKnowOneByOne) {
  Tokenizer tokens("\xc3\xa9x0");
  EXPECT_EQ(tokens.Peek().type, Token::Type::kBad);
  EXPECT_EQ(tokens.Next().text, "\xc3");
  EXPECT_EQ(tokens.Next().text, "\xa9");
  EXPECT_EQ(tokens.Peek().type, Token::Type::kWord);
}

TEST(Tokenizer, StaysAtTheEnd) {
  Tokenizer tokens(" x ");
  tokens.Next();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(tokens.Next().type, Token::Type::kEnd);
  EXPECT_EQ(Describe(tokens.Peek()), "the end of the text at byte 3");
}

TEST(Tokenizer, DescribesATokenWithItsPlace) {
  Tokenizer tokens("  abc ~");
  EXPECT_EQ(Describe(tokens.Next()), "'abc' at byte 2");
  EXPECT_EQ(Describe(tokens.Next()), "'~' at byte 6");
}

}  // namespace
}  // namespace jax_oneshot
