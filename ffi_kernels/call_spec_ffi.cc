// SPDX-License-Identifier: Apache-2.0
// Implementation of call_spec_ffi.h.
#include "ffi_kernels/call_spec_ffi.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "ffi_kernels/call_attributes.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;

class Reader {
 public:
  explicit Reader(const ffi::Dictionary& attributes) : attributes_(attributes) {}

  template <typename T>
  T Get(const char* name) {
    known_.push_back(name);
    ffi::ErrorOr<T> value = attributes_.get<T>(name);
    if (value.has_value()) return *value;
    problems_ += std::string(problems_.empty() ? "" : "; ") + name + " (" + value.error().message() + ")";
    return T();
  }

  // Call after the last Get. Unknown attributes are errors too: they may change what the call means.
  std::string Problems() const {
    std::string problems = problems_;
    for (const std::string_view name : attributes_) {
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      problems += (problems.empty() ? "" : "; ") + std::string(name) + " (unknown)";
    }
    return problems;
  }

 private:
  const ffi::Dictionary& attributes_;
  std::vector<std::string_view> known_;
  std::string problems_;
};

// Only the pass writes these attributes, so any error comes from another version of it.
tl::unexpected<std::string> WrittenByAnotherVersion(const std::string& problem) {
  return Err(problem +
             ". The call was probably compiled by another version of jax-oneshot and then saved: compile the program "
             "again with the installed version, or install the one that compiled it");
}

}  // namespace

Result<CallSpec> ReadCallSpec(const ffi::Dictionary& attributes) {
  Reader reader(attributes);
  CallAttributes call;
  call.program = reader.Get<std::string_view>(kAttrProgram);
  call.group_mode = reader.Get<std::string_view>(kAttrGroupMode);
  call.algorithm = reader.Get<std::string_view>(kAttrAlgorithm);
  call.rows = reader.Get<int64_t>(kAttrRows);
  call.width = reader.Get<int64_t>(kAttrWidth);
  call.group_size = reader.Get<int64_t>(kAttrGroupSize);
  call.channel_id = reader.Get<int64_t>(kAttrChannelId);
  call.call = reader.Get<int64_t>(kAttrCall);
  call.timeout_ms = reader.Get<int64_t>(kAttrTimeoutMs);
  const auto groups = reader.Get<ffi::Span<const int64_t>>(kAttrGroups);
  call.groups.assign(groups.begin(), groups.end());
  if (const std::string problems = reader.Problems(); !problems.empty()) {
    return WrittenByAnotherVersion(std::string(kCallTarget) + ": cannot read these attributes: " + problems);
  }
  Result<CallSpec> spec = MakeCallSpec(call);
  if (!spec) return WrittenByAnotherVersion(spec.error());
  return spec;
}

}  // namespace jax_oneshot
