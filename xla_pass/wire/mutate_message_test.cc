// SPDX-License-Identifier: Apache-2.0
// MutateMessage changes messages, and the result usually still is one.
#include "xla_pass/wire/mutate_message.h"

#include <gtest/gtest.h>

#include "xla_pass/wire/wire.h"

namespace jax_oneshot::wire {
namespace {

bool IsMessage(const std::string& bytes) {
  Reader reader(bytes);
  Field field;
  while (reader.Next(&field)) {
  }
  return reader.ok();
}

TEST(MutateMessage, ChangesAMessageAndMostlyKeepsItOne) {
  const std::string inner = Writer().Integer(1, 5).Packed(2, {1, 2, 3}).Take();
  const std::string message = Writer().Bytes(1, "name").Bytes(3, inner).Integer(6, 7).Take();
  std::minstd_rand random(1);
  int messages = 0, changed = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string mutated = MutateMessage(message, &random);
    messages += IsMessage(mutated) ? 1 : 0;
    changed += mutated != message ? 1 : 0;
  }
  EXPECT_GT(messages, 900);
  EXPECT_GT(changed, 900);
}

TEST(MutateMessage, TakesBytesThatAreNoMessage) {
  std::minstd_rand random(1);
  EXPECT_NE(MutateMessage("\xff", &random), "\xff");
  EXPECT_EQ(MutateMessage("", &random).size(), 1u);
}

TEST(MutateMessage, RepeatsItselfForOneSeed) {
  const std::string message = Writer().Bytes(1, "name").Integer(6, 7).Take();
  std::minstd_rand first(9), second(9);
  EXPECT_EQ(MutateMessage(message, &first), MutateMessage(message, &second));
}

}  // namespace
}  // namespace jax_oneshot::wire
