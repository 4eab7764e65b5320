# SPDX-License-Identifier: Apache-2.0
"""Layered layout, top to bottom, of an acyclic graph whose nodes have given widths.

    edges a -> b -> c, a -> c        a
                                     |\\
                                     b |      c is one layer below b; the edge a -> c passes beside b, through a bend
                                     |/       of its own in b's layer
                                     c

The usual steps of layered drawing: put every node below its operands, give edges that cross a layer a slot in it, order
each layer by the positions of its neighbours, then align nodes with their neighbours as far as their widths allow.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence

Node = str
_SWEEPS = 12
_BEND_WIDTH = 14.0


@dataclasses.dataclass(frozen=True)
class Layout:
    """Positions of nodes and edges.

    Attributes:
      x: centre of each node.
      layer: of each node, 0 at the top.
      paths: by edge, its points, each (x, layer), both ends included.
      width: of the whole drawing; x is measured from its left side.
    """

    x: dict[Node, float]
    layer: dict[Node, int]
    paths: dict[tuple[Node, Node], list[tuple[float, int]]]
    width: float


@functools.lru_cache(maxsize=256)
def lay_out(nodes: tuple[tuple[Node, float], ...], edges: tuple[tuple[Node, Node], ...], gap: float) -> Layout:
    """Places every node. Cached, since the layers of a model repeat.

    Args:
      nodes: each node and its width, operands before their readers.
      edges: (operand, reader) pairs.
      gap: least distance between neighbours in a layer.
    """
    widths = dict(nodes)
    layer = _layers(list(widths), edges)
    chains = {edge: _bends(edge, layer) for edge in dict.fromkeys(edges)}
    size = widths | {bend: _BEND_WIDTH for chain in chains.values() for bend, _ in chain[1:-1]}
    rows: list[list[Node]] = [[] for _ in range(1 + max(layer.values(), default=0))]
    for node in widths:
        rows[layer[node]].append(node)
    for chain in chains.values():
        for bend, at in chain[1:-1]:
            rows[at].append(bend)
    above, below = _neighbours(chains.values())
    _order(rows, above, below)
    x = _place(rows, above, below, size, gap)
    left = min((x[node] - size[node] / 2 for node in x), default=0.0)
    x = {node: at - left for node, at in x.items()}
    return Layout(
        x={node: x[node] for node in widths},
        layer=layer,
        paths={edge: [(x[node], at) for node, at in chain] for edge, chain in chains.items()},
        width=max((x[node] + size[node] / 2 for node in x), default=0.0),
    )


def _layers(nodes: Sequence[Node], edges: Sequence[tuple[Node, Node]]) -> dict[Node, int]:
    operands: dict[Node, list[Node]] = {node: [] for node in nodes}
    readers: dict[Node, list[Node]] = {node: [] for node in nodes}
    for source, target in edges:
        operands[target].append(source)
        readers[source].append(target)
    layer: dict[Node, int] = {}
    for node in nodes:
        layer[node] = 1 + max((layer[operand] for operand in operands[node]), default=-1)
    for node in nodes:  # a node without operands goes right above its first reader, not to the top
        if not operands[node] and readers[node]:
            layer[node] = min(layer[reader] for reader in readers[node]) - 1
    return layer


def _bends(edge: tuple[Node, Node], layer: Mapping[Node, int]) -> list[tuple[Node, int]]:
    source, target = edge
    between = range(layer[source] + 1, layer[target])
    return [(source, layer[source]), *((f"{source}>{target}@{at}", at) for at in between), (target, layer[target])]


_Links = dict[Node, list[Node]]


def _neighbours(chains: Iterable[list[tuple[Node, int]]]) -> tuple[_Links, _Links]:
    above: _Links = {}
    below: _Links = {}
    for chain in chains:
        for (upper, _), (lower, _) in itertools.pairwise(chain):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    return above, below


def _order(rows: list[list[Node]], above: _Links, below: _Links) -> None:
    """Sorts every layer by the mean position of its neighbours, in alternating downward and upward sweeps."""
    for sweep in range(_SWEEPS):
        links, walk = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        place = {node: index for row in rows for index, node in enumerate(row)}
        for row in walk:
            means = {node: _mean([place[other] for other in links.get(node, [])], place[node]) for node in row}
            row.sort(key=means.__getitem__)
            place |= {node: index for index, node in enumerate(row)}


def _place(
    rows: list[list[Node]], above: _Links, below: _Links, size: Mapping[Node, float], gap: float
) -> dict[Node, float]:
    x = {node: at for row in rows for node, at in zip(row, _apart(row, [0.0] * len(row), size, gap), strict=True)}
    for sweep in range(_SWEEPS):
        links, walk = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        for row in walk:
            wishes = [_mean([x[other] for other in links.get(node, [])], x[node]) for node in row]
            x |= dict(zip(row, _apart(row, wishes, size, gap), strict=True))
    return x


def _apart(row: Sequence[Node], wishes: Sequence[float], size: Mapping[Node, float], gap: float) -> list[float]:
    """Positions near `wishes`, in the row's order, no two closer than their widths and the gap allow."""
    least = [(size[a] + size[b]) / 2 + gap for a, b in itertools.pairwise(row)]
    rightwards, leftwards = list(wishes), list(wishes)
    for i in range(1, len(row)):
        rightwards[i] = max(rightwards[i], rightwards[i - 1] + least[i - 1])
    for i in range(len(row) - 2, -1, -1):
        leftwards[i] = min(leftwards[i], leftwards[i + 1] - least[i])
    return [(a + b) / 2 for a, b in zip(rightwards, leftwards, strict=True)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
