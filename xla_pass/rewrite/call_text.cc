// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/rewrite/call_text.h"

#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "ffi_kernels/call_attributes.h"

namespace jax_oneshot {
namespace {

// Appends to a single string: the pass writes one for each call.
class Attributes {
 public:
  explicit Attributes(size_t reserve) { out_.reserve(reserve); }

  Attributes& Int(const char* name, int64_t value) {
    Name(name).Number(value);
    out_ += " : i64";
    return *this;
  }
  // `value` is not escaped: canonical program text contains no quotes and no backslashes.
  Attributes& Text(const char* name, std::string_view value) {
    Name(name).out_.append("\"").append(value).append("\"");
    return *this;
  }
  Attributes& Ints(const char* name, const std::vector<std::vector<int64_t>>& lists) {
    Name(name).out_ += "array<i64: ";
    const char* separator = "";
    for (const auto& list : lists) {
      for (int64_t value : list) {
        out_ += separator;
        Number(value);
        separator = ", ";
      }
    }
    out_ += ">";
    return *this;
  }
  std::string Take() {
    out_ += "}";
    return std::move(out_);
  }

 private:
  Attributes& Name(const char* name) {
    out_.append(out_.empty() ? "{" : ", ").append(name).append(" = ");
    return *this;
  }
  void Number(int64_t value) {
    char buffer[24];
    out_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  }

  std::string out_;
};

}  // namespace

std::string CallBackendConfig(const Region& region, const Site& site, const CallNumbers& numbers) {
  constexpr size_t kAllButTheProgram = 512;
  return Attributes(kAllButTheProgram + region.program_text.size())
      .Text(kAttrAlgorithm, AlgorithmName(numbers.algorithm))
      .Int(kAttrCall, numbers.call)
      .Int(kAttrChannelId, numbers.channel_id)
      .Text(kAttrGroupMode, GroupModeName(site.groups.mode))
      .Int(kAttrGroupSize, site.group_size)
      .Ints(kAttrGroups, site.groups.groups)
      .Text(kAttrProgram, region.program_text)
      .Int(kAttrRows, region.extent.rows)
      .Int(kAttrTimeoutMs, numbers.timeout_ms)
      .Int(kAttrWidth, region.extent.width)
      .Take();
}

}  // namespace jax_oneshot
