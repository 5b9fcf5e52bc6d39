"""The figures of confinement cover every process."""

from __future__ import annotations

from bench import confine_figures

from wirken.confine import roles


def test_every_process_that_is_started_is_measured() -> None:
    assert set(roles.START_ORDER) <= set(confine_figures.LOADED)
