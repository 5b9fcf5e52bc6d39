"""Where a call would run now, with all that it reaches from there: part of what is decided, shown and hashed."""

from __future__ import annotations

import json
from dataclasses import dataclass

import msgspec

from wirken.config.model import Config
from wirken.config.requests import use
from wirken.domain.actions import CanonicalCall, CredentialUse
from wirken.domain.errors import UsageError
from wirken.domain.urls import target
from wirken.gateway.agent.seat import Seat
from wirken.gateway.router import Router
from wirken.gateway.tools.catalogue import Tool
from wirken.gateway.tools.skills import placed
from wirken.permissions.findings import Judged
from wirken.permissions.programs.verbs import Programs
from wirken.permissions.reach import judged


@dataclass(frozen=True, slots=True)
class Placing:
    """`roots`: the folders below which a call may be given a path, as the supervisor has them."""

    config: Config
    router: Router
    roots: tuple[str, ...]
    programs: Programs
    tools: dict[str, Tool]

    def __call__(self, call: CanonicalCall, seat: Seat) -> Judged:
        """Classify the call with its place: the sandbox there is, the paths outside, its credential."""
        return self.redirected(call, seat, credential_of(self.config, call.tool, call.arguments))

    def redirected(self, call: CanonicalCall, seat: Seat, credential: CredentialUse | None) -> Judged:
        """Classify a request that a server sent on: it carries this credential, and none that is bound to the place."""
        place = msgspec.structs.replace(
            seat.place,
            sandbox=self.router.sandbox,
            bounds=self.router.bounds,
            credential=credential,
        )
        call = placed(msgspec.structs.replace(call, place=place), self.tools, place.sandbox)
        config = self.config
        return judged(call, self.roots, config.permissions.exec, self.programs, config.skills.lowered)


def credential_of(config: Config, tool: str, arguments: str) -> CredentialUse | None:
    """Return the binding that goes with a request, if the call is one and the operator bound a credential to it."""
    if tool != "http_request" or not config.http_credentials:
        return None
    asked = json.loads(arguments)
    try:
        return use(config.http_credentials, asked.get("method", "GET"), target(asked["url"]))
    except UsageError:
        return None  # a gate refuses the call
