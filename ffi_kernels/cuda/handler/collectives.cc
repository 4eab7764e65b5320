// SPDX-License-Identifier: Apache-2.0
// Implementation of collectives.h.
#include "ffi_kernels/cuda/handler/collectives.h"

#include <string_view>

namespace jax_oneshot::cuda {
namespace {

namespace ffi = xla::ffi;

// The communicator of XLA's own collectives of the same groups: none is created only for us.
constexpr int64_t kCommunicationId = 0;

ffi::GroupMode ModeOf(std::string_view name) {
  if (name == "cross_replica") return ffi::GroupMode::kCrossReplica;
  if (name == "cross_partition") return ffi::GroupMode::kCrossPartition;
  return ffi::GroupMode::kFlattenedId;
}

std::vector<XLA_FFI_ReplicaGroup> Raw(const CliqueRequest& request) {
  std::vector<XLA_FFI_ReplicaGroup> raw;
  for (const std::vector<int64_t>& group : request.groups) raw.push_back({group.data(), group.size()});
  return raw;
}

}  // namespace

CliqueRequest::CliqueRequest(const Groups& groups) : mode(ModeOf(groups.mode())), groups(groups.Lists()) {}

Result<void> Collectives::Request(const CliqueRequest& request) const {
  const std::vector<XLA_FFI_ReplicaGroup> groups = Raw(request);
  XLA_FFI_Communicator_Request_Args args = {};
  args.struct_size = XLA_FFI_Communicator_Request_Args_STRUCT_SIZE;
  args.group_mode = static_cast<XLA_FFI_CollectiveGroupMode>(request.mode);
  args.groups = groups.data();
  args.num_groups = groups.size();
  args.communication_id = kCommunicationId;
  return Check(extension_->request_communicator(extension_, &args));
}

Result<void*> Collectives::Get(const CliqueRequest& request) const {
  const std::vector<XLA_FFI_ReplicaGroup> groups = Raw(request);
  XLA_FFI_Communicator_Get_Args args = {};
  args.struct_size = XLA_FFI_Communicator_Get_Args_STRUCT_SIZE;
  args.group_mode = static_cast<XLA_FFI_CollectiveGroupMode>(request.mode);
  args.groups = groups.data();
  args.num_groups = groups.size();
  args.communication_id = kCommunicationId;
  if (Result<void> got = Check(extension_->get_communicator(extension_, &args)); !got) return Err(got.error());
  if (args.communicator == nullptr) return Err("XLA has no communicator for this call's groups");
  return static_cast<void*>(args.communicator);
}

Result<void> Collectives::Check(XLA_FFI_Error* error) const {
  if (error == nullptr) return {};
  const std::string message = ffi::internal::GetErrorMessage(api_, error);
  ffi::internal::DestroyError(api_, error);
  return Err("XLA gives no communicator: " + message);
}

}  // namespace jax_oneshot::cuda
