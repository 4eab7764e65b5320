# SPDX-License-Identifier: Apache-2.0
"""The reasons that verdicts give, by id: what each means and what to do about it.

The table is in C++ (xla_pass/verdict/reason_table.inc). docs/reasons.md and the advice in `report` come from here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

from jax_oneshot import _native

Kind = Literal["kept", "ends", "stops", "not_rotated", "internal"]


@dataclasses.dataclass(frozen=True)
class Reason:
    """One entry of the table.

    Attributes:
      id: as reports have it in `reason_id` and `stop_id`.
      kind: what it is a reason for; "internal" ones are never in a report.
      format: the sentence that is printed, with `{}` for each name or number.
      meaning: what it says about the module, in Markdown.
      advice: what to do, in Markdown.
    """

    id: str
    kind: Kind
    format: str
    meaning: str
    advice: str

    @property
    def message(self) -> str:
        """The sentence with `…` for what varies, as a heading."""
        return self.format.replace("{}", "…")


@functools.cache
def table() -> Mapping[str, Reason]:
    """All reasons by id, in the order of the table."""
    return {entry["id"]: Reason(**entry) for entry in _native.reasons()}


def of_kind(kind: Kind) -> list[Reason]:
    """The reasons of one kind, in the order of the table."""
    return [reason for reason in table().values() if reason.kind == kind]


def of_verdict(entry: Mapping[str, Any]) -> Reason | None:
    """The reason of an entry of report.json; None if the report comes from another version."""
    return table().get(entry.get("reason_id", ""))
