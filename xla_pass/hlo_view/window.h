// SPDX-License-Identifier: Apache-2.0
// The dimensions of a serialized Window (of a reduce-window).
#ifndef XLA_PASS_HLO_VIEW_WINDOW_H_
#define XLA_PASS_HLO_VIEW_WINDOW_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jax_oneshot::hlo {

struct WindowDimension {
  int64_t size = 1, stride = 1, padding_low = 0, padding_high = 0, window_dilation = 1, base_dilation = 1;
  bool reversed = false;
};

Result<std::vector<WindowDimension>> ParseWindow(std::string_view bytes);

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_WINDOW_H_
