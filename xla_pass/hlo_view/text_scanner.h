// SPDX-License-Identifier: Apache-2.0
// Tokenizer of the HLO text subset. For tests only.
#ifndef XLA_PASS_HLO_VIEW_TEXT_SCANNER_H_
#define XLA_PASS_HLO_VIEW_TEXT_SCANNER_H_

#include <cctype>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace jax_oneshot::hlo {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool Peek(std::string_view token) {
    SkipSpace();
    return rest_.substr(0, token.size()) == token;
  }
  bool Accept(std::string_view token) {
    if (!Peek(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void Expect(std::string_view token) {
    if (!Accept(token)) Fail("expected '" + std::string(token) + "'");
  }
  bool AtEnd() {
    SkipSpace();
    return rest_.empty();
  }
  // A name, an opcode, a number.
  std::string Word() {
    SkipSpace();
    size_t size = 0;
    while (size < rest_.size() && (isalnum(static_cast<unsigned char>(rest_[size])) != 0 ||
                                   std::string_view("_.-+").find(rest_[size]) != std::string_view::npos)) {
      ++size;
    }
    if (size == 0) Fail("expected a word");
    std::string word(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return word;
  }
  // open word, word, ... close
  std::vector<std::string> Words(std::string_view open, std::string_view close) {
    std::vector<std::string> words;
    for (Expect(open); !Accept(close); Accept(",")) words.push_back(Word());
    return words;
  }
  std::vector<int64_t> Integers(std::string_view open, std::string_view close) {
    std::vector<int64_t> integers;
    for (const std::string& word : Words(open, close)) integers.push_back(std::stoll(word));
    return integers;
  }
  [[noreturn]] void Fail(const std::string& what) const {
    throw std::invalid_argument("HLO text: " + what + " at '" + std::string(rest_.substr(0, 40)) + "'");
  }

 private:
  void SkipSpace() {
    while (!rest_.empty() && isspace(static_cast<unsigned char>(rest_[0])) != 0) rest_.remove_prefix(1);
  }

  std::string_view rest_;
};

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_TEXT_SCANNER_H_
