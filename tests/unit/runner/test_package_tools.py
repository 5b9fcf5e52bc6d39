"""curl, pip, npm, git and cargo fetch over a granted network without being told how, from a server of the test.

Everything here is real, outbound's relay included, but for its judge, which allows all hosts, and for where they lie.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.open_relay import OpenRelay, open_relay
from tests.support.runner_client import Client, runner
from tests.support.tls_files import authority, served
from tests.support.walled import owned
from tests.support.ways import WAYS, Way, boxed, shown

pytestmark = pytest.mark.slow

TRUSTING = "".join(
    f"export {name}=/readonly/2-certificates/ca-certificates.crt; "
    for name in (
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
        "npm_config_cafile",
    )
)
HOSTS = ("www.test", "pypi.test", "npm.test", "git.test", "crates.test")


def put(place: Path, content: str | bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)


def packed(files: dict[str, str]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue())


def pypi(root: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as wheel:
        wheel.writestr("demo.py", "said = 'from a wheel'\n")
        wheel.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("demo-1.0.dist-info/RECORD", "demo.py,,\n")
    put(root / "files/demo-1.0-py3-none-any.whl", raw.getvalue())
    put(root / "simple/demo/index.html", '<a href="/files/demo-1.0-py3-none-any.whl">demo-1.0-py3-none-any.whl</a>')


def npm(root: Path) -> None:
    package = {"name": "demo", "version": "1.0.0", "main": "index.js"}
    archive = packed({"package/package.json": json.dumps(package), "package/index.js": "module.exports = 'from npm'\n"})
    put(root / "demo/-/demo-1.0.0.tgz", archive)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    version = package | {"dist": {"tarball": "https://npm.test/demo/-/demo-1.0.0.tgz", "integrity": integrity}}
    listed = {"name": "demo", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    put(root / "demo/index.html", json.dumps(listed))


def forge(root: Path, scratch: Path) -> None:
    source = scratch / "source"
    environment = {"PATH": os.environ["PATH"], "HOME": str(scratch), "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *identity, *words], check=True, env=environment, capture_output=True)

    put(source / "hello.txt", "from git\n")
    git("init", str(source))
    git("-C", str(source), "add", ".")
    git("-C", str(source), "commit", "-m", "one")
    git("clone", "--bare", str(source), str(root / "demo.git"))
    git("-C", str(root / "demo.git"), "update-server-info")


def crates(root: Path) -> None:
    manifest = '[package]\nname = "demo"\nversion = "1.0.0"\nedition = "2021"\n'
    crate = packed({"demo-1.0.0/Cargo.toml": manifest, "demo-1.0.0/src/lib.rs": 'pub const SAID: &str = "crate";\n'})
    put(root / "dl/demo/1.0.0/download", crate)
    put(root / "config.json", json.dumps({"dl": "https://crates.test/dl"}))
    row = {"name": "demo", "vers": "1.0.0", "deps": [], "features": {}, "yanked": False}
    put(root / "de/mo/demo", json.dumps(row | {"cksum": hashlib.sha256(crate).hexdigest()}) + "\n")


@pytest.fixture(scope="module")
def toolchain() -> str:
    """The folder of a Rust tool chain that lies outside /usr, or nothing."""
    if not shutil.which("rustc"):
        return ""
    home = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=False).stdout.strip()
    return "" if home == "/usr" else home


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenRelay]:
    folder = tmp_path_factory.mktemp("served")
    root, certificates = folder / "root", folder / "certificates"
    certificates.mkdir()
    put(root / "www.test/page.txt", "over TLS or not\n")
    pypi(root / "pypi.test")
    npm(root / "npm.test")
    forge(root / "git.test", folder)
    crates(root / "crates.test")
    sockets = owned(tmp_path_factory.mktemp("sockets"))
    with (
        served(root, authority(certificates, HOSTS)) as ports,
        open_relay(sockets / "relay-runner.sock", ports.tls, ports.plain) as relay,
    ):
        yield relay


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture(scope="module")
def granted(
    relay: OpenRelay,
    toolchain: str,
    way: Way,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    """A runner on a machine that trusts the test's authority."""
    certificates = str(next(relay.path.parent.parent.glob("served*/certificates")))
    view = ("--perms", "0755", "--dir", "/etc/ssl", "--ro-bind", certificates, "/etc/ssl/certs")
    folders = (*shown(way), certificates, *([toolchain] if toolchain else []))
    box = boxed(way, request)
    with runner(tmp_path_factory.mktemp("granted"), "watchdog", folders, view, relay.path, box) as client:
        assert client.status().kind != "none", client.status()
        client.shown = shown(way)
        if box is not None and box.engine is not None:
            # The engine shows the machine's own authorities, of which the test's is none.
            client.shown, client.online_prelude = (*client.shown, certificates), TRUSTING
        yield client


def test_curl_fetches_over_tls_and_in_the_clear(granted: Client, relay: OpenRelay) -> None:
    relay.asked.clear()
    ran = granted.online("curl -sSf https://www.test/page.txt && curl -sSf http://www.test/page.txt")
    assert ran.output == "over TLS or not\n" * 2
    assert [what for _, what in relay.asked] == ["www.test:443", "www.test:80"]


def test_what_the_relay_refuses_stays_out_of_reach(granted: Client) -> None:
    ran = granted.online("curl -sS https://no.such.test/ 2>&1; curl -sS --noproxy '*' https://www.test/ 2>&1")
    assert "403" in ran.output
    assert "Could not resolve host: www.test" in ran.output


def test_python_trusts_the_machines_authorities(granted: Client) -> None:
    fetch = "import urllib.request as r; print(r.urlopen('https://www.test/page.txt').read().decode(), end='')"
    assert granted.online(f'python3 -c "{fetch}"').output == "over TLS or not\n"


def test_pip_installs(granted: Client, relay: OpenRelay, way: Way) -> None:
    relay.asked.clear()
    ran = granted.online(
        "python3 -m pip install -q --index-url https://pypi.test/simple/ --target lib demo 2>&1"
        " && PYTHONPATH=lib python3 -c 'import demo; print(demo.said)'"
    )
    assert ran.output.endswith("from a wheel\n"), ran.output
    assert {what for _, what in relay.asked} == {"pypi.test:443"}
    assert all(caller.program.startswith("python3" if way == "bubblewrap" else "") for caller, _ in relay.asked)


def test_pip_of_a_virtual_environment_installs(granted: Client) -> None:
    ran = granted.online(
        "python3 -m venv env 2>&1 && env/bin/pip install -q --index-url https://pypi.test/simple/ demo 2>&1"
        " && env/bin/python -c 'import demo; print(demo.said)'"
    )
    assert ran.output.endswith("from a wheel\n"), ran.output


def test_npm_installs(granted: Client, relay: OpenRelay, way: Way) -> None:
    relay.asked.clear()
    ran = granted.online(
        "mkdir -p web && cd web && npm install --registry https://npm.test/ --no-audit demo 2>&1"
        " && node -e \"console.log(require('demo'))\""
    )
    assert ran.output.endswith("from npm\n"), ran.output
    assert {what for _, what in relay.asked} == {"npm.test:443"}
    assert relay.asked[0][0].program.startswith("npm install" if way == "bubblewrap" else "")


def test_git_clones(granted: Client, relay: OpenRelay, way: Way) -> None:
    relay.asked.clear()
    ran = granted.online("git clone -q https://git.test/demo.git 2>&1 && cat demo/hello.txt", steering=True)
    assert ran.output == "from git\n", ran.output
    named = "git-remote-http" if way == "bubblewrap" else ""
    assert relay.asked and all(caller.program.startswith(named) for caller, _ in relay.asked)


def test_cargo_fetches(granted: Client, toolchain: str) -> None:
    if not shutil.which("cargo"):
        pytest.skip("there is no cargo on this machine")
    place = granted.workspace / "rust"
    put(place / "Cargo.toml", '[package]\nname = "mine"\nversion = "0.1.0"\n[dependencies]\ndemo = "1"\n')
    put(place / "src/lib.rs", "pub use demo::SAID;\n")
    replaced = '[source.crates-io]\nreplace-with = "t"\n[source.t]\nregistry = "sparse+https://crates.test/"\n'
    put(place / ".cargo/config.toml", replaced)
    owned(place)
    search = f"PATH=$(echo /readonly/*-{Path(toolchain).name})/bin:$PATH; " if toolchain else ""
    fetch = f"{search}cd rust && cargo fetch 2>&1 && echo /tmp/.cargo/registry/cache/*/*"
    ran = granted.online(fetch, (toolchain,) if toolchain else ())
    assert "demo-1.0.0.crate" in ran.output, ran.output


def test_nothing_that_they_sent_was_malformed_or_named_another_host(relay: OpenRelay) -> None:
    assert relay.ends and set(relay.refused) <= {"not_allowed no.such.test:443"}
