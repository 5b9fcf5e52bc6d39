"""curl, pip, npm and git through all of Wirken: real sandbox, runner, relay and gateway, a server of the test.

The ports that may be reached are 443 and 80, which only root may bind: as another user these tests are not run
(`tests/unit/runner/test_package_tools.py` runs the same programs against a relay of the test, as anybody).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from tests.process.test_egress import result, run, verdicts
from tests.support.spine import Spine, spine, wirken
from tests.support.tls_files import BUNDLE, Ports, authority, served
from tests.unit.runner.test_package_tools import forge, npm, put, pypi

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may bind the ports 443 and 80"),
]

ADDRESS = "127.0.0.11"
HOSTS = ("www.test", "pypi.test", "npm.test", "git.test")
CONFIG = "\n".join(
    [
        "[agents.default.egress.terminal]",
        'mode = "allowlist"',
        f"domains = {list(HOSTS)}",
        "[egress.own_addresses]",
        *(f'"{host}" = ["{ADDRESS}"]' for host in HOSTS),
    ]
)
TRUST = "export {}; ".format(
    " ".join(
        f"{name}=$PWD/{BUNDLE}"
        for name in (
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
            "npm_config_cafile",
            "GIT_SSL_CAINFO",
        )
    )
)
"""On an operator's machine the authority is the machine's own, and nothing of this is needed."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    folder = tmp_path_factory.mktemp("tools")
    keys, root = folder / "ca", folder / "www"
    keys.mkdir()
    context = authority(keys, HOSTS)
    put(root / "www.test/page.txt", "a page\n")
    pypi(root / "pypi.test")
    npm(root / "npm.test")
    forge(root / "git.test", folder)
    with served(root, context, ADDRESS, Ports(443, 80)), spine(folder / "wirken", CONFIG) as one:
        shutil.copy(keys / BUNDLE, one.workspace / BUNDLE)
        yield one


@pytest.mark.parametrize(
    ("name", "command", "said", "host"),
    [
        ("curl", f"curl -sSf --cacert {BUNDLE} https://www.test/page.txt", "a page\n", "www.test"),
        (
            "pip",
            "python3 -m pip install -q --index-url https://pypi.test/simple/ --target lib demo 2>&1"
            " && PYTHONPATH=lib python3 -c 'import demo; print(demo.said)'",
            "from a wheel\n",
            "pypi.test",
        ),
        (
            "npm",
            "mkdir web && cd web && npm install --registry https://npm.test/ --no-audit demo 2>&1"
            " && node -e \"console.log(require('demo'))\"",
            "from npm\n",
            "npm.test",
        ),
        (
            "git",
            "git clone -q https://git.test/demo.git 2>&1 && cat demo/hello.txt",
            "from git\n",
            "git.test",
        ),
    ],
)
def test_the_usual_tools_fetch_what_the_operator_listed(
    up: Spine, name: str, command: str, said: str, host: str
) -> None:
    run(up, "default", name, TRUST + command)
    session = f"default/terminal/{name}"
    assert result(up, session).output.endswith(said), result(up, session).output
    assert set(verdicts(up, session)) == {("allowed", host, 443)}
    done = wirken(up.data, "sessions", "verify", session)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_unlisted_registry_is_refused_and_the_tool_says_so(up: Spine) -> None:
    run(up, "default", "stray", "python3 -m pip install --retries 0 --target lib2 six 2>&1; ls lib2 2>&1")
    output = result(up, "default/terminal/stray").output
    assert "No matching distribution found for six" in output
    assert {found[:2] for found in verdicts(up, "default/terminal/stray")} == {("not_allowed", "pypi.org")}
