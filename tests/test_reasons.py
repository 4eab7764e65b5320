"""Every reason that the code can give is explained in reasons.py and docs/reasons.md, and provoked by a test."""

from __future__ import annotations

import pytest
import reasons_in_code
from jax_oneshot import reasons
from jax_process import REPOSITORY

# Sentences of `Err(...)` that no report shows, and why.
INTERNAL = {
    # row_translator.cc: XLA's verifier lets no module with such an all-reduce pass.
    "its result is of another shape",
    # rank_expression.cc: the detail in `the offset of its slice is not known for every rank: …`.
    "%… (…) …",
    # grow_region.cc: tells itself to start again with one more all-reduce.
    "joined",
    # The verdict says that the steps are used up, not where.
    "the pass has spent its steps",
    # grow_region.cc: the all-reduce of row sums is taken by itself then.
    "its call would exchange nothing",
    # Surprises of the pass itself: details of the verdict `the pass failed here, please report it: …`.
    "%… lost its row form: …",
    "%…",  # row_translator.cc: FindProblem
    # Malformed modules, which XLA itself refuses before it calls the pass.
    "the all-reduce has … operands but … results",
    "unknown comparison direction '…'",
    "its window cannot be read",
    "its tuple is malformed",
    # An earlier sentence always comes first: what leads to these is met, and noted, one instruction before.
    "its operand %… is computed from the region",
    "it reads a tuple made outside the region",
    "the fusion it reads is outside the region",
    "its shape does not fit the rows",
    "the offset of its slice is computed from the region",
    "%… is used in two different foldings",
    "operand … of shape … does not fit rows of width …",
    "operand …: …",
}
WHAT_TO_DO = (
    "Add a Reason to python/jax_oneshot/reasons.py that says what it means and what to do, provoke it in "
    "tests/test_pass_sites.py or tests/test_pass_reasons.py, and run `python tools/fill_docs.py`. A sentence that no "
    "report can show goes into INTERNAL of tests/test_reasons.py instead."
)


def in_code() -> set[str]:
    stops = set(reasons_in_code.err_sentences()) - INTERNAL
    return {*reasons_in_code.verdict_sentences().values(), *reasons_in_code.python_sentences(), *stops}


def test_every_sentence_of_the_code_is_explained() -> None:
    assert sorted(in_code() - {one.message for one in reasons.REASONS}) == [], WHAT_TO_DO


def test_every_explained_sentence_is_in_the_code() -> None:
    gone = {one.message for one in reasons.REASONS} - in_code()
    assert sorted(gone) == [], "the code no longer says this; take it out of python/jax_oneshot/reasons.py"


def test_every_sentence_that_no_report_shows_is_in_the_code() -> None:
    gone = INTERNAL - set(reasons_in_code.err_sentences())
    assert sorted(gone) == [], "the code no longer says this; take it out of INTERNAL"


@pytest.mark.parametrize("message", [one.message for one in reasons.REASONS])
def test_every_reason_is_provoked_by_a_test(message: str) -> None:
    files = [*REPOSITORY.glob("tests/test_*.py"), *REPOSITORY.glob("xla_pass/**/*_test.cc")]
    # Strings that a source breaks over lines are joined; constants are looked for by their name.
    texts = {path.name: reasons_in_code.without_breaks(path.read_text()) for path in files}
    names = reasons_in_code.python_names(message)
    longest = max(message.split(reasons.HOLE), key=len)
    found = [
        name
        for name, text in texts.items()
        if name != "test_reasons.py" and (longest in text or any(constant in text for constant in names))
    ]
    assert found, WHAT_TO_DO


def test_every_reason_has_a_heading_and_a_paragraph_in_the_docs() -> None:
    docs = (REPOSITORY / "docs" / "reasons.md").read_text()
    for one in reasons.REASONS:
        assert f"\n### {one.message}\n" in docs, "run `python tools/fill_docs.py`"
        paragraph = docs.partition(f"\n### {one.message}\n")[2].partition("\n###")[0]
        assert one.meaning in " ".join(paragraph.split())
        assert one.advice in " ".join(paragraph.split())


def test_a_printed_sentence_is_found_by_what_it_says() -> None:
    found = reasons.find("the group has 32 ranks; supported: 2 to 16")
    assert found is not None
    assert "larger groups stay with XLA" in found.advice
    assert reasons.find("because of the weather") is None
    assert reasons.stop_of("the region ends before %dot.1: dot has no row form") == "dot has no row form"
    assert reasons.stop_of("everything behind it was absorbed") == ""
