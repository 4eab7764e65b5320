#include "xla_pass/verdict/reasons.h"

namespace jax_oneshot::reason {
namespace {

std::string Quote(std::string_view name) { return "%" + std::string(name); }

}  // namespace

std::string Asynchronous(std::string_view opcode) {
  return std::string(opcode) + " is asynchronous; only the synchronous all-reduce is rewritten";
}

std::string Scheduled() {
  return "the module already has a schedule; the pass must run before scheduling (stage PRE_SCHEDULER)";
}

std::string MultiProcess() {
  return "the devices belong to several processes; the CPU kernels meet within one process only";
}

std::string UnknownGroup(std::string_view detail) {
  return "the replica groups cannot be read: " + std::string(detail);
}

std::string GroupOfUnknownSize() {
  return "the replica groups are empty (everybody), so the group size is not in the HLO; write the groups out";
}

std::string UnsupportedGroupMode(std::string_view mode) {
  return "group mode " + std::string(mode) +
         " is not supported; supported: cross_replica, cross_partition, flattened_id";
}

std::string GroupSize(int64_t size, int64_t minimum, int64_t maximum) {
  return "the group has " + std::to_string(size) + " ranks; supported: " + std::to_string(minimum) + " to " +
         std::to_string(maximum);
}

std::string UnsupportedReducer(std::string_view computation) {
  return "the reduction " + Quote(computation) + " is not a sum, maximum or minimum of its two arguments";
}

std::string UnsupportedDtype(std::string_view dtype) {
  return "the kernels have no sums in " + std::string(dtype) + "; supported: bf16, f16, f32";
}

std::string TooLarge(int64_t bytes, int64_t limit, int64_t group_size) {
  return "the message of " + std::to_string(bytes) + " bytes per rank is above the limit of " + std::to_string(limit) +
         " bytes for " + std::to_string(group_size) + " ranks (JAX_ONESHOT_MAX_BYTES)";
}

std::string Empty() { return "the all-reduce has no elements"; }

std::string Layout(std::string_view shape) { return "the layout of " + std::string(shape) + " is not row-major"; }

std::string ControlDependency() { return "the all-reduce has control dependencies, which a fused call would lose"; }

std::string TupleUsedWhole() { return "the tuple of results is used whole, not through get-tuple-element"; }

std::string FeedsReduceScatter(std::string_view slice) {
  return "its only use is " + Quote(slice) + ", a slice; XLA turns the pair into a reduce-scatter, which moves less";
}

std::string BeyondLimit() { return "JAX_ONESHOT_LIMIT is reached; this rewrite would be one more"; }

std::string LeftToCombiner(int collectives, int calls) {
  return "XLA combines it with others that do not wait for it: " + std::to_string(collectives) +
         " collectives, where there would be " + std::to_string(calls) + " with the calls";
}

std::string OutOfSteps(int64_t steps) {
  return "the pass has used up its " + std::to_string(steps) + " steps for this module; what is left stays as it is";
}

std::string Surprise(std::string_view what) { return "the pass failed here, please report it: " + std::string(what); }

std::string RegionComplete() { return "everything behind it was absorbed"; }

std::string RegionEnds(std::string_view instruction, std::string_view why) {
  return "the region ends before " + Quote(instruction) + ": " + std::string(why);
}

std::string NoEpilogueForReducer(std::string_view reducer) {
  return "an all-reduce by " + std::string(reducer) + " gets no epilogue";
}

std::string SliceNotOfColumns() { return "it does not slice the row into one piece per rank"; }

std::string SliceOfOtherWidth(int64_t width, int64_t whole, int64_t ranks) {
  return "it takes " + std::to_string(width) + " of " + std::to_string(whole) + " columns, which " +
         std::to_string(ranks) + " ranks do not share out so";
}

std::string SliceOffsetUnknown(std::string_view detail) {
  return "the offset of its slice is not known for every rank: " + std::string(detail);
}

std::string SliceAtOtherOffset(int64_t offset, int64_t id, int64_t expected) {
  return "rank " + std::to_string(id) + " slices at column " + std::to_string(offset) + ", its own columns begin at " +
         std::to_string(expected);
}

std::string GathersSeveral() { return "it gathers several values at once"; }

std::string GatherNotOfColumns() { return "it does not gather the columns of rows"; }

std::string OtherGroup() { return "its ranks are not those of the all-reduce, in the same order"; }

std::string MayDifferBetweenRanks(std::string_view instruction) {
  return "it takes columns of a value made from " + Quote(instruction) + ", which may differ between ranks";
}

std::string StaysTransposed() { return "nothing in the region transposes its rows back"; }

std::string LoopStateIsNoTuple() { return "the loop's state is not a tuple of which single elements are read"; }

std::string NoRegionTakesItIn() { return "no all-reduce of the round takes in what begins the next one"; }

std::string TooManyLoops(int64_t limit) {
  return "only the first " + std::to_string(limit) + " such loops of a module are rotated";
}

std::string RotatedModuleFails(std::string_view detail) {
  return "the pass fails on the module with rotated loops: " + std::string(detail);
}

std::string CompletesRowReduction(std::string_view all_reduce) {
  return "it completes a row reduction inside the call that " + Quote(all_reduce) + " became";
}

std::string LoneRank() { return "its groups have one rank each: there is nothing to exchange"; }

std::string FoldedInto(std::string_view all_reduce) {
  return "it and " + Quote(all_reduce) + ", over other ranks, are one all-reduce over all of them";
}

}  // namespace jax_oneshot::reason
