// SPDX-License-Identifier: Apache-2.0
// Field numbers of the HLO protos that the pass reads or writes: one namespace per message, with the proto's field
// names.
#ifndef XLA_PASS_HLO_VIEW_FIELDS_H_
#define XLA_PASS_HLO_VIEW_FIELDS_H_

#include <cstdint>

namespace jax_oneshot::hlo::fields {

namespace hlo_module {
enum : uint32_t {
  kName = 1,
  kEntryComputationName = 2,
  kComputations = 3,
  kEntryComputationId = 6,
  kSchedule = 7,
  kInputOutputAlias = 8,
  kSpmdParametersShardings = 14,
  kDeviceAssignment = 15,
  kBufferDonor = 18,
};
}  // namespace hlo_module

namespace input_output_alias {
enum : uint32_t { kEntries = 1 };
}  // namespace input_output_alias

namespace alias_entry {
enum : uint32_t { kOutputShapeIndex = 1, kParameterNumber = 2, kParameterShapeIndex = 3 };
}  // namespace alias_entry

namespace buffer_donor {
enum : uint32_t { kEntries = 1 };
}  // namespace buffer_donor

namespace hlo_computation {
enum : uint32_t { kName = 1, kInstructions = 2, kProgramShape = 4, kId = 5, kRootId = 6, kIsFusionComputation = 7 };
}  // namespace hlo_computation

namespace program_shape {
enum : uint32_t { kParameters = 1, kResult = 2 };
}  // namespace program_shape

namespace hlo_instruction {
enum : uint32_t {
  kName = 1,
  kOpcode = 2,
  kShape = 3,
  kMetadata = 7,
  kLiteral = 8,
  kParameterNumber = 9,
  kFusionKind = 11,
  kTupleIndex = 13,
  kDimensions = 14,
  kWindow = 15,
  kDynamicSliceSizes = 20,
  kChannelId = 26,
  kCustomCallTarget = 28,
  kId = 35,
  kOperandIds = 36,
  kControlPredecessorIds = 37,
  kCalledComputationIds = 38,
  kBackendConfig = 43,
  kReplicaGroups = 49,
  kConstrainLayout = 56,
  kOperandShapesWithLayout = 57,
  kComparisonDirection = 63,
  kCustomCallHasSideEffect = 65,
  kUseGlobalDeviceIds = 71,
  kComparisonType = 72,
  kCustomCallApiVersion = 77,
  kCollectiveDeviceList = 87,
  kIotaCollectiveDeviceList = 92,
  kMeshAxesReplicaGroupList = 93,
  kComparisonOrder = 102,
};
}  // namespace hlo_instruction

namespace shape {
enum : uint32_t { kElementType = 2, kDimensions = 3, kTupleShapes = 4, kLayout = 5, kIsDynamicDimension = 6 };
}  // namespace shape

namespace layout {
enum : uint32_t {
  kMinorToMajor = 1,
  kTiles = 6,
  kElementSizeInBits = 7,
  kMemorySpace = 8,
  kDimLevelTypes = 9,
  kPhysicalShape = 10,
  kDynamicShapeMetadataPrefixBytes = 15,
  kTailPaddingAlignmentInElements = 16,
  kSplitConfigs = 17,
};
}  // namespace layout

namespace literal {
enum : uint32_t {
  kShape = 1,
  kPreds = 2,
  kU8s = 3,
  kS32s = 4,
  kS64s = 5,
  kU32s = 6,
  kU64s = 7,
  kF32s = 8,
  kF64s = 9,
  kF16s = 11,
  kBf16s = 13,
  kS8s = 15,
  kU16s = 16,
  kS16s = 17,
  kF8e5m2s = 19,
  kF8e4m3fns = 20,
};
}  // namespace literal

namespace window {
enum : uint32_t { kDimensions = 1 };
}  // namespace window

namespace window_dimension {
enum : uint32_t {
  kSize = 1,
  kStride = 2,
  kPaddingLow = 3,
  kPaddingHigh = 4,
  kWindowDilation = 5,
  kBaseDilation = 6,
  kWindowReversal = 7,
};
}  // namespace window_dimension

namespace device_assignment {
enum : uint32_t { kReplicaCount = 1, kComputationCount = 2, kComputationDevices = 3 };
}  // namespace device_assignment

namespace computation_device {
enum : uint32_t { kReplicaDeviceIds = 1 };
}  // namespace computation_device

namespace replica_group {
enum : uint32_t { kReplicaIds = 1 };
}  // namespace replica_group

// kIotaReplicaGroupList: an iota list nested in the device list, as written by jaxlib before 0.11.
namespace collective_device_list {
enum : uint32_t { kReplicaGroups = 1, kIotaReplicaGroupList = 2 };
}  // namespace collective_device_list

namespace iota_replica_group_list {
enum : uint32_t { kNumReplicaGroups = 1, kNumDevicesPerGroup = 2, kIotaReshapeDims = 3, kIotaTransposePerm = 4 };
}  // namespace iota_replica_group_list

namespace mesh_axes_replica_group_list {
enum : uint32_t { kMesh = 1, kAxes = 2 };
}  // namespace mesh_axes_replica_group_list

namespace op_sharding {
enum : uint32_t { kNamedSharding = 14 };
}  // namespace op_sharding

namespace named_sharding {
enum : uint32_t { kMesh = 2, kDimShardings = 3 };
}  // namespace named_sharding

namespace dim_sharding {
enum : uint32_t { kAxes = 1, kIsClosed = 2 };
}  // namespace dim_sharding

namespace mesh {
enum : uint32_t { kAxes = 1, kDeviceIds = 2, kIotaTransform = 3 };
}  // namespace mesh

namespace mesh_axis {
enum : uint32_t { kName = 1, kSize = 2 };
}  // namespace mesh_axis

namespace iota_transform {
enum : uint32_t { kReshapeDims = 1, kTransposePerm = 2 };
}  // namespace iota_transform

namespace axis_ref {
enum : uint32_t { kMeshAxisIndex = 1, kSubAxisInfo = 2 };
}  // namespace axis_ref

namespace sub_axis {
enum : uint32_t { kPreSize = 1, kSize = 2 };
}  // namespace sub_axis

}  // namespace jax_oneshot::hlo::fields

#endif  // XLA_PASS_HLO_VIEW_FIELDS_H_
