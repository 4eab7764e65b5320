// For fuzz targets: changes one field somewhere in a tree of protobuf messages and keeps all lengths right. Mutations
// that flip bytes rarely get past the lengths.
#ifndef XLA_PASS_WIRE_MUTATE_MESSAGE_H_
#define XLA_PASS_WIRE_MUTATE_MESSAGE_H_

#include <random>
#include <string>
#include <string_view>

namespace jax_oneshot::wire {

// Bytes that are no message come back with one byte changed.
std::string MutateMessage(std::string_view bytes, std::minstd_rand* random);

}  // namespace jax_oneshot::wire

#endif  // XLA_PASS_WIRE_MUTATE_MESSAGE_H_
