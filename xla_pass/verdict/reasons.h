// The sentences that a verdict gives as its reason. Each says what would have to change and has a test; reasons why a
// region ends at one instruction are made where they are found.
#ifndef XLA_PASS_VERDICT_REASONS_H_
#define XLA_PASS_VERDICT_REASONS_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace jax_oneshot::reason {

// Kept.
std::string Asynchronous(std::string_view opcode);
std::string Scheduled();
std::string MultiProcess();
std::string UnknownGroup(std::string_view detail);
std::string GroupOfUnknownSize();
std::string UnsupportedGroupMode(std::string_view mode);
std::string GroupSize(int64_t size, int64_t minimum, int64_t maximum);
std::string UnsupportedReducer(std::string_view computation);
std::string UnsupportedDtype(std::string_view dtype);
std::string TooLarge(int64_t bytes, int64_t limit, int64_t group_size);
std::string Empty();
std::string Layout(std::string_view shape);
std::string ControlDependency();
std::string TupleUsedWhole();
std::string FeedsReduceScatter(std::string_view slice);
std::string BeyondLimit();
std::string LeftToCombiner(int collectives, int calls);
std::string OutOfSteps(int64_t steps);
std::string Surprise(std::string_view what);

// Fused and plain: where the region ends.
std::string RegionComplete();
std::string RegionEnds(std::string_view instruction, std::string_view why);
std::string NoEpilogueForReducer(std::string_view reducer);

// Why a region ends before a slice, a gather or another all-reduce.
std::string SliceNotOfColumns();
std::string SliceOfOtherWidth(int64_t width, int64_t whole, int64_t ranks);
std::string SliceOffsetUnknown(std::string_view detail);
std::string SliceAtOtherOffset(int64_t offset, int64_t id, int64_t expected);
std::string GathersSeveral();
std::string GatherNotOfColumns();
std::string OtherGroup();
std::string MayDifferBetweenRanks(std::string_view instruction);

// Why it ends before a value whose columns come first.
std::string StaysTransposed();

// Not rotated: loops, and what begins their rounds.
std::string LoopStateIsNoTuple();
std::string NoRegionTakesItIn();
std::string TooManyLoops(int64_t limit);
std::string RotatedModuleFails(std::string_view detail);

// Fused: an all-reduce that completes a row reduction inside another one's call.
std::string CompletesRowReduction(std::string_view all_reduce);

// Gone before anything is decided.
std::string LoneRank();
std::string FoldedInto(std::string_view all_reduce);

}  // namespace jax_oneshot::reason

#endif  // XLA_PASS_VERDICT_REASONS_H_
