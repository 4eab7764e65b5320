# SPDX-License-Identifier: Apache-2.0
"""matplotlib, set up to write the same SVG file from the same figures."""

from __future__ import annotations

import pathlib
from typing import Any


def pyplot() -> Any:
    """matplotlib.pyplot. Raises ImportError if matplotlib is not installed."""
    import matplotlib

    matplotlib.use("svg")
    # Reproducible output: no random ids, no date. Text is kept as text.
    matplotlib.rcParams.update({"svg.hashsalt": "jax-oneshot", "svg.fonttype": "none", "font.size": 8})
    from matplotlib import pyplot

    return pyplot


def save(figure: Any, results: pathlib.Path, title: str) -> pathlib.Path:
    """Writes `figure` beside the results file that it shows; returns the picture's path."""
    out = results.with_suffix(".svg")
    figure.savefig(out, metadata={"Date": None, "Title": title})
    return out
