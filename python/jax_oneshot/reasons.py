"""In: the reason of a verdict. Out: what it means and what to do: the text of docs/reasons.md and of `report`'s advice.

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
        "Every rank keeps only its own part of the sum.",
        "Nothing to do: this is the better form.",
    ),
    Reason(
        "JAX_ONESHOT_LIMIT is reached; this rewrite would be one more",
        "The process has made as many rewrites as the variable allows.",
        "Unset `JAX_ONESHOT_LIMIT` when you have done [bisecting](bisect.md).",
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
)

ENDS: tuple[Reason, ...] = (
    Reason("everything behind it was absorbed", "All that follows is in the call.", NOTHING),
    Reason(
        "an all-reduce by … gets no epilogue",
        "Maxima and minima are exchanged in one step, but what follows them stays with XLA.",
        NOTHING,
    ),
    Reason(
        "the region ends before %…: …",
        "The instruction nearest to the all-reduce that was not taken in, and one of the sentences below.",
        "What the sentence says.",
    ),
)

STOPS: tuple[Reason, ...] = ()

REASONS = (*KEPT, *ENDS, *STOPS)


def find(reason: str) -> Reason | None:
    """The entry of a printed sentence, or None: it comes from another version."""
    return next((known for known in REASONS if known.pattern.fullmatch(reason)), None)
