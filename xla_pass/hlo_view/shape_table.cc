// SPDX-License-Identifier: Apache-2.0
// Implementation of shape_table.h.
#include "xla_pass/hlo_view/shape_table.h"

#include <utility>

namespace jax_oneshot::hlo {

Result<const Shape*> ShapeTable::Find(std::string_view bytes) {
  if (last_ != nullptr && last_->bytes == bytes) return last_;
  auto found = shapes_.find(bytes);
  if (found != shapes_.end()) return last_ = found->second.get();
  Result<Shape> shape = ParseShape(bytes);
  if (!shape) return Err(shape.error());
  auto owned = std::make_unique<const Shape>(*std::move(shape));
  return last_ = shapes_.emplace(bytes, std::move(owned)).first->second.get();
}

}  // namespace jax_oneshot::hlo
