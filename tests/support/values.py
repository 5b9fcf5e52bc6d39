"""Hypothesis strategies for the record's value space, built from the types themselves."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from wirken.domain.events import Fact, Trust
from wirken.domain.ids import SessionId
from wirken.record.canonical import Row

LARGEST = 2**53 - 1

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Unicode of all planes, NUL included; no lone surrogates, which UTF-8 cannot carry."""

integers = st.integers(-LARGEST, LARGEST) | st.sampled_from([-LARGEST, -1, 0, LARGEST])


def value_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of an annotation as the facts use them; anything else fails, so that a new kind is noticed."""
    origin = get_origin(kind)
    if origin is Literal:
        return st.sampled_from(get_args(kind))
    if origin in (Union, types.UnionType):
        return st.one_of([value_of(part) for part in get_args(kind)])
    if origin is tuple:
        item, rest = get_args(kind)
        assert rest is Ellipsis
        return st.lists(value_of(item), max_size=3).map(tuple)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return struct_of(kind)
    simple: dict[Any, st.SearchStrategy[Any]] = {str: texts, int: integers, bool: st.booleans(), type(None): st.none()}
    return simple[getattr(kind, "__supertype__", kind)]


def struct_of(kind: Any) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: value_of(hint) for name, hint in get_type_hints(kind).items() if name[0] != "_"})


FACTS: tuple[type[Any], ...] = get_args(Fact)
facts = st.sampled_from(FACTS).flatmap(struct_of)
rows = st.builds(
    Row, texts.map(SessionId), st.integers(0, LARGEST), st.integers(0, LARGEST), st.sampled_from(Trust), facts
)
