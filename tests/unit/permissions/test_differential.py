"""Real shells against the classifier: whatever a text ran was named, or the answer was that it is not certain."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.shell_oracle import is_certain, surprises
from tests.support.shell_recorder import SHELLS, Ran, Recorder
from tests.support.shell_scripts import Scripts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap"),
    pytest.mark.skipif(not all(Path(shell).exists() for shell in SHELLS.values()), reason="needs dash and bash"),
]

SECONDS = 20.0
"""Of random texts per run. More than an hour of them was run before the classifier was used."""


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    with Recorder(tmp_path_factory.mktemp("programs") / "rec") as started:
        yield started


def test_random_texts_run_nothing_that_was_not_named(recorder: Recorder) -> None:
    seed = time.time_ns()
    scripts, end = Scripts(seed), time.monotonic() + SECONDS
    certain = programs = 0
    while time.monotonic() < end:
        text = scripts.text()
        if not is_certain(text):
            continue
        certain += 1
        for shell in SHELLS:
            ran = recorder.run(shell, text)
            programs += len(ran.programs)
            assert not surprises(text, ran), (seed, shell, text)
    assert certain > 50
    assert programs > 100


@pytest.mark.parametrize("shell", sorted(SHELLS))
@pytest.mark.parametrize(
    "text",
    [
        "ls; (rm x) & cat 'a b' | wc -l > out",
        "for f in a b; do v0 $f; done; case a in a) v1;; esac; if v2; then v3; else v4; fi",
        'f() { v0 "$@"; }; f 1 \'2 3\'; x=$(v1 a) v2 "`v3`" > "o 1"',
        "cat <<E | v0\n$(v1) $(v2)\nE\nv3",
        "env A=1 timeout 5 nice -n 3 v0 a; echo a b | xargs -n1 v1 x; find . -maxdepth 0 -exec v2 {} +",
        "sh -c 'v0; bash -c \"v1 a\"'; eval v2 'b c'; command v3; exec v4 d",
        "i=0; while [ $i -lt 2 ]; do v0 $i $((i+1)); i=$((i+1)); done",
        "env -S 'v0 a' -- b; v1 ${x:-d e} \"${x:-d e}\" ~ a\\ b 'c'\"d\"; r''m x; \\rm y",
    ],
)
def test_these_are_certain_and_run_what_was_named(recorder: Recorder, shell: str, text: str) -> None:
    assert is_certain(text)
    ran = recorder.run(shell, text)
    assert len(ran.programs) >= 2
    assert not surprises(text, ran)


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_the_oracle_sees_what_was_not_named(recorder: Recorder, shell: str) -> None:
    """A check that cannot fail proves nothing: what another text ran is a surprise."""
    ran = recorder.run(shell, "v0 a; rm 'b c' > out; nobody; ls")
    assert ran == Ran([["v0", "a"], ["rm", "b c"], ["ls"]], ["nobody"], ["out"])
    found = surprises("v0 b; ls", ran)
    assert "ran rm" in found
    assert "looked for 'nobody'" in found
    assert "ran ['v0', 'a']" in found
    assert "made 'out'" in found
