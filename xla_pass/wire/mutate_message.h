// SPDX-License-Identifier: Apache-2.0
// For fuzz targets: changes one field somewhere in a tree of protobuf messages and keeps all lengths consistent. Byte
// flips rarely get past the length checks.
#ifndef XLA_PASS_WIRE_MUTATE_MESSAGE_H_
#define XLA_PASS_WIRE_MUTATE_MESSAGE_H_

#include <random>
#include <string>
#include <string_view>

namespace jax_oneshot::wire {

// If the bytes are not a message, one byte is changed.
std::string MutateMessage(std::string_view bytes, std::minstd_rand* random);

}  // namespace jax_oneshot::wire

#endif  // XLA_PASS_WIRE_MUTATE_MESSAGE_H_
