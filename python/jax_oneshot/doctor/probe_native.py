# SPDX-License-Identifier: Apache-2.0
"""Prints as JSON: where the native module is, what it was built for, and whether it works."""

from __future__ import annotations

import importlib.util
import json
from typing import Any


def main() -> None:
    """Prints the facts, including an error of the import."""
    facts: dict[str, Any] = {}
    try:
        spec = importlib.util.find_spec("jax_oneshot._native")
        facts["file"] = spec.origin if spec else None
        from jax_oneshot import _native

        facts["handlers"] = sorted(_native.cpu_handlers())
        text = "v1 (a0: sum f32 row) { x0: f32 row = all_reduce a0 } -> (x0: row)"
        facts["row_program"] = _native.canonical_row_program(text) == text
    except Exception as error:
        facts["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
