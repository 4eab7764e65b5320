"""Finds every sentence in the sources that can become a verdict's reason, with `…` for names and numbers.

Nothing is listed by hand: C++ sentences are the string literals of `Err(...)` in the pass's matching half and of the
functions of xla_pass/verdict/reasons.cc, joined; Python's are the constants of hook.py whose names end in _REASON.
"""

from __future__ import annotations

import re

from jax_oneshot import hook
from jax_oneshot.reasons import HOLE
from jax_process import REPOSITORY

PASS = REPOSITORY / "xla_pass"
FOLDERS = ("graph", "rows", "shards", "sites", "translate", "regions")

_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FUNCTION = re.compile(r"^std::string (\w+)\(.*?\) \{(.*?)\}$", re.MULTILINE | re.DOTALL)


def sentence(expression: str) -> str:
    """`"the group has " + std::to_string(n) + " ranks"` as `the group has … ranks`; empty without a literal."""
    expression = re.sub(r"\bQuote\(", '"%" + (', expression)
    # Neighbouring literals are one; whatever else stands between, before or after two literals is a hole.
    out, end = "", 0
    for found in _LITERAL.finditer(expression):
        between = expression[end : found.start()]
        out += (HOLE if _is_value(between) else "") + found[1]
        end = found.end()
    return out + (HOLE if _is_value(expression[end:]) else "") if out else ""


def verdict_sentences() -> dict[str, str]:
    """Sentence by the function of reasons.cc that makes it."""
    text = (PASS / "verdict" / "reasons.cc").read_text()
    found = {}
    for name, body in _FUNCTION.findall(text):
        if name != "Quote" and (returned := re.search(r"return (.*);", body, re.DOTALL)):
            found[name] = sentence(returned[1])
    return found


def err_sentences() -> dict[str, str]:
    """File by sentence, for every `Err(...)` with a literal in the matching half, and for NoRowForm."""
    found = {}
    for path in sorted(path for folder in FOLDERS for path in (PASS / folder).glob("*.cc")):
        if path.name == "reasons.cc" or path.name.endswith("_test.cc"):
            continue
        text = path.read_text()
        for start in re.finditer(r"\bErr\(", text):
            argument = _argument(text, start.end())
            if not argument.startswith("reason::") and (made := sentence(argument)):
                found[made] = path.name
        for body in re.findall(r"^std::string NoRowForm\(.*?\{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
            for returned in re.findall(r"return (.*?);", body, re.DOTALL):
                found[sentence(returned)] = path.name
    return found


def python_sentences() -> set[str]:
    """The constants of hook.py."""
    return {value for name, value in vars(hook).items() if name.endswith("_REASON")}


def python_names(message: str) -> list[str]:
    """Names of hook.py's constants that hold this sentence."""
    return [name for name, value in vars(hook).items() if value == message]


def without_breaks(text: str) -> str:
    """A source with the literals that were broken over lines joined again."""
    return re.sub(r'"\s*\n\s*f?"', "", text)


def _is_value(between: str) -> bool:
    return bool(re.search(r"[A-Za-z0-9]", re.sub(r"\bstd::string\(", "", between)))


def _argument(text: str, start: int) -> str:
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return ""
