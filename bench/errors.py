"""Why a figure has no number."""

from __future__ import annotations


class NotMeasured(Exception):
    """The measurement could not be made; the text is the reason, for the report."""
