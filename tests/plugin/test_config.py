# SPDX-License-Identifier: Apache-2.0
"""Configuration: what each variable accepts, and what its errors say."""

from __future__ import annotations

import pathlib

import pytest
from jax_oneshot.config import PLATFORMS, Config, ConfigError
from jax_oneshot.message_limits import default_limits


def error_of(**environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.from_environment(environ)
    return str(caught.value)


def test_an_empty_environment_is_off_with_defaults() -> None:
    config = Config.from_environment({})
    assert config == Config()
    assert not config.enabled
    for platform in PLATFORMS:
        assert config.limits_for(platform, 100) == default_limits(platform, 100)


def test_processes_on_gpus_wait_longer_for_each_other_than_threads_on_cpu() -> None:
    config = Config()
    assert config.timeout_ms_for("cpu") == 30_000
    assert config.timeout_ms_for("cuda") == 600_000


def test_every_variable_of_the_contract_is_read() -> None:
    config = Config.from_environment(
        {
            "JAX_ONESHOT": "1",
            "JAX_ONESHOT_DUMP_TO": "/some/where",
            "JAX_ONESHOT_MAX_BYTES": "65536",
            "JAX_ONESHOT_MODULES": "^jit_decode",
            "JAX_ONESHOT_TIMEOUT_S": "2.5",
            "JAX_ONESHOT_LIMIT": "17",
        }
    )
    assert config.enabled
    assert config.dump_to == pathlib.Path("/some/where")
    assert set(config.limits_for("cpu")) == set(config.limits_for("cuda", 90)) == {65536}
    assert config.rewrites("jit_decode_step")
    assert not config.rewrites("my_jit_decode")
    assert config.timeout_ms_for("cpu") == config.timeout_ms_for("cuda") == 2500
    assert config.limit == 17


def test_variables_of_others_are_ignored() -> None:
    assert Config.from_environment({"JAX_PLATFORMS": "cpu", "JAX_ONESHOTS": "x", "ONESHOT": "y"}) == Config()


@pytest.mark.parametrize("value", ["", "  ", "0"])
def test_zero_or_empty_is_off(value: str) -> None:
    assert not Config.from_environment({"JAX_ONESHOT": value}).enabled


@pytest.mark.parametrize("value", ["true", "on", "2", "-1"])
def test_any_other_switch_value_is_refused(value: str) -> None:
    assert error_of(JAX_ONESHOT=value) == f"JAX_ONESHOT={value!r}: expected 1 (on) or 0 (off)"


@pytest.mark.parametrize("value", ["256K", "-1", "1.5", "0x10", "²"])
def test_a_size_that_is_no_whole_number_is_refused(value: str) -> None:
    assert "expected a whole number of bytes, without a unit, such as 262144" in error_of(JAX_ONESHOT_MAX_BYTES=value)


@pytest.mark.parametrize("value", ["0", "-3", "nan", "inf", "soon", "86401"])
def test_a_deadline_that_is_no_time_is_refused(value: str) -> None:
    assert "expected a number of seconds above 0 and at most 86400" in error_of(JAX_ONESHOT_TIMEOUT_S=value)


@pytest.mark.parametrize("value", ["-1", "half", "1.5"])
def test_a_limit_that_is_no_count_is_refused(value: str) -> None:
    assert "expected a whole number of rewrites, 0 or more, such as 12" in error_of(JAX_ONESHOT_LIMIT=value)


def test_a_short_deadline_is_not_rounded_to_nothing() -> None:
    assert Config.from_environment({"JAX_ONESHOT_TIMEOUT_S": "0.0001"}).timeout_ms_for("cpu") == 1


def test_a_bad_regular_expression_is_refused_with_its_fault_and_place() -> None:
    message = error_of(JAX_ONESHOT_MODULES="jit_(decode")
    assert "JAX_ONESHOT_MODULES='jit_(decode': expected a regular expression" in message
    assert "unterminated subpattern at position 4" in message


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("JAX_ONESHOT_MAXBYTES", "JAX_ONESHOT_MAX_BYTES"),
        ("JAX_ONESHOT_DUMP", "JAX_ONESHOT_DUMP_TO"),
        ("JAX_ONESHOT_TIMEOUT_MS", "JAX_ONESHOT_TIMEOUT_S"),
        ("JAX_ONESHOT_MODULE", "JAX_ONESHOT_MODULES"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known_name(typo: str, meant: str) -> None:
    assert f"{typo} is not a variable of jax-oneshot; did you mean {meant}?" in error_of(**{typo: "1"})


def test_all_mistakes_are_told_at_once() -> None:
    message = error_of(JAX_ONESHOT="yes", JAX_ONESHOT_MAX_BYTES="big", JAX_ONESHOT_FOO="1")
    assert len(message.splitlines()) == 3


def test_the_fingerprint_changes_with_all_that_changes_executables() -> None:
    base = {"JAX_ONESHOT": "1"}
    changes = [
        {},
        {"JAX_ONESHOT_MAX_BYTES": "1"},
        {"JAX_ONESHOT_MODULES": "x"},
        {"JAX_ONESHOT_TIMEOUT_S": "1"},
        {"JAX_ONESHOT_LIMIT": "1"},
        {"JAX_ONESHOT_GRAPH_CALLS": "0"},
        {"JAX_ONESHOT_GRAPH_CALLS": "4"},
        {"JAX_ONESHOT": "0"},
    ]
    fingerprints = {Config.from_environment(base | change).fingerprint() for change in changes}
    assert len(fingerprints) == len(changes)


def test_the_fingerprint_does_not_change_with_the_dump_folder() -> None:
    dumping = Config.from_environment({"JAX_ONESHOT_DUMP_TO": "/tmp/x"})
    assert dumping.fingerprint() == Config().fingerprint()
