// SPDX-License-Identifier: Apache-2.0
// Parses each distinct ShapeProto once: a module of thousands of instructions has a few dozen shapes.
#ifndef XLA_PASS_HLO_VIEW_SHAPE_TABLE_H_
#define XLA_PASS_HLO_VIEW_SHAPE_TABLE_H_

#include <memory>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "xla_pass/hlo_view/shape.h"

namespace jax_oneshot::hlo {

class ShapeTable {
 public:
  // The Shape lives as long as the table; `bytes` must outlive the table.
  Result<const Shape*> Find(std::string_view bytes);

 private:
  std::unordered_map<std::string_view, std::unique_ptr<const Shape>> shapes_;
  const Shape* last_ = nullptr;  // consecutive instructions often have the same shape
};

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_SHAPE_TABLE_H_
