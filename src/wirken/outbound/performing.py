"""The tools that work here, `http_request` and `web_search`: permitted calls in, what came of them out.

A request goes to the host that was decided about. A redirect is followed to the same host alone; another host is a
decision of its own, so the model reads where it leads and asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, assert_never
from urllib.parse import urljoin

import msgspec

from wirken.config.model import Config
from wirken.config.requests import use
from wirken.domain import request_limits
from wirken.domain.actions import CanonicalCall, CredentialUse
from wirken.domain.errors import Refused, UsageError, WirkenError
from wirken.domain.secret import Secret
from wirken.domain.urls import Target, target
from wirken.ipc.calls.outbound import Perform
from wirken.ipc.calls.runner import Ran
from wirken.ipc.permitted import Used, checked
from wirken.outbound import search
from wirken.outbound.answers import readable
from wirken.outbound.asked import NotAsked, RequestArguments, SearchArguments, parsed
from wirken.outbound.attempts import Attempts
from wirken.outbound.endpoint import leads, located
from wirken.outbound.fetching import Answer, Fetch, FetchFailed, Wanted
from wirken.outbound.relay import Judge
from wirken.outbound.resolve import PrivateAddress, Resolver
from wirken.outbound.scrub import Scrubber

HERE: Final = "outbound"

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Performing:
    """Carries out calls, each permit once. `credentials` asks the vault for an entry's value."""

    def __init__(
        self,
        config: Config,
        resolver: Resolver,
        credentials: Callable[[str], Awaitable[Secret | None]],
        fetch: Fetch,
        judge: Judge,
    ) -> None:
        self._config = config
        self._resolver = resolver
        self._credentials = credentials
        self._fetch = fetch
        self._judge = judge
        self._used = Used()

    async def perform(self, question: Perform) -> Ran:
        """Carry out a permitted call. Raises `Refused` where call and permit do not match, or it was used."""
        call = checked(question.permit, question.call)
        self._used.use(question.permit)
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            ran = await self._performed(call, Attempts(self._judge, question.permit, call.tool, self._fetch))
        except (NotAsked, UsageError) as error:
            ran = Ran(outcome="invalid", output=_sentence(error), place=HERE)
        except PrivateAddress as error:
            ran = Ran(outcome="denied", output=_sentence(error), place=HERE)
        except Refused:
            raise
        except WirkenError as error:
            ran = Ran(outcome="failed", output=_sentence(error), place=HERE)
        return msgspec.structs.replace(ran, duration_ms=int((loop.time() - started) * 1000))

    async def _performed(self, call: CanonicalCall, attempts: Attempts) -> Ran:
        match parsed(call.tool, call.arguments):
            case RequestArguments() as asked:
                return await self._request(asked, call.place.credential, attempts)
            case SearchArguments(query=text, count=count):
                return Ran(outcome="ok", output=await self._search(text, count, attempts), place=HERE)
            case never:
                assert_never(never)

    # --- http_request ---------------------------------------------------------------------------------

    async def _request(self, asked: RequestArguments, decided: CredentialUse | None, attempts: Attempts) -> Ran:
        wanted, method, body, fields = asked.target(), asked.method, asked.content(), asked.fields()
        if use(self._config.http_credentials, method, wanted) != decided:
            raise Refused("Another credential would go with this request than the one that was decided about.")
        scrubber = Scrubber()
        async with self._holding(decided, scrubber) as header:
            for followed in range(request_limits.REDIRECTS + 1):
                answer = await self._once(wanted, method, [*fields, *header], body, attempts)
                further = _redirect(answer, wanted)
                if further is None or not self._may_follow(further, wanted, method, decided):
                    return _ran(answer, scrubber, wanted, further, followed)
                wanted = further
                if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                    method, body = ("HEAD" if method == "HEAD" else "GET"), b""
        raise FetchFailed(f"{wanted.host} sent more than {request_limits.REDIRECTS} redirects in a row.")

    async def _once(
        self, to: Target, method: str, fields: list[tuple[bytes, bytes]], body: bytes, attempts: Attempts
    ) -> Answer:
        wanted = Wanted(method, to.scheme, to.host, to.port, to.path, fields, body)
        return await attempts.made(wanted, lambda: self._resolver.addresses(to.host))

    def _may_follow(self, further: Target, wanted: Target, method: str, decided: CredentialUse | None) -> bool:
        """Same host, not from TLS to none, and with the very credential that was decided about, or none."""
        safe = further.host == wanted.host and not (wanted.scheme == "https" and further.scheme == "http")
        return safe and use(self._config.http_credentials, method, further) == decided

    @asynccontextmanager
    async def _holding(
        self, decided: CredentialUse | None, scrubber: Scrubber
    ) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """Yield the header of a credential; what comes back is scrubbed of it, and it is wiped at the end."""
        if decided is None:
            yield []
            return
        binding = self._config.http_credentials[decided.name]
        secret = await self._secret(binding.credential)
        with scrubber.holding(secret):
            yield [(binding.header.encode(), _value(binding.format, secret, binding.credential))]

    async def _secret(self, name: str) -> Secret:
        secret = await self._credentials(name)
        if secret is None:
            raise FetchFailed(
                f"The vault has no entry '{name}'.", hint=f"The operator can store it: wirken credentials add {name}."
            )
        return secret

    # --- web_search -----------------------------------------------------------------------------------

    async def _search(self, text: str, count: int, attempts: Attempts) -> str:
        engine = self._config.web_search
        asked = search.query(engine.kind, text, count)
        where = located(engine.kind, engine.address)
        fields: list[tuple[bytes, bytes]] = [(b"Accept", b"application/json")]
        if asked.body:
            fields.append((b"Content-Type", b"application/json"))
        scrubber = Scrubber()
        secret = await self._secret(engine.credential) if engine.credential else None
        with scrubber.holding(secret):
            if secret is not None and asked.header:
                fields.append((asked.header.encode(), _value(asked.format, secret, engine.credential)))
            path = where.path + asked.path
            wanted = Wanted(asked.method, where.scheme, where.host, where.port, path, fields, asked.body)
            answer = await attempts.made(wanted, lambda: leads(where, self._resolver))
            body = scrubber.clean(answer.body.decode("utf-8", "replace")).encode()  # hits are cut to a length
            found = search.hits(engine.kind, answer.status, body, count)
            return scrubber.clean(search.shown(found))


def _redirect(answer: Answer, wanted: Target) -> Target | None:
    """Return where an answer leads to, if it does and that can be asked for."""
    where = answer.headers.get("location", "")
    if answer.status not in _REDIRECTS or not where or len(where) > request_limits.URL:
        return None
    with contextlib.suppress(UsageError, ValueError):
        return target(urljoin(wanted.url, where))
    return None


def _ran(answer: Answer, scrubber: Scrubber, wanted: Target, further: Target | None, followed: int) -> Ran:
    notes = []
    if followed:
        notes.append(f"[after {followed} redirects, from {wanted.url}]")
    if further is not None:
        notes.append(f"[not followed: {further.url}; ask for it by a request of its own]")
    text = scrubber.clean("\n".join([readable(answer, scrubber), *notes]))
    return Ran(outcome="ok" if answer.status < 400 else "failed", output=text, place=HERE)


def _value(form: str, secret: Secret, name: str) -> bytes:
    """Return a header's value. Raises `FetchFailed` for an entry that no header can carry (RFC 9110, 5.5)."""
    token = secret.reveal().decode("latin-1").strip()
    if not token.isascii() or not token.isprintable():
        raise FetchFailed(f"The vault's entry '{name}' has characters that no header can carry.")
    return form.replace("{}", token).encode()


def _sentence(error: WirkenError) -> str:
    return f"{error} {error.advice}".rstrip()


async def lazily(wanted: Wanted) -> Answer:
    """Load the HTTP library at the first request, and make it."""
    from wirken.outbound.fetch import fetch

    return await fetch(wanted)
