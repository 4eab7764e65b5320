// SPDX-License-Identifier: Apache-2.0
// Splits row program text into tokens: punctuation, words, the end, or a bad character. Never reads out of bounds and
// never fails.
#ifndef ROW_PROGRAM_TOKENIZER_H_
#define ROW_PROGRAM_TOKENIZER_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace jax_oneshot {

struct Token {
  enum class Type { kWord, kPunctuation, kEnd, kBad };
  Type type;
  std::string_view text;
  size_t offset;  // in bytes, from the start of the text
};

// A word is a run of letters, digits and any of `_ . + -` (numbers are words); punctuation is one of
// `( ) { } : , ; =` or `->`.
class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) { Advance(); }

  const Token& Peek() const { return token_; }
  Token Next();

 private:
  void Advance();
  size_t WordEnd(size_t begin) const;

  std::string_view text_;
  size_t position_ = 0;
  Token token_;
};

// "'xyz' at byte 12", shortened and with unprintable bytes escaped, or "the end of the text at byte 90".
std::string Describe(const Token& token);

}  // namespace jax_oneshot

#endif  // ROW_PROGRAM_TOKENIZER_H_
