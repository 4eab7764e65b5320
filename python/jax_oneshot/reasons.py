"""What each reason of a verdict means and what to do about it: docs/reasons.md and the advice in `report`.

The sentences are made in xla_pass/match (reasons.cc, and `Err(...)` where a region ends) and in hook.py. Here each is
listed once, with `…` where a name or a number stands; tests/test_reasons.py compares the lists, and docs/reasons.md is
written from this one by tools/fill_docs.py.
"""

from __future__ import annotations

import dataclasses
import functools
import re

from jax_oneshot import hook

HOLE = "…"


@dataclasses.dataclass(frozen=True)
class Reason:
    """One sentence that a report can print.

    Attributes:
      message: as it is printed, with `…` for what varies.
      meaning: what it says about the module, in Markdown.
      advice: what to do, in Markdown.
    """

    message: str
    meaning: str
    advice: str

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches the printed sentence whole."""
        return re.compile(".+".join(re.escape(part) for part in self.message.split(HOLE)))


NOTHING = "Nothing to do."

KEPT: tuple[Reason, ...] = (
    Reason(
        "… is asynchronous; only the synchronous all-reduce is rewritten",
        "The module came with its collectives already split into a start and a done, which XLA does after this pass.",
        "Report how the module was compiled: JAX hands modules over before that step.",
    ),
    Reason(
        "the module already has a schedule; the pass must run before scheduling (stage PRE_SCHEDULER)",
        "The order of instructions is fixed, and a rewrite would need a new one.",
        "With `jax-oneshot opt`, give it a module from before scheduling, such as a dump's `.before.hlo.txt`.",
    ),
    Reason(
        "the devices belong to several processes; the CPU kernels meet within one process only",
        "On CPU the ranks of a group exchange through the memory of their process.",
        "Run all devices of a group in one process: `--xla_force_host_platform_device_count=8` in `XLA_FLAGS`.",
    ),
    Reason(
        "the replica groups cannot be read: …",
        "The groups are malformed or of a notation that this version does not know; the sentence says which part.",
        "Report it, with the dump's `.before.hlo.txt`.",
    ),
    Reason(
        "the replica groups are empty (everybody), so the group size is not in the HLO; write the groups out",
        "An empty list stands for all devices, and the module does not say how many those are.",
        "Write the groups out. JAX does; this comes from modules made by hand.",
    ),
    Reason(
        "group mode … is not supported; supported: cross_replica, cross_partition, flattened_id",
        "The groups name replicas and take in all partitions of each.",
        "Reduce over named mesh axes, as `jax.jit` and `jax.shard_map` do; they use global device ids.",
    ),
    Reason(
        "the group has … ranks; supported: … to …",
        "Every rank sends to every other one, which pays for small groups only.",
        "Nothing to do: larger groups stay with XLA. A group of one has nothing to exchange.",
    ),
    Reason(
        "the reduction %… is not a sum, maximum or minimum of its two arguments",
        "The kernels have these three reductions; the computation named does something else.",
        NOTHING,
    ),
    Reason(
        "the kernels have no sums in …; supported: bf16, f16, f32",
        "The type of the values to be summed has no kernel.",
        "Sum in bf16, f16 or f32 where the model allows it.",
    ),
    Reason(
        "the message of … bytes per rank is above the limit of … bytes for … ranks (JAX_ONESHOT_MAX_BYTES)",
        "Above a size that depends on the group and the GPU, XLA's own all-reduce, which moves fewer bytes in more "
        "steps, is faster (message_limits.py has the table).",
        "Set `JAX_ONESHOT_MAX_BYTES` higher if it is faster on your machine: measure both.",
    ),
    Reason("the all-reduce has no elements", "One of its dimensions is 0.", NOTHING),
    Reason(
        "the layout of … is not row-major",
        "The rows of the operand or of the result do not lie one after the other in memory.",
        "Look for what asked XLA for another layout: a transposed operand of a dot, or `jax.experimental.layout`.",
    ),
    Reason(
        "the all-reduce has control dependencies, which a fused call would lose",
        "Something orders it against other instructions beyond its data.",
        NOTHING,
    ),
    Reason(
        "the tuple of results is used whole, not through get-tuple-element",
        "Several values are reduced at once and handed on as one tuple.",
        NOTHING,
    ),
    Reason(
        "its only use is %…, a slice; XLA turns the pair into a reduce-scatter, which moves less",
        "Every rank keeps only its own part of the sum, and nothing follows that would go into a call with it. XLA "
        "also makes one reduce-scatter of several.",
        "Nothing to do: this is the better form.",
    ),
    Reason(
        "JAX_ONESHOT_LIMIT is reached; this rewrite would be one more",
        "The process has made as many rewrites as the variable allows.",
        "Unset `JAX_ONESHOT_LIMIT` when you have done [bisecting](bisect.md).",
    ),
    Reason(
        "XLA combines it with others that do not wait for it: … collectives, where there would be … with the calls",
        "XLA makes one all-reduce of several that do not wait for one another, such as a training step's gradients. "
        "One exchange of more bytes costs less than several calls.",
        NOTHING,
    ),
    Reason(
        "the pass has used up its … steps for this module; what is left stays as it is",
        "The work on one module is bounded, in a line with its size; no model that was seen comes near the bound.",
        "Report it, with the dump's `.before.hlo.txt`: something in the module is costlier to decide than it should "
        "be.",
    ),
    Reason(
        hook.SURPRISE + HOLE,
        "An error inside the pass, at this all-reduce. The rest of the module is rewritten as usual.",
        "Report it, with the sentence and the dump's `.before.hlo.txt`.",
    ),
    Reason(
        hook.EXCLUDED_REASON,
        "The variable names the modules to rewrite, and this is none of them.",
        "Change or unset `JAX_ONESHOT_MODULES`.",
    ),
    Reason(
        hook.GPU_OBSTACLE_REASON,
        "Checked before a module for GPUs is rewritten, on a machine that has any: the driver, NVRTC, NCCL, direct "
        "access between the GPUs, one host, and whether each call's kernel compiles.",
        "What the sentence says; `jax-oneshot doctor` looks at the same things.",
    ),
    Reason(
        "its groups have one rank each: there is nothing to exchange",
        "An all-reduce in groups of one returns its operand. The pass and XLA drop it, and regions grow through it.",
        NOTHING,
    ),
)

ENDS: tuple[Reason, ...] = (
    Reason("everything behind it was absorbed", "All that follows is in the call.", NOTHING),
    Reason(
        "an all-reduce by … gets no epilogue",
        "Maxima and minima are exchanged in one step, but what follows them stays with XLA.",
        NOTHING,
    ),
    Reason(
        "it completes a row reduction inside the call that %… became",
        "An all-reduce of one number per row, in a norm whose weights are sharded: the call it is in needs no exchange "
        "for it. The other all-reduce's entry counts what was absorbed.",
        NOTHING,
    ),
    Reason(
        "it and %…, over other ranks, are one all-reduce over all of them",
        "A sum over one axis of the mesh, then over another, with nothing read in between, is one exchange. The other "
        "all-reduce's entry says what became of it.",
        NOTHING,
    ),
    Reason(
        "the region ends before %…: …",
        "The instruction nearest to the all-reduce that was not taken in, and one of the sentences below.",
        "What the sentence says.",
    ),
)

STOPS: tuple[Reason, ...] = (
    Reason(
        "… has no row form",
        "The operation is not computed row by row: a dot, a gather, another collective, a tuple.",
        "Usually nothing to do: a dot is where a region should end.",
    ),
    Reason("it has control dependencies", "Something orders it against other instructions beyond its data.", NOTHING),
    Reason(
        "the region has reached its size limit",
        "Calls are kept small enough for one kernel; the rest stays with XLA.",
        NOTHING,
    ),
    Reason(
        "… from … to … mixes rows and width",
        "A reshape that cuts the last dimension, or joins it with others, moves elements from row to row.",
        "Keep the last dimension whole between the all-reduce and what follows it, where the model allows.",
    ),
    Reason(
        "transpose moves elements between rows",
        "The rows would not be rows any more, or not in the same order. A transpose that only puts the columns first "
        "is taken in.",
        "Transpose before the all-reduce or after what follows it, where the model allows.",
    ),
    Reason(
        "nothing in the region transposes its rows back",
        "The value stands as `[columns, rows]`, and so does what others read of all that is made of it. A call returns "
        "rows.",
        "Transpose after what follows the all-reduce, where the model allows.",
    ),
    Reason(
        "its operands fold onto rows differently",
        "What are rows of one operand are columns of the other.",
        NOTHING,
    ),
    Reason(
        "operand …: its rows are transposed",
        "It is used beside a value that stands as `[columns, rows]`, as such a value itself. Weights and other vectors "
        "may be, what has rows and columns may not: a call reads rows.",
        NOTHING,
    ),
    Reason(
        "broadcast to … is not along rows",
        "The broadcast adds a dimension behind the width, so that a row becomes several.",
        NOTHING,
    ),
    Reason("a bitcast changes the type", "The bits are read as another type.", NOTHING),
    Reason("bitcast changes the layout", "In memory, rows would not be rows any more.", NOTHING),
    Reason(
        "type … is not one of a row program's",
        "Row programs compute in bf16, f16, f32, two 8-bit floats and pred.",
        "Keep integers and f64 out of what directly follows the all-reduce.",
    ),
    Reason(
        "a total-order comparison has no row form",
        "The comparison tells zeros of unlike sign and NaNs apart, as sorting does; the kernels compare as IEEE says.",
        NOTHING,
    ),
    Reason(
        "operand …: it has a dynamic size, tiles, or a memory space of its own",
        "A call reads operands of a fixed size that lie in the device's memory element by element.",
        "Look for what asked XLA for such a layout: `memory_kind` of a sharding, for one.",
    ),
    Reason(
        "operand … (…) has no row form",
        "A fusion computes another of its operands not row by row, and a fusion is taken whole or not at all.",
        NOTHING,
    ),
    Reason(
        "its result does not depend on the all-reduce",
        "A fusion reads the all-reduce's result but does not use it for what it returns.",
        NOTHING,
    ),
    Reason(
        "one of its results does not depend on the all-reduce",
        "A fusion of several results computes one of them from something else, and it is taken whole or not at all.",
        NOTHING,
    ),
    Reason(
        "reduce is not over the whole row",
        "The reduction leaves part of the last dimension, or goes over rows: statistics of a batch, or of each head.",
        NOTHING,
    ),
    Reason(
        "… of several values has no row form", "A reduction that carries more than one value, such as argmax.", NOTHING
    ),
    Reason("its reduction is not a sum, maximum or minimum", "For example a product over the row.", NOTHING),
    Reason("its initial value is not a constant", "The reduction starts from something computed.", NOTHING),
    Reason(
        "its initial value depends on the all-reduce", "The reduction starts from the all-reduce's result.", NOTHING
    ),
    Reason(
        "its initial value is not the reduction's identity",
        "The first half of a row reduction, as XLA:CPU splits it, starts from another value than 0 or an infinity.",
        NOTHING,
    ),
    Reason(
        "it mixes two kinds of reduction",
        "The two halves of a row reduction, as XLA:CPU splits it, are a sum and a maximum.",
        NOTHING,
    ),
    Reason(
        "its window does not tile the row",
        "A `reduce-window` that is not the first half of a row reduction: pooling.",
        NOTHING,
    ),
    Reason(
        "it reads a partial row reduction",
        "Something else than the second half reads the first half of a row reduction, as XLA:CPU splits it.",
        NOTHING,
    ),
    Reason(
        "… does not complete a row reduction",
        "The next exchange sums what the call computes, but not one number per row of shards: it is a call of its own.",
        NOTHING,
    ),
    Reason(
        "it does not reduce as the row reduction before it does",
        "A sum within each rank's columns is followed by a maximum over the ranks, or the other way round.",
        NOTHING,
    ),
    Reason(
        "it does not slice the row into one piece per rank",
        "Around sharded norms each rank takes its own columns. Here rows are sliced, or several dimensions at once.",
        NOTHING,
    ),
    Reason(
        "it takes … of … columns, which … ranks do not share out so",
        "Every rank must take its share of the columns, at least two.",
        "Choose a width that the number of ranks divides.",
    ),
    Reason(
        "the offset of its slice is not known for every rank: …",
        "It depends on something else than partition-id and constants.",
        NOTHING,
    ),
    Reason(
        "rank … slices at column …, its own columns begin at …",
        "The rank takes the columns of another one.",
        NOTHING,
    ),
    Reason("it gathers several values at once", "An all-gather of a tuple.", NOTHING),
    Reason(
        "it does not gather the columns of rows",
        "The gathered dimension is not the width, or the value is whole already.",
        NOTHING,
    ),
    Reason(
        "its ranks are not those of the all-reduce, in the same order",
        "A collective among other devices: another axis of the mesh.",
        NOTHING,
    ),
    Reason(
        "it takes columns of a value made from %…, which may differ between ranks",
        "Nothing in the module says that the value is the same on all of them.",
        NOTHING,
    ),
    Reason(
        "operand %…: columns of type … are not gathered; supported: bf16, f16, f32",
        "The small vectors that a call gathers on its way are floats of at least 16 bits.",
        NOTHING,
    ),
)

NOT_ROTATED: tuple[Reason, ...] = (
    Reason(
        "the loop's state is not a tuple of which single elements are read",
        "Rotating a loop adds elements to its state. That takes a `while` that starts from a `tuple`, whose body ends "
        "in one, and of which everything else reads elements; JAX writes its loops so.",
        "Return what the loop leaves element by element, not the whole state at once.",
    ),
    Reason(
        "no all-reduce of the round takes in what begins the next one",
        "The round begins with a norm or the like, but the row-wise math behind the last all-reduce does not reach the "
        "end of the round, or what begins it is more than row-wise math.",
        "Look at the reason of the last all-reduce in the body: it says where the region behind it ends.",
    ),
    Reason(
        "only the first … such loops of a module are rotated",
        "Every rotation reads the module once more, which would take long where loops are many.",
        NOTHING,
    ),
    Reason(
        "the pass fails on the module with rotated loops: …",
        "A bug of the pass; the module was rewritten without rotated loops.",
        "Report it, with the dump's `.before.hlo.txt`.",
    ),
)

REASONS = (*KEPT, *ENDS, *STOPS, *NOT_ROTATED)


def find(reason: str) -> Reason | None:
    """The entry of a printed sentence, or None: it comes from another version."""
    return next((known for known in REASONS if known.pattern.fullmatch(reason)), None)


def stop_of(reason: str) -> str:
    """Why a region stops, out of `the region ends before %x: WHY`; empty for any other sentence."""
    return reason.partition(": ")[2] if reason.startswith("the region ends before %") else ""
