"""A web server of the test with a certificate authority of its own: a folder's files over TLS and over plain HTTP."""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BUNDLE = "ca-certificates.crt"
_DAY = datetime.timedelta(days=1)


class Ports(NamedTuple):
    tls: int
    plain: int


ANY_PORTS = Ports(0, 0)


class _Files(http.server.SimpleHTTPRequestHandler):
    """Files below `<root>/<host>/`, so that several hosts can be served."""

    protocol_version = "HTTP/1.1"
    timeout = 20

    def translate_path(self, path: str) -> str:
        host = self.headers.get("Host", "").partition(":")[0]
        inside = path.partition("?")[0].lstrip("/")
        assert self.directory is not None
        place = Path(self.directory, host, inside)
        return str(place / "index.html" if place.is_dir() else place)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up at any time."""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def authority(folder: Path, hosts: tuple[str, ...]) -> ssl.SSLContext:
    """Write the authority's certificate to `folder`/ca-certificates.crt, and return a server's context for `hosts`."""
    now = datetime.datetime.now(datetime.UTC)
    own, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    dated = x509.CertificateBuilder().not_valid_before(now - _DAY).not_valid_after(now + _DAY).issuer_name(_name("CA"))
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    subject = x509.SubjectKeyIdentifier.from_public_key(own.public_key())
    root = (
        dated.subject_name(_name("CA"))
        .public_key(own.public_key())
        .serial_number(1)
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(usage, True)
        .add_extension(subject, False)
        .sign(own, hashes.SHA256())
    )
    leaf = (
        dated.subject_name(_name(hosts[0]))
        .public_key(key.public_key())
        .serial_number(2)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject), False)
        .sign(own, hashes.SHA256())
    )
    (folder / BUNDLE).write_bytes(root.public_bytes(serialization.Encoding.PEM))
    pem = folder.parent / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@contextmanager
def served(root: Path, context: ssl.SSLContext, at: str = "127.0.0.1", ports: Ports = ANY_PORTS) -> Iterator[Ports]:
    """Serve `root`/<host>/ for every host, until the block ends."""

    class Files(_Files):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(root))  # type: ignore[arg-type]  # as the server passes them

    plain, tls = _Server((at, ports.plain), Files), _Server((at, ports.tls), Files)
    tls.socket = context.wrap_socket(tls.socket, server_side=True, do_handshake_on_connect=False)
    threads = [threading.Thread(target=server.serve_forever) for server in (plain, tls)]
    for thread in threads:
        thread.start()
    try:
        yield Ports(tls.server_port, plain.server_port)
    finally:
        for server, thread in zip((plain, tls), threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
