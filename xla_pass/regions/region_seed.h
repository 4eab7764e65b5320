// SPDX-License-Identifier: Apache-2.0
// RegionSeed: what a region is grown from. It is either the sums of one or more all-reduces:
//
//   %a = all-reduce(%p); %b = all-reduce(%q); %y = add(%a, %b)    from %a; %b joins when add needs it
//
// or, for a norm of shards that follows no sum, each rank's columns (shard_source.h):
//
//   %s = f32[8,64] ..; %m = reduce(multiply(%s, %s)); %t = all-reduce(%m); ..; all-gather(..)    from %s
#ifndef XLA_PASS_REGIONS_REGION_SEED_H_
#define XLA_PASS_REGIONS_REGION_SEED_H_

#include <vector>

#include "xla_pass/graph/dependency_order.h"
#include "xla_pass/graph/graph.h"
#include "xla_pass/graph/overwritten_values.h"
#include "xla_pass/regions/join_sums.h"
#include "xla_pass/regions/region.h"
#include "xla_pass/shards/shard_source.h"
#include "xla_pass/translate/row_translator.h"

namespace jax_oneshot {

class RegionSeed {
 public:
  virtual ~RegionSeed() = default;

  virtual RowExtent extent() const = 0;
  // The elements of its all-reduces; they become Region::seeds.
  virtual const std::vector<SiteRef>& sites() const = 0;
  virtual void AddTo(RowTranslator* translator) const = 0;
  // The values whose users are tried first.
  virtual NodeSet values() const = 0;
  // Those of values() that are members of the region.
  virtual NodeSet members() const = 0;

  // Adds the sum behind `leaf`, which a unit reads (join_sums.h). Returns false if there is none.
  virtual bool Join(Node leaf, const NodeSet& inside) = 0;
  // Drops a joined sum that no statement connects with the first one. Returns false if there is none.
  virtual bool DropUseless(const RowProgram& program) = 0;
};

class SumsSeed : public RegionSeed {
 public:
  // The element `first`, and those of its all-reduce that have the same extent and are not in another region: a tuple
  // all-reduce is one exchange, so they stay together, connected or not.
  SumsSeed(const Graph& graph, const SiteTable& table, const DependencyOrder& order,
           const OverwrittenValues* overwritten, SiteRef first);

  RowExtent extent() const override { return sums_.extent; }
  const std::vector<SiteRef>& sites() const override { return sums_.seeds; }
  void AddTo(RowTranslator* translator) const override;
  NodeSet values() const override { return members(); }
  NodeSet members() const override;
  bool Join(Node leaf, const NodeSet& inside) override;
  bool DropUseless(const RowProgram& program) override;

 private:
  const Graph& graph_;
  const SiteTable& table_;
  const DependencyOrder& order_;
  const OverwrittenValues* overwritten_;
  GrowingSums sums_;
};

class ShardSeed : public RegionSeed {
 public:
  // `sites`: the elements of the all-reduce that completes the row sums of `source`.
  ShardSeed(const ShardSource& source, std::vector<SiteRef> sites) : source_(source), sites_(std::move(sites)) {}

  RowExtent extent() const override { return source_.extent; }
  const std::vector<SiteRef>& sites() const override { return sites_; }
  // The result may be ignored: if the shard cannot be gathered, RowTranslator::Computes is false for it afterwards.
  void AddTo(RowTranslator* translator) const override { (void)translator->AddShard(source_.node, {source_.split}); }
  NodeSet values() const override { return {source_.node}; }
  NodeSet members() const override { return {}; }
  bool Join(Node, const NodeSet&) override { return false; }
  bool DropUseless(const RowProgram&) override { return false; }

 private:
  const ShardSource source_;
  const std::vector<SiteRef> sites_;
};

}  // namespace jax_oneshot

#endif  // XLA_PASS_REGIONS_REGION_SEED_H_
