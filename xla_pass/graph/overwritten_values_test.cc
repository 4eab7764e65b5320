// SPDX-License-Identifier: Apache-2.0
// OverwrittenValues: which buffers keep their value to the end.
#include "xla_pass/graph/overwritten_values.h"

#include <gtest/gtest.h>

#include <string>

#include "xla_pass/graph/test_graph.h"
#include "xla_pass/hlo_view/fields.h"
#include "xla_pass/wire/wire.h"

namespace jax_oneshot {
namespace {

// Parameter 1 is donated.
std::string DonatesTheSecond() {
  namespace fields = hlo::fields;
  const std::string alias = wire::Writer().Bytes(fields::input_output_alias::kEntries, "\x10\x01").Take();
  return wire::Writer().Bytes(fields::hlo_module::kInputOutputAlias, alias).Take();
}

bool MayBe(const std::string& name, const std::string& body) {
  const TestGraph test(R"(
    updating { a = f32[8] parameter(0)
               b = f32[1] parameter(1)
               i = s32[] constant(0)
               r = f32[8] dynamic-update-slice(a, b, i) }
    adding { a2 = f32[8] parameter(0)
             r2 = f32[8] add(a2, a2) }
    main { p = f32[8] parameter(0)
           q = f32[8] parameter(1)
           one = f32[] constant(1)
           few = f32[1] broadcast(one), dimensions={}
           x = f32[8] add(p, q) )" +
                           body + "}",
                       DonatesTheSecond());
  return OverwrittenValues(test.graph()).MayBeOverwritten(test[name]);
}

TEST(OverwrittenValues, AreDonatedParametersAndViewsOfThem) {
  EXPECT_FALSE(MayBe("p", ""));
  EXPECT_TRUE(MayBe("q", ""));
  EXPECT_TRUE(MayBe("v", "v = f32[2,4] bitcast(q)"));
  EXPECT_FALSE(MayBe("v", "v = f32[2,4] bitcast(p)"));
  EXPECT_FALSE(MayBe("c", "c = f32[8] copy(q)"));
  EXPECT_FALSE(MayBe("one", ""));
}

TEST(OverwrittenValues, AreWhatAUserMayUpdateInPlace) {
  EXPECT_FALSE(MayBe("x", "y = f32[8] negate(x)"));
  EXPECT_FALSE(MayBe("x", "y = f32[8] fusion(x), kind=kLoop, calls=adding"));
  EXPECT_TRUE(MayBe("x", "y = f32[8] fusion(x, few), kind=kLoop, calls=updating"));
  EXPECT_TRUE(MayBe("x", "y = f32[8] custom(x)"));
  EXPECT_TRUE(MayBe("x", "v = f32[2,4] bitcast(x)  y = f32[2,4] custom(v)"));
  EXPECT_TRUE(MayBe("v", "v = f32[2,4] bitcast(x)  y = f32[8] custom(x)"));
  EXPECT_TRUE(MayBe("x", "t = (f32[8]) tuple(x)  y = f32[8] custom(t)"));
  EXPECT_FALSE(MayBe("x", "t = (f32[8]) tuple(x)")) << "the result";
}

TEST(OverwrittenValues, AreElementsOfALoopsStateThatTheLoopChanges) {
  const TestGraph test(R"(
    condition { state = (f32[8], f32[8]) parameter(0)
                more = pred[] custom(state) }
    body { state = (f32[8], f32[8]) parameter(0)
           changed = f32[8] get-tuple-element(state), index=0
           kept = f32[8] get-tuple-element(state), index=1
           next = f32[8] add(changed, kept)
           t = (f32[8], f32[8]) tuple(next, kept) }
    main { p = f32[8] parameter(0)
           q = f32[8] parameter(1)
           x = f32[8] negate(p)
           start = (f32[8], f32[8]) tuple(x, q)
           w = (f32[8], f32[8]) while(start), condition=condition, body=body })");
  const OverwrittenValues values(test.graph());
  EXPECT_TRUE(values.MayBeOverwritten(test["changed"]));
  EXPECT_FALSE(values.MayBeOverwritten(test["kept"]));
  EXPECT_TRUE(values.MayBeOverwritten(test["x"])) << "the loop's state takes its buffer";
}

}  // namespace
}  // namespace jax_oneshot
