"""The tools that work here, `http_request` and `web_search`: permitted calls in, what came of them out.

A request goes to the host that was decided about. Where its answer sends it on, the gateway decides again, before
anything goes there; what is not followed, the model reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, assert_never

import msgspec

from wirken.config.model import Config
from wirken.config.requests import still, use
from wirken.domain import request_limits
from wirken.domain.actions import CanonicalCall, CredentialUse
from wirken.domain.errors import Refused, UsageError, WirkenError
from wirken.domain.redirects import FOLLOWED, Asked, BadRedirect, following
from wirken.domain.secret import Secret
from wirken.domain.urls import Target
from wirken.ipc.calls.egress import Redirect
from wirken.ipc.calls.outbound import Perform
from wirken.ipc.calls.runner import Ran
from wirken.ipc.permitted import Used, checked
from wirken.outbound import search
from wirken.outbound.answers import readable
from wirken.outbound.asked import NotAsked, RequestArguments, SearchArguments, parsed
from wirken.outbound.attempts import Attempts, NotAllowed
from wirken.outbound.endpoint import leads, located
from wirken.outbound.fetching import Answer, Fetch, FetchFailed, Wanted
from wirken.outbound.relay import Judge
from wirken.outbound.resolve import PrivateAddress, Resolver
from wirken.outbound.scrub import Scrubber

HERE: Final = "outbound"


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
        now, carried, scrubber = asked.worded(), decided, Scrubber()
        here = now.target()
        if use(self._config.http_credentials, now.method, here) != decided:
            raise Refused("Another credential would go with this request than the one that was decided about.")
        ticket = await attempts.allowed(here.host, here.port)
        async with self._holding(decided, scrubber) as header:
            for followed in range(request_limits.REDIRECTS + 1):
                answer = await self._once(ticket, now, header if carried else [], attempts)
                hop = _redirect(answer)
                if hop is None:
                    return _ran(answer, scrubber, here, followed)
                if followed == request_limits.REDIRECTS:
                    break
                try:
                    further = following(now, hop.status, hop.location)
                    to = further.target()
                    ticket = await attempts.allowed(to.host, to.port, hop)
                except (BadRedirect, NotAllowed) as error:
                    return _ran(answer, scrubber, here, followed, f"[the redirect was not followed: {error}]")
                carried = still(self._config.http_credentials, carried, here, further.method, to)
                now, here = further, to
        raise FetchFailed(
            f"{here.host} sent redirect number {request_limits.REDIRECTS + 1}; that many are not followed."
        )

    async def _once(
        self, ticket: int, asked: Asked, credential: list[tuple[bytes, bytes]], attempts: Attempts
    ) -> Answer:
        to = asked.target()
        fields = [(name.encode(), value.encode()) for name, value in asked.headers.items()]
        body = asked.body.encode()
        wanted = Wanted(asked.method, to.scheme, to.host, to.port, to.path, [*fields, *credential], body)
        return await attempts.made(ticket, wanted, lambda: self._resolver.addresses(to.host))

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
            ticket = await attempts.allowed(wanted.host, wanted.port)
            answer = await attempts.made(ticket, wanted, lambda: leads(where, self._resolver))
            body = scrubber.clean(answer.body.decode("utf-8", "replace")).encode()  # hits are cut to a length
            found = search.hits(engine.kind, answer.status, body, count)
            return scrubber.clean(search.shown(found))


def _redirect(answer: Answer) -> Redirect | None:
    """Return where an answer leads to, as it says, if it does."""
    where = answer.headers.get("location", "")
    if answer.status not in FOLLOWED or not where:
        return None
    return Redirect(answer.status, where[: request_limits.URL + 1])


def _ran(answer: Answer, scrubber: Scrubber, here: Target, followed: int, *notes: str) -> Ran:
    after = (f"[after {followed} redirects, from {here.url}]",) if followed else ()
    text = scrubber.clean("\n".join([readable(answer, scrubber), *after, *notes]))
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
