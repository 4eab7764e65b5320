// SPDX-License-Identifier: Apache-2.0
// Implementation of call_spec.h.
#include "ffi_kernels/call_spec.h"

#include <optional>
#include <utility>

#include "ffi_kernels/call_attributes.h"
#include "row_program/text.h"

namespace jax_oneshot {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 40;
constexpr int64_t kMaxTimeoutMs = int64_t{1000} * 60 * 60 * 24 * 365;

std::string CallName(const CallAttributes& attributes) {
  std::string name = "one-shot all-reduce " + std::to_string(attributes.call);
  if (attributes.channel_id != 0) name += " (channel " + std::to_string(attributes.channel_id) + ")";
  return name;
}

Result<void> CheckRange(const char* attribute, int64_t value, int64_t max) {
  if (value >= 1 && value <= max) return {};
  return Err(std::string("attribute ") + attribute + " is " + std::to_string(value) + ", expected 1 to " +
             std::to_string(max));
}

Result<void> CheckNumbers(const CallAttributes& attributes) {
  const Result<void> checks[] = {
      CheckRange(kAttrRows, attributes.rows, kMaxElements),
      CheckRange(kAttrWidth, attributes.width, kMaxElements),
      CheckRange(kAttrTimeoutMs, attributes.timeout_ms, kMaxTimeoutMs),
  };
  for (const Result<void>& check : checks) {
    if (!check) return check;
  }
  if (attributes.rows <= kMaxElements / attributes.width) return {};
  return Err("attributes rows and width are " + std::to_string(attributes.rows) + " and " +
             std::to_string(attributes.width) + ", expected at most " + std::to_string(kMaxElements) + " elements");
}

Result<void> CheckShards(const RowProgram& program, const CallAttributes& attributes) {
  if (!HasShards(program) || attributes.width % attributes.group_size == 0) return {};
  return Err("attribute width is " + std::to_string(attributes.width) + ", which " +
             std::to_string(attributes.group_size) +
             " ranks (attribute group_size) do not divide, but the program has shards; expected a multiple");
}

}  // namespace

Result<CallSpec> MakeCallSpec(const CallAttributes& attributes) {
  const std::string name = CallName(attributes);
  const Result<void> numbers = CheckNumbers(attributes);
  if (!numbers) return Err(name + ": " + numbers.error());
  Result<Groups> groups = Groups::Create(attributes.group_mode, attributes.groups, attributes.group_size);
  if (!groups) return Err(name + ": " + groups.error());
  Result<RowProgram> program = ParseRowProgram(attributes.program);
  if (!program) return Err(name + ": attribute program: " + program.error());
  const std::optional<Algorithm> algorithm = ParseAlgorithm(attributes.algorithm);
  if (!algorithm) {
    return Err(name + ": attribute algorithm is '" + std::string(attributes.algorithm) +
               "', expected 'one_shot' or 'two_shot'");
  }
  const Result<void> shards = CheckShards(*program, attributes);
  if (!shards) return Err(name + ": " + shards.error());
  return CallSpec{*std::move(program),
                  attributes.rows,
                  attributes.width,
                  *std::move(groups),
                  name,
                  std::chrono::milliseconds(attributes.timeout_ms),
                  *algorithm};
}

}  // namespace jax_oneshot
