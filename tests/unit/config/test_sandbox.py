"""`[sandbox]`: the limits can be lowered and never raised."""

from __future__ import annotations

import msgspec
import pytest

from wirken.cli import plans
from wirken.config.model import Config
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


def test_what_was_lowered_is_said_and_nothing_else() -> None:
    assert bounds(SandboxConfig().bounds).lowered == ""
    least = SandboxConfig(memory_mib=511, processes=255, seconds=299, tmp_mib=63)
    assert bounds(least.bounds).lowered == "511 MiB of memory, 255 processes, 299 s, 63 MiB of /tmp"
    assert bounds(SandboxConfig(seconds=20).bounds).lowered == "20 s"


def test_a_tool_root_is_absolute_or_below_the_operators_home() -> None:
    for value in ("", "/srv/images/debian", "~/images/debian"):
        config = Config(sandbox=msgspec.convert({"tools": value}, SandboxConfig))
        assert plans.tool_root(config, {"HOME": "/home/me"}) == value.replace("~", "/home/me")
    with pytest.raises(plans.BadReachRoot, match="HOME is not set"):
        plans.tool_root(Config(sandbox=SandboxConfig(tools="~/x")), {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image", "-v"),
        ("image", "a b"),
        ("docker_socket", "run/docker.sock"),
        ("docker_socket", "/" + "x" * limits.ENGINE_PATH),
        ("runtime", "../runsc"),
        ("tools", "images/debian"),
        ("tools", "~me/debian"),
        ("tools", "/a\0b"),
        ("tools", "/" + "x" * limits.ENGINE_PATH),
    ],
)
def test_names_that_cannot_be_one_are_refused(key: str, value: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({key: value}, SandboxConfig)
