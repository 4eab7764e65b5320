// SPDX-License-Identifier: Apache-2.0
// Parse and Print are inverses, and every error names the place, what was expected and what was found.
#include "row_program/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "row_program/ops.h"
#include "row_program/random_row_program.h"
#include "row_program/validate.h"

namespace jax_oneshot {
namespace {

constexpr char kSmall[] =
    "v1 (a0: sum bf16 row) { x0: bf16 row = all_reduce a0; x1: f32 row = convert x0 } -> (x1: row)";

std::string ErrorOf(const std::string& text) {
  const auto program = ParseRowProgram(text);
  return program ? "accepted: " + PrintRowProgram(*program) : program.error();
}

std::string WithConstant(const std::string& number, const std::string& dtype = "f32") {
  return "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; x1: " + dtype + " scalar = constant " + number +
         " } -> (x0: row)";
}

std::string WithStatement(const std::string& statement) {
  return "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0; " + statement + " } -> (x0: row)";
}

TEST(RowProgramText, PrintsTheCanonicalTextItParsed) {
  const auto program = ParseRowProgram(kSmall);
  ASSERT_TRUE(program) << program.error();
  EXPECT_EQ(PrintRowProgram(*program), kSmall);
  EXPECT_EQ(program->statements.size(), 2u);
  EXPECT_EQ(program->statements[1].op, Op::kConvert);
  EXPECT_EQ(program->outputs[0].kind, Kind::kRow);
}

TEST(RowProgramText, AcceptsAnyWhiteSpaceAndPrintsItCanonically) {
  const auto program = ParseRowProgram(
      "\n\tv1(a0:sum bf16 row){\r\n  x0:bf16 row=all_reduce a0;\n  x1:f32 row=convert x0\n}->(x1:row)\n");
  ASSERT_TRUE(program) << program.error();
  EXPECT_EQ(PrintRowProgram(*program), kSmall);
}

TEST(RowProgramText, ReadsBackEveryRandomProgramItPrints) {
  std::set<Op> ops;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    const RowProgram program = seed % 2 == 0 ? RandomRowProgram(seed) : RandomShardedRowProgram(seed);
    const auto valid = ValidateRowProgram(program);
    ASSERT_TRUE(valid) << "seed " << seed << ": " << valid.error();
    const std::string text = PrintRowProgram(program);
    const auto parsed = ParseRowProgram(text);
    ASSERT_TRUE(parsed) << text << "\n" << parsed.error();
    EXPECT_TRUE(*parsed == program) << text;
    EXPECT_EQ(PrintRowProgram(*parsed), text);
    for (const Statement& s : program.statements) ops.insert(s.op);
  }
  EXPECT_EQ(ops.size(), static_cast<size_t>(kOpCount)) << "the random programs must use every operation";
}

// The programs in docs/row_program.md: from a line that starts with "    v1 (" to one that starts with "    } ->".
std::vector<std::string> DocumentedPrograms() {
  std::ifstream file("docs/row_program.md");
  std::vector<std::string> programs;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("    v1 (", 0) == 0) {
      inside = true;
      programs.emplace_back();
    }
    if (inside) programs.back() += line + "\n";
    if (line.rfind("    } ->", 0) == 0) inside = false;
  }
  return programs;
}

TEST(RowProgramText, AcceptsTheProgramsOfTheDocument) {
  const std::vector<std::string> programs = DocumentedPrograms();
  ASSERT_EQ(programs.size(), 4u)
      << "expected RMSNorm, Gemma's two norms, LayerNorm and sharded weights in the document";
  for (const std::string& text : programs) {
    const auto program = ParseRowProgram(text);
    ASSERT_TRUE(program) << text << program.error();
    std::string flat = std::regex_replace(text, std::regex("\\s+"), " ");
    EXPECT_EQ(" " + PrintRowProgram(*program) + " ", flat) << "the document shows the canonical words";
  }
}

TEST(RowProgramText, SaysWhatLiesInShards) {
  const std::string text =
      "v1 (a0: sum bf16 row, a1: gather bf16 vec) { x0: bf16 row = all_reduce a0; x1: bf16 vec = all_gather a1; "
      "x2: bf16 row = multiply x0, x1 } -> (x2: row shard, x2: row, x1: vec shard)";
  const auto program = ParseRowProgram(text);
  ASSERT_TRUE(program) << program.error();
  EXPECT_EQ(PrintRowProgram(*program), text);
  EXPECT_EQ(program->inputs[1].role, Role::kGather);
  EXPECT_TRUE(program->outputs[0].shard);
  EXPECT_FALSE(program->outputs[1].shard);
  EXPECT_TRUE(HasShards(*program));
  RowProgram whole = *program;
  whole.outputs[0].shard = false;
  EXPECT_FALSE(whole == *program) << "a shard is another output than the whole";
  EXPECT_FALSE(HasShards(*ParseRowProgram(kSmall)));
}

TEST(RowProgramText, KnowsNoOtherWordBehindAnOutput) {
  EXPECT_EQ(ErrorOf("v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row slice)"),
            "row program: output 0: expected ',' or ')', came 'slice' at byte 65");
  EXPECT_EQ(ErrorOf("v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row shard shard)"),
            "row program: output 0: expected ',' or ')', came 'shard' at byte 71");
}

TEST(RowProgramText, RefusesEveryStrictPrefixOfAProgram) {
  const std::string text = PrintRowProgram(RandomRowProgram(7));
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(ParseRowProgram(std::string_view(text).substr(0, length))) << text.substr(0, length);
  }
}

TEST(RowProgramText, PrintsNumbersAsTheShortestDecimalThatReadsBack) {
  const std::pair<const char*, const char*> cases[] = {{"0.00001", "1e-05"},
                                                       {"1.0", "1"},
                                                       {"0.000244140625", "0.00024414062"},
                                                       {"-0", "-0"},
                                                       {"3.4028234663852886e38", "3.4028235e+38"},
                                                       {"1e-45", "1e-45"},
                                                       {"inf", "inf"},
                                                       {"-inf", "-inf"},
                                                       {"nan", "nan"}};
  for (const auto& [written, printed] : cases) {
    const auto program = ParseRowProgram(WithConstant(written));
    ASSERT_TRUE(program) << written << ": " << program.error();
    EXPECT_EQ(PrintRowProgram(*program), WithConstant(printed));
  }
}

TEST(RowProgramText, PrintsANegativeNaNAsTheOneNaNItKnows) {
  auto program = *ParseRowProgram(WithConstant("nan"));
  program.statements[1].constant = std::copysign(std::numeric_limits<float>::quiet_NaN(), -1.0f);
  EXPECT_EQ(PrintRowProgram(program), WithConstant("nan"));
}

TEST(RowProgramText, RejectsNumbersOutsideF32OrSpelledOtherwise) {
  for (const char* number : {"1e39", "1e-60", "infinity", "-nan", "NaN", "0x10", "1.5f", "+1", "one", "1e"}) {
    EXPECT_EQ(ErrorOf(WithConstant(number)),
              "row program: x1 (constant): expected a number that f32 can hold (decimal, nan, inf or -inf), came '" +
                  std::string(number) + "' at byte 78");
  }
  EXPECT_NE(ErrorOf(WithConstant("0.1", "bf16")).find("x1 (constant): its number is not one of dtype bf16"),
            std::string::npos);
}

TEST(RowProgramText, RejectsAnOperandUsedBeforeItsDefinition) {
  EXPECT_EQ(ErrorOf(WithStatement("x1: f32 row = add x0, x2; x2: f32 row = abs x0")),
            "row program is not valid:\n"
            "  x1 (add): operand 1 is x2, expected a value defined before it (x0 to x0)");
  EXPECT_EQ(ErrorOf(WithStatement("x1: f32 row = abs x0; x2: f32 row = add x0, x1")).substr(0, 8), "accepted");
}

TEST(RowProgramText, NamesTheOperandThatIsMissing) {
  EXPECT_EQ(ErrorOf(WithStatement("x1: f32 row = add x0")), "row program: x1 (add): expected ',', came '}' at byte 73");
  EXPECT_EQ(ErrorOf(WithStatement("x1: f32 row = add x0,")),
            "row program: x1 (add): expected operand 1, a value such as x0, came '}' at byte 74");
  EXPECT_EQ(ErrorOf(WithStatement("x1: f32 row = abs x0, x0")),
            "row program: x1 (abs): expected ';' or '}', came ',' at byte 72");
}

TEST(RowProgramText, RejectsReferencesThatAreNotPlainNumbers) {
  for (const char* reference : {"x", "a0", "x00", "x-1", "x1y", "x99999999999", "0", "X0"}) {
    EXPECT_EQ(ErrorOf(WithStatement(std::string("x1: f32 row = abs ") + reference)),
              "row program: x1 (abs): expected operand 0, a value such as x0, came '" + std::string(reference) +
                  "' at byte 70");
  }
}

TEST(RowProgramText, RejectsNamesOutOfOrder) {
  EXPECT_EQ(ErrorOf(WithStatement("x2: f32 row = abs x0")),
            "row program: x1: expected 'x1' (names are numbered in order), came 'x2' at byte 52");
  EXPECT_EQ(ErrorOf("v1 (a1: sum f32 row) { } -> ()"),
            "row program: a0: expected 'a0' (names are numbered in order), came 'a1' at byte 4");
}

TEST(RowProgramText, ListsTheChoicesWhereAWordIsUnknown) {
  EXPECT_EQ(ErrorOf("v1 (a0: mean f32 row) { } -> ()"),
            "row program: a0: expected a role (sum, max, min, gather or local), came 'mean' at byte 8");
  EXPECT_EQ(ErrorOf("v1 (a0: sum f64 row) { } -> ()"),
            "row program: a0: expected a dtype (pred, bf16, f16, f32, f8e4m3fn or f8e5m2), came 'f64' at byte 12");
  EXPECT_EQ(ErrorOf("v1 (a0: sum f32 col) { } -> ()"),
            "row program: a0: expected a kind (scalar, vec, rowscalar or row), came 'col' at byte 16");
  EXPECT_EQ(ErrorOf(WithStatement("x1: f32 row = frobnicate x0")),
            "row program: x1: expected an operation (docs/row_program.md lists them), came 'frobnicate' at byte 66");
  EXPECT_EQ(ErrorOf(WithStatement("x1: pred row = compare x0, x0, direction=lt")),
            "row program: x1 (compare): expected a direction (EQ, NE, LT, LE, GT or GE), came 'lt' at byte 93");
}

TEST(RowProgramText, RejectsAnotherVersionAndTextAfterTheEnd) {
  EXPECT_EQ(ErrorOf("v2 (a0"), "row program: header: expected the version 'v1', came 'v2' at byte 0");
  EXPECT_EQ(ErrorOf(""), "row program: header: expected the version 'v1', came the end of the text at byte 0");
  EXPECT_EQ(ErrorOf(std::string(kSmall) + " x"),
            "row program: after the outputs: expected the end of the text, came 'x' at byte " +
                std::to_string(sizeof kSmall));
}

TEST(RowProgramText, EscapesBytesThatCannotBePrintedAndShortensLongWords) {
  EXPECT_EQ(ErrorOf(std::string("\0", 1)), "row program: header: expected the version 'v1', came '\\x00' at byte 0");
  EXPECT_EQ(ErrorOf("\xff"), "row program: header: expected the version 'v1', came '\\xff' at byte 0");
  EXPECT_EQ(ErrorOf(std::string(50, 'z')),
            "row program: header: expected the version 'v1', came '" + std::string(40, 'z') + "...' at byte 0");
}

TEST(RowProgramText, StopsReadingAtTheLimitOfStatements) {
  std::string statements;
  for (int i = 1; i < kMaxStatements; ++i) {
    statements += (i > 1 ? "; x" : "x") + std::to_string(i) + ": f32 row = abs x0";
  }
  EXPECT_EQ(ErrorOf(WithStatement(statements)).substr(0, 8), "accepted");
  const std::string error = ErrorOf(WithStatement(statements + "; x1024: f32 row = abs x0"));
  EXPECT_EQ(error.substr(0, error.find(", came")), "row program: statements: expected at most 1024 statements, so '}'");
}

}  // namespace
}  // namespace jax_oneshot
