// SPDX-License-Identifier: Apache-2.0
// Implementation of id_index.h.
#include "xla_pass/hlo_view/id_index.h"

#include <algorithm>

namespace jax_oneshot::hlo {

bool IdIndex::Build(const std::vector<int64_t>& ids) {
  table_.clear();
  sorted_.clear();
  if (ids.empty()) return true;
  const auto [lowest, highest] = std::minmax_element(ids.begin(), ids.end());
  lowest_ = *lowest;
  const uint64_t range = static_cast<uint64_t>(*highest) - static_cast<uint64_t>(*lowest);
  constexpr uint64_t kTablePerId = 4;
  constexpr uint64_t kSmallTable = 64;
  return range < kTablePerId * ids.size() + kSmallTable ? BuildTable(ids, range) : BuildSorted(ids);
}

bool IdIndex::BuildTable(const std::vector<int64_t>& ids, uint64_t range) {
  table_.assign(range + 1, -1);
  for (size_t i = 0; i < ids.size(); ++i) {
    int& slot = table_[static_cast<uint64_t>(ids[i]) - static_cast<uint64_t>(lowest_)];
    if (slot != -1) return false;
    slot = static_cast<int>(i);
  }
  return true;
}

bool IdIndex::BuildSorted(const std::vector<int64_t>& ids) {
  sorted_.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) sorted_.emplace_back(ids[i], static_cast<int>(i));
  std::sort(sorted_.begin(), sorted_.end());
  const auto same_id = [](const auto& a, const auto& b) { return a.first == b.first; };
  return std::adjacent_find(sorted_.begin(), sorted_.end(), same_id) == sorted_.end();
}

int IdIndex::Find(int64_t id) const {
  if (sorted_.empty()) {
    const uint64_t offset = static_cast<uint64_t>(id) - static_cast<uint64_t>(lowest_);
    return offset < table_.size() ? table_[offset] : -1;
  }
  const auto found = std::lower_bound(sorted_.begin(), sorted_.end(), std::pair<int64_t, int>(id, -1));
  return found != sorted_.end() && found->first == id ? found->second : -1;
}

}  // namespace jax_oneshot::hlo
