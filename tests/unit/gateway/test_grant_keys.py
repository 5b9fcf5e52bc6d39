"""A grant for a key that no call has would never serve: the command's own key is named instead."""

from __future__ import annotations

import pytest

from wirken.domain.ids import ActionKey
from wirken.gateway.grants import shell_key


@pytest.mark.parametrize(
    ("given", "judged"),
    [
        ("shell:python3", "shell:python"),
        ("shell:python3.11", "shell:python"),
        ("shell:LS", "shell:ls"),
        ("shell:ls", "shell:ls"),
        ("shell:./build.sh", "shell:./build.sh"),
        ("shell::dynamic:", "shell::dynamic:"),
        ("file:notes.txt", "file:notes.txt"),
        ("tool:x", "tool:x"),
    ],
)
def test_a_key_is_the_one_that_calls_have(given: str, judged: str) -> None:
    assert shell_key(ActionKey(given)) == judged
