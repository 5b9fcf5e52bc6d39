"""`[sandbox]`: the limits can be lowered and never raised."""

from __future__ import annotations

import msgspec
import pytest

from wirken.config.sandbox import SandboxConfig
from wirken.domain import limits
from wirken.runner.sandbox import Bounds, bounds


def test_the_defaults_are_the_designs() -> None:
    assert bounds(SandboxConfig().bounds) == Bounds()
    assert bounds("") == Bounds()
    assert (Bounds().memory, Bounds().processes) == (limits.EXEC_MEMORY, limits.EXEC_PROCESSES)


@pytest.mark.parametrize(
    ("name", "least", "most"), [("memory_mib", 32, 512), ("processes", 8, 256), ("seconds", 1, 300), ("tmp_mib", 1, 64)]
)
def test_a_limit_has_its_edges(name: str, least: int, most: int) -> None:
    for value in (least, most):
        assert getattr(msgspec.convert({name: value}, SandboxConfig), name) == value
    for value in (least - 1, most + 1):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({name: value}, SandboxConfig)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image", "-v"),
        ("image", "a b"),
        ("docker_socket", "run/docker.sock"),
        ("docker_socket", "/" + "x" * limits.ENGINE_PATH),
        ("runtime", "../runsc"),
    ],
)
def test_names_that_cannot_be_one_are_refused(key: str, value: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({key: value}, SandboxConfig)
