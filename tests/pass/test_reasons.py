# SPDX-License-Identifier: Apache-2.0
"""Every reason of the table is explained in docs/reasons.md and provoked through the pass by a golden test."""

from __future__ import annotations

import hlo_fixture
import pytest
from jax_oneshot import reasons
from jax_process import REPOSITORY

SHOWN = [one.id for one in reasons.table().values() if one.kind != "internal"]
WHAT_TO_DO = (
    "Provoke it through hlo_fixture.run_pass in test_pass_sites.py or test_pass_reasons.py; a reason that no "
    "report can show has the kind kInternal in xla_pass/verdict/reason_table.inc."
)


@pytest.mark.parametrize("name", SHOWN)
def test_every_reason_has_a_heading_and_a_paragraph_in_the_docs(name: str) -> None:
    one, docs = reasons.table()[name], (REPOSITORY / "docs" / "reasons.md").read_text()
    assert f"\n### {one.message}\n" in docs, "run `python tools/fill_docs.py`"
    paragraph = docs.partition(f"\n### {one.message}\n")[2].partition("\n###")[0]
    assert f"`{name}`: {one.meaning}" in " ".join(paragraph.split())
    assert one.advice in " ".join(paragraph.split())


def test_the_reason_of_a_verdict_is_found_by_its_id() -> None:
    found = reasons.of_verdict({"reason_id": "group_size"})
    assert found is not None
    assert found.message == "the group has … ranks; supported: … to …"
    assert "larger groups stay with XLA" in found.advice
    assert reasons.of_verdict({"reason_id": "the_weather"}) is None
    assert reasons.of_verdict({}) is None  # a report of an older version


# What no module provokes: bugs of the pass, which C++ tests inject, and a number of loops that takes long.
ONLY_IN_CPP = {
    "pass_failed": "regions/decide_regions_test.cc",
    "rotated_module_fails": "rotate/rotate_where_it_gains_test.cc",
    "too_many_loops": "rotate/rotate_where_it_gains_test.cc",
}


@pytest.mark.parametrize("name", ONLY_IN_CPP)
def test_what_no_module_provokes_is_provoked_in_cpp(name: str) -> None:
    text = (REPOSITORY / "xla_pass" / ONLY_IN_CPP[name]).read_text()
    assert f"ReasonId::k{name.title().replace('_', '')}" in text


@pytest.mark.needs_whole_run
@pytest.mark.parametrize("name", [name for name in SHOWN if name not in ONLY_IN_CPP])
def test_every_reason_is_provoked_through_the_pass_by_a_golden_test(name: str) -> None:
    assert name in hlo_fixture.PROVOKED, WHAT_TO_DO


@pytest.mark.needs_whole_run
def test_reasons_that_no_report_shows_are_in_none() -> None:
    assert set(SHOWN) >= hlo_fixture.PROVOKED
