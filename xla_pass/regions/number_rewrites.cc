// SPDX-License-Identifier: Apache-2.0
#include "xla_pass/regions/number_rewrites.h"

#include <algorithm>
#include <unordered_map>

namespace jax_oneshot {

std::vector<int64_t> NumberRewrites(const std::vector<Region>& regions, int64_t first_number) {
  // By region: an earlier region that shares an all-reduce with it, or itself.
  std::vector<size_t> earlier(regions.size());
  const auto first_of = [&](size_t region) {
    while (earlier[region] != region) region = earlier[region];
    return region;
  };
  std::unordered_map<int, size_t> region_of_site;
  for (size_t r = 0; r < regions.size(); ++r) {
    earlier[r] = r;
    for (const SiteRef& seed : regions[r].seeds) {
      const auto [known, is_new] = region_of_site.emplace(seed.site, r);
      if (is_new) continue;
      const size_t a = first_of(known->second);
      const size_t b = first_of(r);
      earlier[std::max(a, b)] = std::min(a, b);
    }
  }
  std::vector<int64_t> numbers(regions.size());
  int64_t next = first_number;
  for (size_t r = 0; r < regions.size(); ++r) numbers[r] = earlier[r] == r ? next++ : numbers[first_of(r)];
  return numbers;
}

}  // namespace jax_oneshot
