// SPDX-License-Identifier: Apache-2.0
// ParseWindow on Windows written by hand.
#include "xla_pass/hlo_view/window.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

using wire::Writer;

TEST(ParseWindow, ReadsEveryField) {
  namespace field = fields::window_dimension;
  const std::string dimension = Writer()
                                    .Integer(field::kSize, 32)
                                    .Integer(field::kStride, 16)
                                    .Integer(field::kPaddingLow, -1)
                                    .Integer(field::kPaddingHigh, 2)
                                    .Integer(field::kWindowDilation, 3)
                                    .Integer(field::kBaseDilation, 4)
                                    .Integer(field::kWindowReversal, 1)
                                    .Take();
  const auto window = ParseWindow(Writer().Bytes(fields::window::kDimensions, dimension).str());
  ASSERT_TRUE(window) << window.error();
  ASSERT_EQ(window->size(), 1u);
  const WindowDimension& d = (*window)[0];
  EXPECT_EQ(d.size, 32);
  EXPECT_EQ(d.stride, 16);
  EXPECT_EQ(d.padding_low, -1);
  EXPECT_EQ(d.padding_high, 2);
  EXPECT_EQ(d.window_dilation, 3);
  EXPECT_EQ(d.base_dilation, 4);
  EXPECT_TRUE(d.reversed);
}

TEST(ParseWindow, TakesAnAbsentFieldForZeroAsTheProtoDoes) {
  const auto window = ParseWindow(Writer().Bytes(fields::window::kDimensions, "").str());
  ASSERT_TRUE(window) << window.error();
  EXPECT_EQ((*window)[0].stride, 0);
  EXPECT_FALSE((*window)[0].reversed);
}

TEST(ParseWindow, RefusesACutDimension) {
  const auto window = ParseWindow(Writer().Bytes(fields::window::kDimensions, "\x08").str());
  ASSERT_FALSE(window);
  EXPECT_EQ(window.error(), "WindowDimension: a varint is cut off or longer than ten bytes at byte 0 of a message");
}

}  // namespace
}  // namespace jax_oneshot::hlo
