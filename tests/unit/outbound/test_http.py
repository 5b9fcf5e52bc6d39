"""What the HTTP client trusts, loads and logs."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import logging
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.fake_openai import MODEL, FakeOpenAI
from tests.support.outbound import KEY, Heard, ask, completions, config, question

from wirken.outbound.endpoint import endpoint
from wirken.outbound.http import _trust


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return a server context with a fresh certificate for 127.0.0.1 that nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_server_that_cannot_prove_its_name_gets_nothing(tmp_path: Path) -> None:
    async with FakeOpenAI(key=KEY, tls=self_signed(tmp_path)) as fake:
        end, _ = await ask("openai", fake.base_url, credential="it-key")
    assert "could not prove" in end.error
    assert not end.retryable
    assert fake.http.connections <= 1
    assert not fake.requests


async def test_a_plain_server_behind_https_is_told_as_that() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        end, _ = await ask("openai", f"https://127.0.0.1:{port}/v1")
    assert "TLS" in end.error


def test_https_checks_certificates_and_names() -> None:
    trust = _trust(endpoint("p", "https://api.example"))
    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.check_hostname
    assert trust.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_debug_logs_never_hold_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with FakeOpenAI(key=KEY) as fake:
        one = completions(config("openai", fake.base_url, credential="it-key"))
        assert not (await one.complete(question(), Heard())).error
        await one.close()
    assert KEY not in caplog.text


@pytest.mark.slow
def test_an_idle_start_and_the_rehearsal_model_load_no_http_client() -> None:
    program = (
        "import asyncio, sys\n"
        "from wirken.config.model import Config\n"
        "from wirken.ipc.calls.outbound import Complete\n"
        "from wirken.outbound.completions import Completions\n"
        "async def none(name): return None\n"
        'said = b\'[{"role":"user","content":"say: x"}]\'\n'
        "question = Complete('rehearsal', 'rehearsal', said, b'[]')\n"
        "one = Completions(Config(), none, jitter=lambda: 0.5)\n"
        "print(asyncio.run(one.complete(question, lambda event: None)).error or 'fine')\n"
        "print(sorted(name for name in ('httpx2', 'httpcore2', 'anyio', 'h11') if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["fine", "[]", ""]


@pytest.mark.slow
def test_the_fake_serves_a_benchmark_from_the_command_line() -> None:
    command = [sys.executable, "-m", "tests.support.fake_openai", "--port", "0", "--tool", "exec"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        bodies = []
        for messages in ([{"role": "user"}], [{"role": "user"}, {"role": "tool"}]):
            sent = json.dumps({"model": MODEL, "messages": messages}, separators=(",", ":")).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", sent)
            with urllib.request.urlopen(request, timeout=5) as reply:
                bodies.append(reply.read())
        server.send_signal(signal.SIGTERM)
        assert server.wait(5) == 0
    assert b"tool_calls" in bodies[0]
    assert b"word " in bodies[1]
