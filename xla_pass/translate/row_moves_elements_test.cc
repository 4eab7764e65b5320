// SPDX-License-Identifier: Apache-2.0
// Row layouts against their definition: every small shape, row layout, permutation and layout, element by element.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "xla_pass/rows/row_moves.h"

namespace jax_oneshot {
namespace {

using V = std::vector<int64_t>;
using Cell = std::pair<int64_t, int64_t>;  // row, column

// All shapes of up to three dimensions of size one to three.
std::vector<V> Shapes() {
  std::vector<V> shapes = {{}};
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i].size() == 3) continue;
    for (int64_t size = 1; size <= 3; ++size) {
      V longer = shapes[i];
      longer.push_back(size);
      shapes.push_back(longer);
    }
  }
  return shapes;
}

std::vector<V> Permutations(size_t rank) {
  V order(rank);
  std::iota(order.begin(), order.end(), 0);
  std::vector<V> all;
  do {
    all.push_back(order);
  } while (std::next_permutation(order.begin(), order.end()));
  return all;
}

std::vector<RowLayout> Folds(const V& dims) {
  std::vector<RowLayout> folds;
  for (const bool columns_first : {false, true}) {
    for (int split = 0; split <= static_cast<int>(dims.size()); ++split) folds.push_back({split, columns_first});
  }
  return folds;
}

// The index along each dimension of the element at a row-major position.
V IndexOf(const V& dims, int64_t place) {
  V index(dims.size());
  for (size_t d = dims.size(); d-- > 0; place /= dims[d]) index[d] = place % dims[d];
  return index;
}

int64_t PlaceOf(const V& dims, const V& index) {
  int64_t place = 0;
  for (size_t d = 0; d < dims.size(); ++d) place = place * dims[d] + index[d];
  return place;
}

int64_t Elements(const V& dims) { return Product(dims, 0, dims.size()); }

// The row and column of each element, in row-major order.
std::vector<Cell> Cells(const V& dims, const RowLayout& fold) {
  std::vector<Cell> cells;
  for (int64_t place = 0; place < Elements(dims); ++place) {
    const V index = IndexOf(dims, place);
    Cell cell = {0, 0};
    for (size_t d = 0; d < dims.size(); ++d) {
      int64_t& at = fold.IsRow(static_cast<int>(d)) ? cell.first : cell.second;
      at = at * dims[d] + index[d];
    }
    cells.push_back(cell);
  }
  return cells;
}

bool SomeFoldHas(const V& dims, const std::vector<Cell>& cells) {
  const std::vector<RowLayout> folds = Folds(dims);
  return std::any_of(folds.begin(), folds.end(), [&](const RowLayout& fold) { return Cells(dims, fold) == cells; });
}

TEST(RowLayoutsAgree, WhereTheyPutEveryElementInTheSamePlace) {
  for (const V& dims : Shapes()) {
    for (const RowLayout& a : Folds(dims)) {
      for (const RowLayout& b : Folds(dims)) EXPECT_EQ(RowLayoutsAgree(dims, a, b), Cells(dims, a) == Cells(dims, b));
    }
  }
}

TEST(RowsFirstIfEither, LeavesEveryElementInItsPlace) {
  for (const V& dims : Shapes()) {
    for (const RowLayout& fold : Folds(dims)) {
      const RowLayout found = RowsFirstIfEither(dims, fold);
      EXPECT_EQ(Cells(dims, found), Cells(dims, fold));
      const RowExtent extent = ExtentAt(dims, fold);
      EXPECT_EQ(found.columns_first, fold.columns_first && extent.rows > 1 && extent.width > 1);
    }
  }
}

TEST(RowLayoutAfterReshape, IsFoundWhereverThereIsOne) {
  for (const V& from : Shapes()) {
    for (const V& to : Shapes()) {
      if (Elements(from) != Elements(to)) continue;
      for (const RowLayout& fold : Folds(from)) {
        const auto found = RowLayoutAfterReshape(from, fold, to);
        ASSERT_EQ(found.has_value(), SomeFoldHas(to, Cells(from, fold)));
        if (found) {
          EXPECT_EQ(Cells(to, *found), Cells(from, fold));
        }
      }
    }
  }
}

TEST(RowLayoutAfterTranspose, IsFoundWhereverThereIsOne) {
  for (const V& from : Shapes()) {
    for (const V& permutation : Permutations(from.size())) {
      V to;
      for (int64_t d : permutation) to.push_back(from[d]);
      for (const RowLayout& fold : Folds(from)) {
        const std::vector<Cell> before = Cells(from, fold);
        std::vector<Cell> after;
        for (int64_t place = 0; place < Elements(to); ++place) {
          const V index = IndexOf(to, place);
          V source(from.size());
          for (size_t d = 0; d < to.size(); ++d) source[permutation[d]] = index[d];
          after.push_back(before[PlaceOf(from, source)]);
        }
        const auto found = RowLayoutAfterTranspose(from, fold, permutation);
        ASSERT_EQ(found.has_value(), SomeFoldHas(to, after));
        if (found) {
          EXPECT_EQ(Cells(to, *found), after);
        }
      }
    }
  }
}

// Ascending broadcast dimensions, for an operand and a result of these ranks.
std::vector<V> Mappings(size_t operand_rank, size_t rank) {
  std::vector<V> mappings;
  for (unsigned set = 0; set < 1u << rank; ++set) {
    V mapping;
    for (size_t d = 0; d < rank; ++d) {
      if ((set >> d & 1) != 0) mapping.push_back(static_cast<int64_t>(d));
    }
    if (mapping.size() == operand_rank) mappings.push_back(mapping);
  }
  return mappings;
}

// True if every result element equals the operand's element in its row and column, as far as the operand has several.
bool SpreadsAlongRowsAndColumns(const V& from, const RowLayout& fold, const V& mapping, const V& to,
                                const RowLayout& to_fold) {
  const RowExtent extent = ExtentAt(from, fold);
  const std::vector<Cell> operand = Cells(from, fold);
  const std::vector<Cell> result = Cells(to, to_fold);
  for (int64_t place = 0; place < Elements(to); ++place) {
    const V index = IndexOf(to, place);
    V source;
    for (int64_t d : mapping) source.push_back(index[d]);
    const auto [row, column] = operand[PlaceOf(from, source)];
    if (extent.rows > 1 && row != result[place].first) return false;
    if (extent.width > 1 && column != result[place].second) return false;
  }
  return true;
}

// Calls `check` with each broadcast of one small shape to another.
template <typename Check>
void ForEachBroadcast(const Check& check) {
  for (const V& from : Shapes()) {
    for (const V& to : Shapes()) {
      for (const V& mapping : Mappings(from.size(), to.size())) {
        bool fits = true;
        for (size_t i = 0; i < from.size(); ++i) fits &= from[i] == to[mapping[i]];
        if (fits) check(from, mapping, to);
      }
    }
  }
}

TEST(RowLayoutAfterBroadcast, SpreadsAlongRowsAndColumns) {
  ForEachBroadcast([](const V& from, const V& mapping, const V& to) {
    for (const RowLayout& fold : Folds(from)) {
      for (const RowLayout& to_fold : Folds(to)) {
        const RowExtent extent = ExtentAt(to, to_fold);
        if (!KindAt(from, fold, extent)) continue;
        const auto found = RowLayoutAfterBroadcast(from, fold, mapping, to, extent);
        if (found) {
          ASSERT_TRUE(SpreadsAlongRowsAndColumns(from, fold, mapping, to, *found));
        }
      }
    }
  });
}

TEST(RowLayoutBeforeBroadcast, SpreadsAlongRowsAndColumns) {
  ForEachBroadcast([](const V& from, const V& mapping, const V& to) {
    for (const RowLayout& to_fold : Folds(to)) {
      const auto found = RowLayoutBeforeBroadcast(from, mapping, to_fold);
      ASSERT_TRUE(found.has_value());
      if (!KindAt(from, *found, ExtentAt(to, to_fold))) continue;
      ASSERT_TRUE(SpreadsAlongRowsAndColumns(from, *found, mapping, to, to_fold));
    }
  });
}

// The same in memory order.
std::vector<Cell> CellsInMemory(const hlo::Shape& shape, const RowLayout& fold) {
  const V& dims = shape.dimensions;
  const std::vector<Cell> cells = Cells(dims, fold);
  std::vector<Cell> in_memory(cells.size());
  for (int64_t place = 0; place < Elements(dims); ++place) {
    const V index = IndexOf(dims, place);
    int64_t offset = 0, stride = 1;
    for (int64_t d : shape.minor_to_major) {
      offset += index[d] * stride;
      stride *= dims[d];
    }
    in_memory[offset] = cells[place];
  }
  return in_memory;
}

TEST(RowLayoutAfterBitcast, LeavesEveryElementInItsPlaceInMemory) {
  hlo::Shape from, to;
  for (const V& from_dims : Shapes()) {
    for (const V& to_dims : Shapes()) {
      if (Elements(from_dims) != Elements(to_dims)) continue;
      from.dimensions = from_dims;
      to.dimensions = to_dims;
      for (const V& from_layout : Permutations(from_dims.size())) {
        for (const V& to_layout : Permutations(to_dims.size())) {
          from.minor_to_major = from_layout;
          to.minor_to_major = to_layout;
          for (const RowLayout& fold : Folds(from_dims)) {
            const auto found = RowLayoutAfterBitcast(from, fold, to);
            if (found) {
              ASSERT_EQ(CellsInMemory(to, *found), CellsInMemory(from, fold));
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace jax_oneshot
