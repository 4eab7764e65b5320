# SPDX-License-Identifier: Apache-2.0
"""Argument types for argparse; their errors say what was expected."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text}")
    return int(text)


def numbers(text: str) -> list[int]:
    """Whole numbers above 0, separated by commas."""
    return [positive(one) for one in text.split(",")]


def shapes(text: str) -> list[tuple[int, int]]:
    """`1x4096,8x8192`: rows and width of each."""
    pairs = [one.split("x") for one in text.split(",")]
    if any(len(shape) != 2 for shape in pairs):
        raise argparse.ArgumentTypeError(f"expected rows and width like 1x4096,8x8192, got {text}")
    return [(positive(rows), positive(width)) for rows, width in pairs]


def counts(text: str) -> list[int]:
    """Whole numbers, 0 or more, separated by commas."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"expected whole numbers like 0,4,8, got {text}")
    return [int(part) for part in parts]
