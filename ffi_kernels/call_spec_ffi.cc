// In:  the attributes of one custom-call from XLA's typed FFI. Out: CallSpec. See call_spec_ffi.h.
#include "ffi_kernels/call_spec_ffi.h"

#include <string>

#include "ffi_kernels/call_attributes.h"

namespace jax_oneshot {
namespace {

namespace ffi = xla::ffi;

class Reader {
 public:
  explicit Reader(const ffi::Dictionary& attributes) : attributes_(attributes) {}

  template <typename T>
  T Get(const char* name) {
    ffi::ErrorOr<T> value = attributes_.get<T>(name);
    if (value.has_value()) return *value;
    problems_ += std::string(problems_.empty() ? "" : "; ") + name + " (" + value.error().message() + ")";
    return T();
  }

  const std::string& problems() const { return problems_; }

 private:
  const ffi::Dictionary& attributes_;
  std::string problems_;
};

}  // namespace

Result<CallSpec> ReadCallSpec(const ffi::Dictionary& attributes) {
  Reader reader(attributes);
  CallAttributes call;
  call.program = reader.Get<std::string_view>(kAttrProgram);
  call.group_mode = reader.Get<std::string_view>(kAttrGroupMode);
  call.rows = reader.Get<int64_t>(kAttrRows);
  call.width = reader.Get<int64_t>(kAttrWidth);
  call.group_size = reader.Get<int64_t>(kAttrGroupSize);
  call.channel_id = reader.Get<int64_t>(kAttrChannelId);
  call.call = reader.Get<int64_t>(kAttrCall);
  call.timeout_ms = reader.Get<int64_t>(kAttrTimeoutMs);
  const auto groups = reader.Get<ffi::Span<const int64_t>>(kAttrGroups);
  call.groups.assign(groups.begin(), groups.end());
  if (!reader.problems().empty()) {
    return Err(std::string(kCallTarget) + ": cannot read these attributes: " + reader.problems() +
               ". They are written by the jax-oneshot pass; is the library that runs the call of another version?");
  }
  return MakeCallSpec(call);
}

}  // namespace jax_oneshot
