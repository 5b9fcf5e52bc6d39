"""What all kinds of row have in common."""

from __future__ import annotations

import msgspec


class _Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Base of all facts: frozen, by keyword, tagged."""
