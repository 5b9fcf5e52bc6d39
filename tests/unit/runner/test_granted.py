from __future__ import annotations

from pathlib import Path

from wirken.ipc.calls.runner import WirePermit
from wirken.runner.bubblewrap import Descriptors, HostRoot, options, prepare
from wirken.runner.granted import Certificates, certificates, environment
from wirken.runner.sandbox import Bounds, Command


def line(root: HostRoot, network: bool) -> list[str]:
    permit = WirePermit("s", 1, "hash") if network else None
    return options(root, Bounds(), Command(("true",), "/home/me/work", network=permit), Descriptors(7, 8, 9))


def test_what_a_grant_adds_is_not_there_without_one(tmp_path: Path) -> None:
    (tmp_path / "host/etc/ssl/certs").mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    root = prepare(tmp_path / "scratch", tmp_path / "host")
    plain, granted = line(root, False), line(root, True)
    assert "--setenv" not in plain
    assert "/etc/ssl/certs" not in plain
    assert "--unshare-net" in granted
    at = granted.index("/etc/ssl/certs")
    assert granted[at - 2 : at] == ["--ro-bind", str(tmp_path / "host/etc/ssl/certs")]
    assert (root.etc / "ssl/certs").is_dir()


def test_only_what_the_machine_has_is_shown(tmp_path: Path) -> None:
    (tmp_path / "etc/pki/tls/certs").mkdir(parents=True)
    (tmp_path / "etc/pki/tls/certs/ca-bundle.crt").write_text("")
    found = certificates(tmp_path)
    assert [place for _, place in found.folders] == ["/etc/pki/tls"]
    assert environment(found)["SSL_CERT_FILE"] == "/etc/pki/tls/certs/ca-bundle.crt"


def test_programs_of_both_spellings_find_the_proxy_and_leave_loopback_alone() -> None:
    found = environment(Certificates((), ""))
    for name in ("http_proxy", "https_proxy"):
        assert found[name] == found[name.upper()] == "http://127.0.0.1:3128"
    assert "127.0.0.1" in found["no_proxy"].split(",")
    assert "SSL_CERT_FILE" not in found
