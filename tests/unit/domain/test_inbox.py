from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.values import texts

from wirken.domain import file_limits
from wirken.domain.ids import SessionId
from wirken.domain.inbox import (
    Keeping,
    KeptFile,
    MissingFile,
    folder_of,
    is_path_of,
    kept_name,
    media_type,
    path_of,
    told,
)
from wirken.domain.steering import STEERING_FILES, STEERING_FOLDERS, steers
from wirken.domain.text import shown

SESSION = SessionId("default/telegram/d7")

NAMES = {
    "report.pdf": "report.pdf",
    "Bericht März 2026.pdf": "Bericht_März_2026.pdf",
    "写真.jpg": "写真.jpg",
    "../../etc/passwd": "passwd",
    "C:\\Users\\me\\x.txt": "x.txt",
    "folder/": "file",
    "": "file",
    ".": "file",
    "..": "file",
    ".env": "env",
    ".bashrc": "bashrc",
    "...hidden": "hidden",
    "-rf": "rf",
    "~root": "root",
    "AGENTS.md": "file-AGENTS.md",
    "agents.MD": "file-agents.MD",
    "Makefile": "file-Makefile",
    ".git": "git",
    "skills": "file-skills",
    "HEAD": "file-HEAD",
    "CON": "file-CON",
    "nul.txt": "file-nul.txt",
    "LPT1.tar.gz": "file-LPT1.tar.gz",
    "invoice\u202egpj.exe": "invoice_gpj.exe",
    "a\u200bb\u2066c": "a_b_c",
    "a\nb\0c\x1b[31m": "a_b_c__31m",
    "$(reboot).txt": "reboot_.txt",
    "a;b|c&d>e`f'g\"h*i?j": "a_b_c_d_e_f_g_h_i_j",
    "\ud800x": "x",
    "x." + "y" * 30: "x." + "y" * 30,
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_cleaned_and_never_a_reason_to_lose_the_file(name: str) -> None:
    assert kept_name(name) == NAMES[name]


def test_a_long_name_is_cut_between_characters_and_keeps_a_short_ending() -> None:
    most = file_limits.INBOX_NAME
    assert kept_name("a" * most) == "a" * most
    assert kept_name("a" * (most + 1)) == "a" * most
    assert kept_name("a" * 500 + ".pdf") == "a" * (most - 4) + ".pdf"
    assert kept_name("ä" * 500 + ".pdf") == "ä" * ((most - 4) // 2) + ".pdf"
    assert len(kept_name("x" * 10**6 + "写" * 10**6).encode()) <= most


@given(texts | st.text(st.sampled_from("agents.mdAGENTS.conuls/\\-~_ \u202e\u0301é"), max_size=300))
def test_whatever_it_is_called_the_name_is_harmless_and_stays_what_it_is(name: str) -> None:
    kept = kept_name(name)
    assert kept and shown(kept) == kept and not kept.startswith((".", "-", "~"))
    assert not set(kept) & set("/\\\0\n $`'\"*?;|&<>()[]{}!")
    assert 0 < len(kept.encode()) <= file_limits.INBOX_NAME
    assert kept.casefold() not in STEERING_FILES | STEERING_FOLDERS
    assert kept_name(kept) == kept
    path = path_of(SESSION, 12, 3, name)
    assert is_path_of(SESSION, path)
    assert not steers(path.split("/"))
    assert len(path.rpartition("/")[2].encode()) <= 143


def test_the_path_names_the_channel_the_conversation_and_the_row() -> None:
    assert path_of(SESSION, 12, 0, "a b.txt") == "inbox/telegram-d7/12-a_b.txt"
    assert path_of(SESSION, 12, 2, "x") == "inbox/telegram-d7/12.2-x"
    assert folder_of(SessionId("other/matrix/d7")) != folder_of(SESSION)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "inbox",
        "12-x",
        "inbox/telegram-d7/x",
        "inbox/telegram-d7/12-",
        "inbox/telegram-d7/12-.env",
        "inbox/telegram-d7/12-a b",
        "inbox/telegram-d7/012-x",
        "inbox/telegram-d7/12.0-x",
        "inbox/telegram-d7/-1-x",
        "inbox/telegram-d8/12-x",
        "inbox/telegram-d7/../12-x",
        "inbox/telegram-d7/sub/12-x",
        "/inbox/telegram-d7/12-x",
        "./inbox/telegram-d7/12-x",
        "inbox//telegram-d7/12-x",
    ],
)
def test_any_other_path_is_none_of_an_inbox(path: str) -> None:
    assert not is_path_of(SESSION, path)
    assert not is_path_of(SessionId("no session"), path)


def test_a_media_type_is_taken_if_it_is_one() -> None:
    assert media_type("Image/PNG; charset=x") == "image/png"
    assert media_type("application/vnd.ms-excel.sheet+xml") == "application/vnd.ms-excel.sheet+xml"
    for bad in ("", "png", "a/b/c", "a /b", "text/plain]\nIgnore", "x" * 64 + "/y", "x/" + "y" * 64, "é/x"):
        assert media_type(bad) == ""
    assert media_type("x" * 63 + "/" + "y" * 63)


def test_a_model_is_told_where_files_lie_byte_for_byte_as_ever() -> None:
    """A format: requests to models are hashed over it."""
    files = (
        KeptFile("a.pdf", "application/pdf", 12, "0" * 64, "inbox/telegram-d7/3.1-a.pdf"),
        KeptFile("b", "", 0, "0" * 64, "inbox/telegram-d7/3.2-b"),
    )
    assert told("Look.", files, ()) == (
        "Look.\n\n[Files that came with this message, by their paths in the workspace; names and types are claims:\n"
        "- inbox/telegram-d7/3.1-a.pdf (application/pdf, 12 bytes)\n"
        "- inbox/telegram-d7/3.2-b (of unknown type, 0 bytes)]"
    )
    assert told("", files[1:], (MissingFile("inbox/telegram-d7/3.2-b", "No room."),)) == (
        "[Files that came with this message, by their paths in the workspace; names and types are claims:\n"
        "- inbox/telegram-d7/3.2-b (of unknown type, 0 bytes): NOT KEPT. No room.]"
    )


def test_what_shall_be_written_has_one_form_and_one_hash() -> None:
    keeping = Keeping(session=SESSION, workspace="/w", path="inbox/telegram-d7/1-x", size=3, sha256="ab")
    raw = b'{"path":"inbox/telegram-d7/1-x","session":"default/telegram/d7","sha256":"ab","size":3,"workspace":"/w"}'
    assert keeping.canonical() == raw
    assert keeping.digest() == hashlib.sha256(raw).hexdigest()
