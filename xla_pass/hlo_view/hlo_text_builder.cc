// SPDX-License-Identifier: Apache-2.0
// Implementation of hlo_text_builder.h.
#include "xla_pass/hlo_view/hlo_text_builder.h"

#include <map>
#include <utility>
#include <vector>

#include "base/float_types.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/hlo_view/hlo_builder.h"
#include "xla_pass/hlo_view/replica_groups_builder.h"
#include "xla_pass/hlo_view/shape.h"
#include "xla_pass/hlo_view/text_scanner.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

namespace field = fields::hlo_instruction;
using wire::Writer;

PrimitiveType TypeOf(Scanner* in, const std::string& name) {
  for (int32_t type = 1; type <= static_cast<int32_t>(PrimitiveType::kF8E4M3FN); ++type) {
    if (name == PrimitiveTypeName(static_cast<PrimitiveType>(type))) return static_cast<PrimitiveType>(type);
  }
  in->Fail("'" + name + "' is no type,");
}

std::string ParseShapeText(Scanner* in, PrimitiveType* type) {
  if (in->Accept("(")) {
    *type = PrimitiveType::kTuple;
    Writer out;
    out.Integer(fields::shape::kElementType, static_cast<int64_t>(PrimitiveType::kTuple));
    PrimitiveType element;
    for (; !in->Accept(")"); in->Accept(",")) out.Bytes(fields::shape::kTupleShapes, ParseShapeText(in, &element));
    return out.Take();
  }
  *type = TypeOf(in, in->Word());
  const std::vector<int64_t> dimensions = in->Integers("[", "]");
  return TestShape(*type, dimensions, in->Peek("{") ? in->Integers("{", "}") : std::vector<int64_t>());
}

template <typename T>
std::string Raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

// A single number is repeated for all elements.
std::string LiteralOf(Scanner* in, const std::string& shape, PrimitiveType type) {
  std::vector<std::string> words = in->Peek("{") ? in->Words("{", "}") : std::vector<std::string>{in->Word()};
  const int64_t count = ParseShape(shape).value().ElementCount();
  if (words.size() == 1) words.resize(static_cast<size_t>(count), words[0]);
  Writer out;
  out.Bytes(fields::literal::kShape, shape);
  std::string bytes;
  std::vector<int64_t> integers;
  for (const std::string& word : words) {
    if (type == PrimitiveType::kF32) bytes += Raw(std::stof(word));
    if (type == PrimitiveType::kBF16) bytes += Raw(F32ToBF16(std::stof(word)));
    if (type == PrimitiveType::kPred) integers.push_back(word == "true" ? 1 : 0);
    if (type == PrimitiveType::kS32 || type == PrimitiveType::kU32) integers.push_back(std::stoll(word));
  }
  if (bytes.empty() && integers.empty()) in->Fail("a constant of this type is not understood");
  if (type == PrimitiveType::kF32) out.Bytes(fields::literal::kF32s, bytes);
  if (type == PrimitiveType::kBF16) out.Bytes(fields::literal::kBf16s, bytes);
  if (type == PrimitiveType::kPred) out.Packed(fields::literal::kPreds, integers);
  if (type == PrimitiveType::kS32) out.Packed(fields::literal::kS32s, integers);
  if (type == PrimitiveType::kU32) out.Packed(fields::literal::kU32s, integers);
  return out.Take();
}

// "1x32" -> 1, 32
std::vector<int64_t> SplitAtX(const std::string& word) {
  std::vector<int64_t> numbers = {std::stoll(word)};
  for (size_t x = word.find('x'); x != std::string::npos; x = word.find('x', x + 1)) {
    numbers.push_back(std::stoll(word.substr(x + 1)));
  }
  return numbers;
}

// {size=1x32 stride=1x32 pad=0_0x16_16}
std::string WindowOf(Scanner* in) {
  std::map<std::string, std::string> parts;
  for (in->Expect("{"); !in->Accept("}");) {
    const std::string name = in->Word();
    in->Expect("=");
    parts[name] = in->Word();
  }
  const std::vector<int64_t> sizes = SplitAtX(parts["size"]);
  const std::vector<int64_t> strides = SplitAtX(parts.count("stride") != 0 ? parts["stride"] : parts["size"]);
  Writer out;
  std::string pads = parts["pad"];
  for (size_t d = 0; d < sizes.size(); ++d) {
    Writer dimension;
    dimension.Integer(fields::window_dimension::kSize, sizes[d])
        .Integer(fields::window_dimension::kStride, strides.at(d))
        .Integer(fields::window_dimension::kWindowDilation, 1)
        .Integer(fields::window_dimension::kBaseDilation, 1);
    if (!pads.empty()) {
      dimension.Integer(fields::window_dimension::kPaddingLow, std::stoll(pads));
      pads.erase(0, pads.find('_') + 1);
      dimension.Integer(fields::window_dimension::kPaddingHigh, std::stoll(pads));
      pads.erase(0, pads.find('x') + 1);
    }
    out.Bytes(fields::window::kDimensions, dimension.str());
  }
  return out.Take();
}

class TextParser {
 public:
  explicit TextParser(std::string_view text) : in_(text) {}

  std::vector<TestComputation> Run() {
    while (!in_.AtEnd()) ParseComputation();
    return std::move(computations_);
  }

 private:
  void ParseComputation() {
    TestComputation computation;
    computation.name = in_.Word();
    computation.id = static_cast<int64_t>(computations_.size()) + 1;
    names_.clear();
    for (in_.Expect("{"); !in_.Accept("}");) {
      const bool is_root = in_.Accept("ROOT ");
      computation.instructions.push_back(ParseInstructionText());
      if (is_root || !has_root_) computation.root_id = next_id_;
      has_root_ |= is_root;
    }
    has_root_ = false;
    computation_ids_[computation.name] = computation.id;
    computations_.push_back(std::move(computation));
  }

  TestInstruction ParseInstructionText() {
    TestInstruction out;
    out.id = ++next_id_;
    out.name = in_.Word();
    names_[out.name] = out.id;
    in_.Expect("=");
    PrimitiveType type;
    out.shape = ParseShapeText(&in_, &type);
    out.opcode = in_.Word();
    if (out.opcode == "parameter") {
      out.more = Writer().Integer(field::kParameterNumber, in_.Integers("(", ")").at(0)).Take();
    } else if (out.opcode == "constant") {
      in_.Expect("(");
      out.more = Writer().Bytes(field::kLiteral, LiteralOf(&in_, out.shape, type)).Take();
      in_.Expect(")");
    } else {
      for (const std::string& operand : in_.Words("(", ")")) out.operands.push_back(IdOf(names_, operand));
    }
    while (in_.Accept(",")) ParseAttribute(&out);
    return out;
  }

  void ParseAttribute(TestInstruction* out) {
    const std::string key = in_.Word();
    in_.Expect("=");
    Writer more;
    if (key == "to_apply" || key == "calls" || key == "body" || key == "condition") {
      out->called_computations.push_back(IdOf(computation_ids_, in_.Word()));
    } else if (key == "control-predecessors") {
      for (const std::string& name : in_.Words("{", "}")) out->control_predecessors.push_back(IdOf(names_, name));
    } else if (key == "replica_groups") {
      for (in_.Expect("{"); !in_.Accept("}"); in_.Accept(",")) {
        more.Bytes(field::kReplicaGroups, TestGroup(in_.Integers("{", "}")));
      }
    } else if (key == "dimensions") {
      more.Packed(field::kDimensions, in_.Integers("{", "}"));
    } else if (key == "dynamic_slice_sizes") {
      more.Packed(field::kDynamicSliceSizes, in_.Integers("{", "}"));
    } else if (key == "window") {
      more.Bytes(field::kWindow, WindowOf(&in_));
    } else {
      ParsePlainAttribute(key, &more);
    }
    out->more += more.Take();
  }

  void ParsePlainAttribute(const std::string& key, Writer* more) {
    const std::string value = in_.Word();
    if (key == "index") {
      more->Integer(field::kTupleIndex, std::stoll(value));
    } else if (key == "channel_id") {
      more->Integer(field::kChannelId, std::stoll(value));
    } else if (key == "use_global_device_ids") {
      more->Integer(field::kUseGlobalDeviceIds, value == "true" ? 1 : 0);
    } else if (key == "direction") {
      more->Bytes(field::kComparisonDirection, value);
    } else if (key == "kind") {
      more->Bytes(field::kFusionKind, value);
    } else if (key == "type") {
      more->Bytes(field::kComparisonType, value);
    } else {
      in_.Fail("attribute '" + key + "' is not understood");
    }
  }

  int64_t IdOf(const std::map<std::string, int64_t>& ids, const std::string& name) const {
    const auto found = ids.find(name);
    if (found == ids.end()) in_.Fail("'" + name + "' is not defined before");
    return found->second;
  }

  Scanner in_;
  std::vector<TestComputation> computations_;
  std::map<std::string, int64_t> computation_ids_, names_;
  int64_t next_id_ = 0;
  bool has_root_ = false;
};

}  // namespace

std::string ModuleFromText(std::string_view text) {
  const std::vector<TestComputation> computations = TextParser(text).Run();
  return BuildTestModule(computations, static_cast<int64_t>(computations.size()));
}

}  // namespace jax_oneshot::hlo
