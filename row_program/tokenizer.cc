// SPDX-License-Identifier: Apache-2.0
// Implementation of tokenizer.h.
#include "row_program/tokenizer.h"

namespace jax_oneshot {
namespace {

// Not <cctype>, which depends on the process's locale.
bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '+' || c == '-';
}
bool IsPunctuation(char c) { return std::string_view("(){}:,;=").find(c) != std::string_view::npos; }

std::string Escape(char c) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte < 0x7f) return std::string(1, c);
  return {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
}

}  // namespace

Token Tokenizer::Next() {
  const Token token = token_;
  Advance();
  return token;
}

size_t Tokenizer::WordEnd(size_t begin) const {
  size_t end = begin;
  while (end < text_.size() && IsWordChar(text_[end]) && text_.substr(end, 2) != "->") ++end;
  return end;
}

void Tokenizer::Advance() {
  while (position_ < text_.size() && IsSpace(text_[position_])) ++position_;
  const size_t begin = position_;
  const size_t word_end = WordEnd(begin);
  Token::Type type = Token::Type::kWord;
  position_ = word_end;
  if (begin == text_.size()) {
    type = Token::Type::kEnd;
  } else if (text_.substr(begin, 2) == "->") {
    type = Token::Type::kPunctuation;
    position_ = begin + 2;
  } else if (word_end == begin) {
    type = IsPunctuation(text_[begin]) ? Token::Type::kPunctuation : Token::Type::kBad;
    position_ = begin + 1;
  }
  token_ = {type, text_.substr(begin, position_ - begin), begin};
}

std::string Describe(const Token& token) {
  constexpr size_t kLongest = 40;
  const std::string where = " at byte " + std::to_string(token.offset);
  if (token.type == Token::Type::kEnd) return "the end of the text" + where;
  std::string text;
  for (const char c : token.text.substr(0, kLongest)) text += Escape(c);
  return "'" + text + (token.text.size() > kLongest ? "..." : "") + "'" + where;
}

}  // namespace jax_oneshot
