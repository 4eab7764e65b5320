# SPDX-License-Identifier: Apache-2.0
"""Runs `LoopModel`s from JSON lines on stdin; prints the error of each against float64, relative to the largest value.

Runs in a process with 8 CPU devices; the environment says whether the pass is on.
"""

from __future__ import annotations

import json
import sys

import jax
import numpy as np
from jax.sharding import AxisType
from loop_models import RANKS, LoopModel


def main() -> None:
    """Answers {"error": ...} for each line."""
    mesh = jax.make_mesh((RANKS,), ("tp",), axis_types=(AxisType.Auto,))
    for line in sys.stdin:
        model = LoopModel(**json.loads(line))
        errors = [
            float(np.max(np.abs(found - expected)) / max(np.max(np.abs(expected)), 1))
            for found, expected in zip(model.in_jax(mesh), model.expected(), strict=True)
        ]
        print(json.dumps({"error": max(errors)}), flush=True)


if __name__ == "__main__":
    main()
