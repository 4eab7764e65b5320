// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/sums/product_groups.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace jax_oneshot {
namespace {

std::unordered_map<int64_t, size_t> GroupOfId(const Groups& groups) {
  std::unordered_map<int64_t, size_t> group_of;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const int64_t id : groups[g]) group_of[id] = g;
  }
  return group_of;
}

size_t IdCount(const Groups& groups) { return groups.empty() ? 0 : groups.size() * groups[0].size(); }

}  // namespace

std::optional<Groups> ProductGroups(const Groups& inner, const Groups& outer) {
  const std::unordered_map<int64_t, size_t> inner_of = GroupOfId(inner);
  // For each outer group: the union of the inner groups of its members.
  std::set<std::vector<int64_t>> products;
  for (const std::vector<int64_t>& group : outer) {
    std::vector<int64_t> ids;
    std::unordered_set<size_t> added;
    for (const int64_t id : group) {
      const auto found = inner_of.find(id);
      if (found == inner_of.end() || !added.insert(found->second).second) return std::nullopt;
      const std::vector<int64_t>& part = inner[found->second];
      ids.insert(ids.end(), part.begin(), part.end());
    }
    std::sort(ids.begin(), ids.end());
    products.insert(std::move(ids));
  }
  // All ranks of a product must sum over the same ranks, so the products must partition the ids.
  Groups result(products.begin(), products.end());
  const std::unordered_map<int64_t, size_t> product_of = GroupOfId(result);
  const bool shares_out = product_of.size() == IdCount(result) && product_of.size() == IdCount(outer) &&
                          product_of.size() == IdCount(inner);
  if (!shares_out) return std::nullopt;
  for (const std::vector<int64_t>& group : outer) {
    for (const int64_t id : group) {
      const auto found = product_of.find(id);
      if (found == product_of.end() || found->second != product_of.at(group[0])) return std::nullopt;
    }
  }
  return result;
}

}  // namespace jax_oneshot
