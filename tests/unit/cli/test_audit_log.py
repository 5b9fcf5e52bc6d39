from __future__ import annotations

import pytest

from wirken.cli.audit import said
from wirken.domain.events import ApprovalRefused, Fact, GrantRevoked, PermissionApproved, RateLimited, SenderChanged
from wirken.domain.ids import ActionKey


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (
            ApprovalRefused(approval="a1", asked_in="", by="anna", surface="telegram:7", reason="It is late."),
            "by anna at telegram:7: It is late.",
        ),
        (
            PermissionApproved(
                approval="a1",
                call_id="c",
                lease="0",
                action_keys=(ActionKey("shell:ls"),),
                tier="tier2",
                scope="once",
                by="owner",
                surface="page",
            ),
            "once, by owner at page: shell:ls",
        ),
        (
            SenderChanged(
                channel="telegram",
                sender="7",
                change="paired",
                principal="anna",
                role="user",
                by="",
                surface="telegram",
            ),
            "telegram:7 paired: anna (user), by a code at telegram",
        ),
        (
            GrantRevoked(
                agent="default", principal="anna", channel="telegram", action_key="shell:ls", by="owner", only_in=""
            ),
            "by owner: shell:ls of anna for default on telegram",
        ),
        (
            RateLimited(what="messages", whose="principal", name="anna", per_minute=3),
            "messages of anna: more than 3 in a minute",
        ),
    ],
)
def test_the_log_says_who_decided_what(fact: Fact, says: str) -> None:
    assert said(fact) == says


def test_a_line_of_the_log_says_where_it_leaves_something_out() -> None:
    long = ApprovalRefused(approval="a", asked_in="", by="anna", surface="page", reason="x" * 500)
    assert said(long).endswith("x…") and len(said(long)) == 141
