"""What runs: the processes, their version, the page's port."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from wirken import __version__
from wirken.cli.checks.finding import Finding, info, ok, red, yellow
from wirken.cli.checks.installation import Installation
from wirken.domain import limits
from wirken.supervisor import listeners


def processes(home: Installation) -> Iterator[Finding]:
    """Are all processes up, and do they stay up?"""
    found = home.running
    if found is None and home.not_started:
        yield red("Wirken's processes do not start", home.not_started, "What they said stands above.")
        return
    if found is None:
        yield info("Wirken does not run", fix="wirken run")
        return
    if found.supervisor is None:
        yield red("the supervisor does not answer", found.said, f"wirken stop, or kill {found.pid}")
        return
    late = [child.role for child in found.supervisor.children if child.state != "ready"]
    fallen = [f"{child.role} ({child.restarts})" for child in found.supervisor.children if child.restarts]
    if late and found.state != "sealed":
        yield red(f"not ready: {', '.join(late)}", "What they said stands where `wirken run` runs.", "wirken status")
    if fallen:
        why = "A process that dies is started again; what it said stands where `wirken run` runs."
        yield yellow(f"started again: {', '.join(fallen)}", why, "wirken status")
    if not late and not fallen:
        yield ok(f"{len(found.supervisor.children)} processes are ready (pid {found.pid})")


def version(home: Installation) -> Iterator[Finding]:
    """Is the program that runs the one that is installed?"""
    found = home.running.supervisor if home.running is not None else None
    if found is None or found.version == __version__:
        yield ok(__version__)
    else:
        seen = f"{found.version} runs, {__version__} is installed"
        yield yellow(seen, "Its processes load what they still need from the new one.", "wirken stop, then wirken run")


def page_port(home: Installation) -> Iterator[Finding]:
    """Is the page's port ours, or free?"""
    ours = home.running.supervisor.port if home.running is not None and home.running.supervisor is not None else 0
    port = ours or home.config.web.port
    if home.config.web.uids:
        seen = f"uids {', '.join(map(str, home.config.web.uids))} may use the page as if they were you ([web] uids)"
        yield yellow(seen, "Whoever may use it converses and answers approvals in your name.", "Take out who need not.")
    if ours:
        yield _answering(port)
        return
    try:
        bound = listeners.loopback(port)
    except listeners.BusyPort as error:
        yield red(str(error), "`wirken run` needs it for its page.", error.advice)
        return
    for listener in bound:
        listener.close()
    yield ok(f"{port} is free")


def _answering(port: int) -> Finding:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limits.STATUS_TIME)
    try:
        connection.request("GET", "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return red(f"http://localhost:{port} does not answer", "The page's process is stuck.", "wirken status")
    finally:
        connection.close()
    if status == http.HTTPStatus.OK:
        return ok(f"http://localhost:{port} is ours and answers")
    return red(f"http://localhost:{port} answers with {status}", "The page cannot be used.", "wirken status")
