"""One conversation with one approval, in a real browser, through every real process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

pytestmark = [
    pytest.mark.slow,
    # Playwright leaves its own subprocess transport to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

CHROMIUM = shutil.which("chromium") or "chromium: `make setup-test` installs it"
WAIT = 10_000  # milliseconds the page has to show something


def wirken(*words: str) -> list[str]:
    return [sys.executable, "-m", "wirken.cli.main", *words]


@contextmanager
def house(data: Path) -> Iterator[int]:
    """`wirken run` on a free port; stopped with SIGINT at the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    environ = os.environ | {"WIRKEN_DATA_DIR": str(data)}
    process = subprocess.Popen(
        wirken("run", "--port", str(port)), env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, b"")
        assert any(line.startswith(b"Wirken running.") for line in lines), "it never got ready"
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        process.stdout.close()


async def test_a_person_converses_approves_and_verifies_in_the_browser(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with house(data) as port:
        async with async_playwright() as playwright:
            args = ["--disable-gpu", *(["--no-sandbox"] if os.getuid() == 0 else [])]
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=args)
            page = await browser.new_page()
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(f"http://localhost:{port}/")
            field = page.locator("#text")
            await field.fill("write: note.txt <<< from the page\nrun: cat note.txt")
            await field.press("Enter")
            allow = page.get_by_role("button", name="Allow once")
            await allow.wait_for(timeout=WAIT)
            card = await page.locator("body").inner_text()
            assert "cat note.txt" in card
            await allow.click()
            await page.get_by_text("exit code 0").wait_for(timeout=WAIT)
            await page.get_by_text("Signed up to row").wait_for(timeout=WAIT)
            assert "from the page" in await page.locator("body").inner_text()
            await page.get_by_role("button", name="Verify").click()
            await page.get_by_text("The record verifies.").wait_for(timeout=WAIT)
            assert complaints == []
            await browser.close()
    assert (data / "agents/default/workspace/note.txt").read_text() == "from the page"
    verified = subprocess.run(
        wirken("sessions", "verify", "last", "--json"),
        env=os.environ | {"WIRKEN_DATA_DIR": str(data)},
        capture_output=True,
        check=False,
    )
    report = json.loads(verified.stdout)
    assert verified.returncode == 0
    assert report["status"] == "verified"
    assert report["tool_calls"] == 2
