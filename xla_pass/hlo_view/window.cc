// SPDX-License-Identifier: Apache-2.0
// Implementation of window.h.
#include "xla_pass/hlo_view/window.h"

#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot::hlo {
namespace {

void SetField(const wire::Field& field, WindowDimension* dimension) {
  const auto value = static_cast<int64_t>(field.integer);
  switch (field.number) {
    case fields::window_dimension::kSize:
      dimension->size = value;
      break;
    case fields::window_dimension::kStride:
      dimension->stride = value;
      break;
    case fields::window_dimension::kPaddingLow:
      dimension->padding_low = value;
      break;
    case fields::window_dimension::kPaddingHigh:
      dimension->padding_high = value;
      break;
    case fields::window_dimension::kWindowDilation:
      dimension->window_dilation = value;
      break;
    case fields::window_dimension::kBaseDilation:
      dimension->base_dilation = value;
      break;
    case fields::window_dimension::kWindowReversal:
      dimension->reversed = value != 0;
      break;
    default:
      break;
  }
}

Result<WindowDimension> ParseDimension(std::string_view bytes) {
  WindowDimension dimension;
  // An absent field means 0 in the proto, whatever the defaults of the struct.
  dimension.size = dimension.stride = dimension.window_dilation = dimension.base_dilation = 0;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.Next(&field)) SetField(field, &dimension);
  if (!reader.ok()) return Err("WindowDimension: " + reader.error());
  return dimension;
}

}  // namespace

Result<std::vector<WindowDimension>> ParseWindow(std::string_view bytes) {
  std::vector<WindowDimension> dimensions;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number != fields::window::kDimensions) continue;
    auto dimension = ParseDimension(field.payload);
    if (!dimension) return Err(std::move(dimension.error()));
    dimensions.push_back(*dimension);
  }
  if (!reader.ok()) return Err("Window: " + reader.error());
  return dimensions;
}

}  // namespace jax_oneshot::hlo
