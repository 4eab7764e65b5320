// SPDX-License-Identifier: Apache-2.0
// Maps ids to positions: instructions within a computation, computations within a module.
#ifndef XLA_PASS_HLO_VIEW_ID_INDEX_H_
#define XLA_PASS_HLO_VIEW_ID_INDEX_H_

#include <cstdint>
#include <utility>
#include <vector>

namespace jax_oneshot::hlo {

// XLA assigns ids densely, so a table nearly always works; sparse ids are sorted instead.
class IdIndex {
 public:
  // Replaces the previous contents. False if an id occurs twice.
  bool Build(const std::vector<int64_t>& ids);
  int Find(int64_t id) const;  // position, or -1

 private:
  bool BuildTable(const std::vector<int64_t>& ids, uint64_t range);
  bool BuildSorted(const std::vector<int64_t>& ids);

  int64_t lowest_ = 0;
  std::vector<int> table_;                       // by id - lowest_; empty when sorted_ is used
  std::vector<std::pair<int64_t, int>> sorted_;  // (id, position)
};

}  // namespace jax_oneshot::hlo

#endif  // XLA_PASS_HLO_VIEW_ID_INDEX_H_
