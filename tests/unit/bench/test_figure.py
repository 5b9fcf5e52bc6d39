"""Figures and their verdicts."""

from __future__ import annotations

from bench.figure import Figure, Reference, Target, Verdict, missing, shown
from bench.stats import one


def figure(value: float, target: Target | None, reference: float | None = None) -> Figure:
    beside = None if reference is None else Reference("plain", one(reference))
    return Figure("something", "ms", one(value), target, beside)


def test_a_bound_itself_is_met_in_both_directions() -> None:
    assert figure(10, Target("at most", 10)).verdict is Verdict.MET
    assert figure(10, Target("at least", 10)).verdict is Verdict.MET
    assert figure(10.1, Target("at most", 10)).verdict is Verdict.MISSED
    assert figure(9.9, Target("at least", 10)).verdict is Verdict.MISSED


def test_a_ratio_is_judged_against_the_reference_of_the_same_run() -> None:
    target = Target("at most", 1.3, of="ratio")
    assert figure(13, target, 10).verdict is Verdict.MET
    assert figure(14, target, 10).verdict is Verdict.MISSED
    assert figure(14, target, 10).ratio == 1.4


def test_a_ratio_without_a_reference_is_not_measured_rather_than_met() -> None:
    assert figure(1, Target("at most", 1.3, of="ratio")).verdict is Verdict.UNMEASURED


def test_a_slow_machine_shows_as_adjusted_and_never_as_met() -> None:
    target = Target("at most", 60, assumes=10)
    assert figure(90, target, 20).verdict is Verdict.ADJUSTED
    assert figure(130, target, 20).verdict is Verdict.MISSED
    assert figure(90, target, 10).verdict is Verdict.MISSED


def test_a_fast_machine_does_not_make_a_target_harder() -> None:
    assert figure(50, Target("at most", 60, assumes=10), 5).verdict is Verdict.MET


def test_a_figure_without_a_target_is_only_shown() -> None:
    assert figure(1, None).verdict is Verdict.NONE


def test_what_could_not_be_measured_says_why_and_has_no_number() -> None:
    found = shown(missing("memory", "only root may look"))
    assert (found.value, found.n, found.verdict, found.note) == (None, 0, "NOT MEASURED", "only root may look")


def test_the_json_form_holds_value_reference_ratio_and_target() -> None:
    found = shown(figure(12, Target("at most", 10), 6))
    assert (found.value, found.reference_value, found.ratio, found.n) == (12.0, 6.0, 2.0, 1)
    assert (found.target, found.verdict) == ("<= 10 ms", "MISSED")
