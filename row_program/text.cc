// SPDX-License-Identifier: Apache-2.0
// Implementation of text.h. The grammar (docs/row_program.md) has no nesting, so the parser never recurses.
#include "row_program/text.h"

#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

#include "row_program/ops.h"
#include "row_program/tokenizer.h"
#include "row_program/validate.h"

namespace jax_oneshot {
namespace {

// Every Parse... method returns false after setting error_; nothing is read after that.
class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(text) {}

  Result<RowProgram> Run() {
    if (!ParseProgram()) return Err("row program: " + where_ + ": " + error_);
    return std::move(program_);
  }

 private:
  bool ParseProgram() {
    where_ = "header";
    if (!ExpectWord("v1", "the version 'v1'")) return false;
    if (!ParseList("input", "(", ",", ")", kMaxInputs, [this](int i) { return ParseInput(i); })) return false;
    if (!ParseList("statement", "{", ";", "}", kMaxStatements, [this](int i) { return ParseStatement(i); })) {
      return false;
    }
    where_ = "outputs";
    if (!Expect("->")) return false;
    if (!ParseList("output", "(", ",", ")", kMaxOutputs, [this](int i) { return ParseOutput(i); })) return false;
    where_ = "after the outputs";
    return tokens_.Peek().type == Token::Type::kEnd || Fail("the end of the text");
  }

  // open [item {separator item}] close
  bool ParseList(const char* noun, const char* open, const char* separator, const char* close, int limit,
                 const std::function<bool(int)>& parse_item) {
    where_ = std::string(noun) + "s";
    if (!Expect(open)) return false;
    if (Accept(close)) return true;
    for (int i = 0; i < limit; ++i) {
      where_ = std::string(noun) + " " + std::to_string(i);
      if (!parse_item(i)) return false;
      if (Accept(close)) return true;
      if (!Accept(separator)) return Fail("'" + std::string(separator) + "' or '" + close + "'");
    }
    where_ = std::string(noun) + "s";
    return Fail("at most " + std::to_string(limit) + " " + noun + "s, so '" + close + "'");
  }

  // a0: sum bf16 row
  bool ParseInput(int i) {
    Input input;
    if (!ParseOwnName('a', i)) return false;
    if (!ParseNamed(RoleFromName, "a role (sum, max, min, gather or local)", &input.role)) return false;
    if (!ParseType(&input.dtype, &input.kind)) return false;
    program_.inputs.push_back(input);
    return true;
  }

  // x3: f32 row = multiply x1, x2
  bool ParseStatement(int i) {
    Statement s{};
    if (!ParseOwnName('x', i) || !ParseType(&s.dtype, &s.kind) || !Expect("=")) return false;
    if (!ParseNamed(OpFromName, "an operation (docs/row_program.md lists them)", &s.op)) return false;
    where_ += std::string(" (") + OpName(s.op) + ")";
    for (int k = 0; k < OperandCount(s.op); ++k) {
      if (k > 0 && !Expect(",")) return false;
      if (!ParseReference('x', "operand " + std::to_string(k) + ", a value such as x0", &s.operands[k])) return false;
    }
    if (!ParseAttributes(&s)) return false;
    program_.statements.push_back(s);
    return true;
  }

  bool ParseAttributes(Statement* s) {
    if (ReadsInput(s->op)) return ParseReference('a', "an input such as a0", &s->index);
    if (s->op == Op::kConstant) return ParseNumber(&s->constant);
    if (s->op != Op::kCompare) return true;
    return Expect(",") && ExpectWord("direction", "'direction'") && Expect("=") &&
           ParseNamed(DirectionFromName, "a direction (EQ, NE, LT, LE, GT or GE)", &s->direction);
  }

  // x4: row, or x4: row shard
  bool ParseOutput(int) {
    Output output;
    if (!ParseReference('x', "a value such as x0", &output.value) || !Expect(":")) return false;
    if (!ParseNamed(KindFromName, kKindNames, &output.kind)) return false;
    output.shard = Accept("shard");
    program_.outputs.push_back(output);
    return true;
  }

  bool ParseOwnName(char prefix, int i) {
    const std::string name = prefix + std::to_string(i);
    where_ = name;
    return ExpectWord(name, "'" + name + "' (names are numbered in order)") && Expect(":");
  }

  bool ParseType(DType* dtype, Kind* kind) {
    return ParseNamed(DTypeFromName, "a dtype (pred, bf16, f16, f32, f8e4m3fn or f8e5m2)", dtype) &&
           ParseNamed(KindFromName, kKindNames, kind);
  }

  template <typename T>
  bool ParseNamed(std::optional<T> (*from_name)(std::string_view), const std::string& expected, T* out) {
    const std::optional<T> value = IsWord() ? from_name(tokens_.Peek().text) : std::nullopt;
    if (!value) return Fail(expected);
    *out = *value;
    tokens_.Next();
    return true;
  }

  // Whether the id exists is left to the validator; here it must only be written without leading zeros.
  bool ParseReference(char prefix, const std::string& expected, int* id) {
    const std::string_view text = tokens_.Peek().text;
    if (!IsWord() || text.size() < 2 || text.front() != prefix || text[1] == '-') return Fail(expected);
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), *id);
    if (error != std::errc() || end != text.data() + text.size()) return Fail(expected);
    if (text[1] == '0' && text.size() > 2) return Fail(expected);
    tokens_.Next();
    return true;
  }

  bool ParseNumber(float* number) {
    const std::string_view text = tokens_.Peek().text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
    // from_chars also accepts `infinity`, `NAN` and the like; the language has one spelling for each.
    const bool spelled = std::isfinite(*number) || text == "nan" || text == "inf" || text == "-inf";
    if (!IsWord() || error != std::errc() || end != text.data() + text.size() || !spelled) {
      return Fail("a number that f32 can hold (decimal, nan, inf or -inf)");
    }
    tokens_.Next();
    return true;
  }

  bool IsWord() const { return tokens_.Peek().type == Token::Type::kWord; }

  bool Accept(std::string_view text) {
    if (tokens_.Peek().text != text) return false;
    tokens_.Next();
    return true;
  }

  bool Expect(const std::string& punctuation) { return Accept(punctuation) || Fail("'" + punctuation + "'"); }
  bool ExpectWord(std::string_view word, const std::string& expected) { return Accept(word) || Fail(expected); }

  bool Fail(const std::string& expected) {
    error_ = "expected " + expected + ", came " + Describe(tokens_.Peek());
    return false;
  }

  static constexpr char kKindNames[] = "a kind (scalar, vec, rowscalar or row)";

  Tokenizer tokens_;
  RowProgram program_;
  std::string where_;  // what is being parsed: "x3 (multiply)"
  std::string error_;
};

std::string PrintNumber(float number) {
  if (std::isnan(number)) return "nan";  // to_chars would print the NaN's sign, which the language does not have
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, number);
  return std::string(buffer, result.ptr);
}

// Appends to a single string: the pass prints a program for each call.
class Printer {
 public:
  std::string Print(const RowProgram& program) {
    text_.reserve(64 * (program.statements.size() + 2));
    Add("v1 (");
    List(program.inputs, ", ");
    Add(") { ");
    List(program.statements, "; ");
    Add(" } -> (");
    List(program.outputs, ", ");
    Add(")");
    return std::move(text_);
  }

 private:
  template <typename T>
  void List(const std::vector<T>& items, const char* separator) {
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) Add(separator);
      Item(items[i], static_cast<int>(i));
    }
  }

  void Item(const Input& input, int i) {
    Name('a', i).Add(": ").Add(RoleName(input.role)).Add(" ").Type(input.dtype, input.kind);
  }

  void Item(const Statement& s, int i) {
    Name('x', i).Add(": ").Type(s.dtype, s.kind).Add(" = ").Add(OpName(s.op));
    for (int k = 0; k < OperandCount(s.op); ++k) Add(k > 0 ? ", " : " ").Name('x', s.operands[k]);
    if (s.op == Op::kCompare) Add(", direction=").Add(DirectionName(s.direction));
    if (ReadsInput(s.op) || s.op == Op::kConstant) Add(" ").Add(PrintAttribute(s).c_str());
  }

  void Item(const Output& output, int) {
    Name('x', output.value).Add(": ").Add(KindName(output.kind));
    if (output.shard) Add(" shard");
  }

  Printer& Type(DType dtype, Kind kind) { return Add(DTypeName(dtype)).Add(" ").Add(KindName(kind)); }

  Printer& Name(char prefix, int i) {
    char buffer[16];
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, i);
    text_ += prefix;
    text_.append(buffer, result.ptr);
    return *this;
  }

  Printer& Add(const char* text) {
    text_ += text;
    return *this;
  }

  std::string text_;
};

}  // namespace

std::string PrintAttribute(const Statement& statement) {
  if (ReadsInput(statement.op)) return "a" + std::to_string(statement.index);
  if (statement.op == Op::kConstant) return PrintNumber(statement.constant);
  return statement.op == Op::kCompare ? DirectionName(statement.direction) : "";
}

std::string PrintRowProgram(const RowProgram& program) { return Printer().Print(program); }

Result<RowProgram> ParseRowProgram(std::string_view text) {
  Result<RowProgram> program = Parser(text).Run();
  if (!program) return program;
  const Result<void> valid = ValidateRowProgram(*program);
  if (!valid) return Err(valid.error());
  return program;
}

}  // namespace jax_oneshot
