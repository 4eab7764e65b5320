# SPDX-License-Identifier: Apache-2.0
"""The tables of message sizes: the largest that is rewritten, and the smallest that takes two shots."""

from __future__ import annotations

import pytest
from jax_oneshot.message_limits import (
    CPU_LIMIT,
    CUDA_LIMITS,
    CUDA_TWO_SHOT_FROM,
    DEFAULT_ARCHITECTURE,
    LARGEST_GROUP,
    NEVER,
    default_limits,
    default_two_shot_from,
)


def test_every_group_size_has_a_limit_on_every_architecture() -> None:
    for architecture in CUDA_LIMITS:
        limits = default_limits("cuda", architecture)
        assert len(limits) == LARGEST_GROUP + 1
        assert {size: limits[size] for size in CUDA_LIMITS[architecture]} == CUDA_LIMITS[architecture]


def test_more_ranks_never_have_a_higher_limit() -> None:
    for architecture in CUDA_LIMITS:
        limits = default_limits("cuda", architecture)
        assert limits == sorted(limits, reverse=True)


def test_a_size_between_two_of_the_table_has_the_limit_of_the_larger() -> None:
    limits = default_limits("cuda", 90)
    assert limits[5] == limits[8] < limits[4]


@pytest.mark.parametrize(("architecture", "as_on"), [(86, 80), (89, 80), (103, 100), (120, 100), (70, 80)])
def test_an_architecture_between_two_of_the_table_has_the_limits_of_the_older(architecture: int, as_on: int) -> None:
    assert default_limits("cuda", architecture) == default_limits("cuda", as_on)


def test_without_a_gpu_to_ask_the_limits_are_the_defaults() -> None:
    assert default_limits("cuda") == default_limits("cuda", DEFAULT_ARCHITECTURE)


def test_every_group_size_has_a_place_in_the_table_of_two_shots() -> None:
    for architecture in CUDA_TWO_SHOT_FROM:
        two_shot_from = default_two_shot_from("cuda", architecture)
        assert len(two_shot_from) == LARGEST_GROUP + 1
        of_table = CUDA_TWO_SHOT_FROM[architecture]
        assert {size: two_shot_from[size] for size in of_table} == of_table


def test_two_ranks_never_take_two_shots() -> None:
    assert {default_two_shot_from("cuda", architecture)[2] for architecture in (80, 90, 100)} == {NEVER}


def test_more_ranks_take_two_shots_from_no_more_bytes_on() -> None:
    for architecture in (80, 90, 100):
        two_shot_from = default_two_shot_from("cuda", architecture)
        assert two_shot_from == sorted(two_shot_from, reverse=True)


def test_on_cpu_there_are_no_shots() -> None:
    assert set(default_two_shot_from("cpu")) == {NEVER}


def test_the_cpu_has_one_limit() -> None:
    assert set(default_limits("cpu", 90)) == {CPU_LIMIT}
