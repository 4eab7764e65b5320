#include "xla_pass/rewrite/call_text.h"

#include "ffi_kernels/call_attributes.h"

namespace jax_oneshot {
namespace {

std::string Int(const char* name, int64_t value) {
  return std::string(name) + " = " + std::to_string(value) + " : i64";
}

// The canonical program text holds no quote and no backslash, so it needs no escaping.
std::string Text(const char* name, const std::string& value) { return std::string(name) + " = \"" + value + "\""; }

std::string GroupsText(const hlo::ReplicaGroups& groups) {
  std::string out = std::string(kAttrGroups) + " = array<i64: ";
  bool first = true;
  for (const auto& group : groups.groups) {
    for (int64_t id : group) {
      out += (first ? "" : ", ") + std::to_string(id);
      first = false;
    }
  }
  return out + ">";
}

}  // namespace

std::string CallBackendConfig(const Region& region, const Site& site, const CallNumbers& numbers) {
  std::string out = "{";
  out += Int(kAttrCall, numbers.call) + ", ";
  out += Int(kAttrChannelId, numbers.channel_id) + ", ";
  out += Text(kAttrGroupMode, GroupModeName(site.groups.mode)) + ", ";
  out += Int(kAttrGroupSize, site.group_size) + ", ";
  out += GroupsText(site.groups) + ", ";
  out += Text(kAttrProgram, region.program_text) + ", ";
  out += Int(kAttrRows, region.extent.rows) + ", ";
  out += Int(kAttrTimeoutMs, numbers.timeout_ms) + ", ";
  out += Int(kAttrWidth, region.extent.width) + "}";
  return out;
}

}  // namespace jax_oneshot
