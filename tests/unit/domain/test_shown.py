"""Under which names a sandbox shows the further folders of a call."""

from __future__ import annotations

from wirken.domain.shown import given

FOLDERS = ("/srv/docs", "/home/me/.ssh", "/")


def test_a_path_below_a_shown_folder_is_named_by_the_folders_own_name() -> None:
    assert given("/readonly/1-docs", FOLDERS) == "docs"
    assert given("/readonly/1-docs/a/b", FOLDERS) == "docs/a/b"
    assert given("/readonly/2-.ssh/config", FOLDERS) == ".ssh/config"
    assert given("/readonly/3-root/x", FOLDERS) == "/x"


def test_what_lies_beside_climbs_or_was_not_given_is_none() -> None:
    for path in ("/readonly", "/readonly/2-docs", "/readonly/1-docsx", "/srv/docs/a", "readonly/1-docs", "//readonly"):
        assert given(path, FOLDERS) is None, path
    assert given("/readonly/1-docs/../x", FOLDERS) is None
    assert given("/readonly/1-docs/a", ()) is None
