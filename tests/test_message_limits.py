"""The table of the largest messages that are rewritten."""

from __future__ import annotations

import pytest
from jax_oneshot.message_limits import CPU_LIMIT, CUDA_LIMITS, DEFAULT_ARCHITECTURE, LARGEST_GROUP, default_limits


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
    assert limits[3] == limits[4] < limits[2]


@pytest.mark.parametrize(("architecture", "as_on"), [(86, 80), (89, 80), (103, 100), (120, 100), (70, 80)])
def test_an_architecture_between_two_of_the_table_has_the_limits_of_the_older(architecture: int, as_on: int) -> None:
    assert default_limits("cuda", architecture) == default_limits("cuda", as_on)


def test_without_a_gpu_to_ask_the_limits_are_the_defaults() -> None:
    assert default_limits("cuda") == default_limits("cuda", DEFAULT_ARCHITECTURE)


def test_the_cpu_has_one_limit() -> None:
    assert set(default_limits("cpu", 90)) == {CPU_LIMIT}
