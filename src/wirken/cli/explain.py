"""`wirken permissions explain`: what would be decided about a call, and why. Nothing is run and nobody is asked."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import click
import msgspec

from wirken.cli.output import Line, Output, Styled
from wirken.cli.plans import roots, tool_root
from wirken.config.load import ConfigMissing, load
from wirken.config.model import Config
from wirken.config.paths import Paths, data_dir
from wirken.config.programs import Looked, programs
from wirken.domain.actions import Allowed, CanonicalCall, Denied, NeedsApproval, Place, Tier
from wirken.domain.errors import UsageError, WirkenError
from wirken.domain.ids import (
    DEFAULT_AGENT,
    OWNER,
    TERMINAL,
    ActionKey,
    PrincipalId,
    SessionId,
    agent_id,
    channel_id,
)
from wirken.gateway.placing import credential_of
from wirken.gateway.tools.catalogue import InvalidCall, catalogue, check
from wirken.gateway.tools.skills import placed, tools_of
from wirken.permissions.decide import decide
from wirken.permissions.gates import GATES
from wirken.permissions.profiles import Profile
from wirken.permissions.reach import judged
from wirken.skills.loader import skills_in

Decision: TypeAlias = Literal["allow", "ask", "refuse"]
LineId: TypeAlias = str | int | float | None


class Question(msgspec.Struct, frozen=True):
    """One line of standard input."""

    tool: str
    args: msgspec.Raw
    id: LineId = None
    agent: str = DEFAULT_AGENT
    principal: str = OWNER
    channel: str = TERMINAL


class Explained(msgspec.Struct, frozen=True):
    """What would be decided, as if nothing had been granted yet."""

    id: LineId
    decision: Decision
    tier: Tier
    keys: tuple[ActionKey, ...]
    reasons: tuple[str, ...]


class Explainer:
    """Decides by the same code, tables and configuration as the gateway."""

    def __init__(self, config: Config, profile: Profile, paths: Paths, reach: tuple[str, ...], root: str = "") -> None:
        """`reach`: the folders below which a call may be given a path, resolved (`plans.roots`).

        `root`: the folder whose programs commands get (`plans.tool_root`); empty for the machine's own.
        """
        self._root = root
        self._reach = reach
        self._config = config
        self._profile = profile
        self._paths = paths
        self._programs = Looked(programs(root))
        self._tools = catalogue() | tools_of(skills_in(paths.skills_dir))[0]
        self._questions = msgspec.json.Decoder(Question)

    def line(self, number: int, raw: bytes) -> Explained:
        """Answer one line; a line that is no question is refused. Without an id, the line's number serves."""
        try:
            question = self._questions.decode(raw)
            return self.answer(question, number if question.id is None else question.id)
        except (ValueError, RecursionError) as error:
            said = f"This line is no question: {_HALVED if _HALF.search(raw) else error}"
        except WirkenError as error:
            said = str(error)
        return Explained(_id_of(raw, number), "refuse", Tier.THREE, (ActionKey("tool:"),), (said,))

    def answer(self, question: Question, line: LineId) -> Explained:
        """Return what would be decided. Raises `WirkenError` where agent or channel cannot be."""
        arguments = bytes(question.args).decode()
        agent, channel = agent_id(question.agent), channel_id(question.channel)
        own = self._config.agent(agent)
        network = own.network(channel)
        try:
            check(self._tools, question.tool, arguments)
        except InvalidCall as error:
            return Explained(line, "refuse", Tier.THREE, (ActionKey(f"tool:{question.tool}"),), (str(error),))
        place = Place(
            workspace=own.workspace or str(self._paths.workspace(agent)),
            sandbox=self._config.sandbox.expected,
            network=network.mode,
            read_only=own.read_only,
            credential=credential_of(self._config, question.tool, arguments),
            hosts=network.hosts,
            tools=self._root,
        )
        call = CanonicalCall(
            tool=question.tool,
            arguments=arguments,
            agent=agent,
            session=SessionId(f"{agent}/{channel}/explain"),
            principal=PrincipalId(question.principal),
            channel=channel,
            place=place,
        )
        call = placed(call, self._tools, place.sandbox)
        found = judged(call, self._reach, self._profile, self._programs, self._config.skills.lowered)
        match decide(found, GATES, _nothing_granted):
            case Allowed(tier=tier, keys=keys):
                return Explained(line, "allow", tier, keys, ("Nobody is asked.",))
            case Denied(tier=tier, keys=keys, said=said):
                return Explained(line, "refuse", tier, keys, (said,))
            case NeedsApproval(tier=tier, keys=keys, reasons=reasons):
                return Explained(line, "ask", tier, keys, reasons)


@click.command("explain")
@click.argument("tool", required=False)
@click.argument("arguments", required=False)
@click.option("--command", "text", help="Explain an exec of this command line.")
@click.option("--profile", type=click.Choice(["standard", "strict"]), help="Instead of the configured one.")
@click.option("--agent", default=DEFAULT_AGENT, show_default=True, help="For which agent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain_command(
    tool: str | None, arguments: str | None, text: str | None, profile: Profile | None, agent: str, as_json: bool
) -> None:
    """Say what would be decided about a call, and why, as if nothing had been granted.

    TOOL and ARGUMENTS name one call: `explain exec '{"command": "ls"}'`. Without them, calls are read from standard
    input, one JSON object {"tool": …, "args": {…}} on a line; id, agent, principal and channel may stand there too.
    """
    out = Output(as_json, sys.stdout, sys.stderr, os.environ)
    paths = Paths(data_dir(os.environ))
    config = _config(paths)
    reach = roots(config, os.environ)
    root = "" if config.sandbox.expected in ("docker", "none") else tool_root(config, os.environ)
    explainer = Explainer(config, profile or config.permissions.exec, paths, reach, root)
    if text is not None:
        tool, arguments = "exec", json.dumps({"command": text})
    if tool is None:
        for answer in _answers(explainer):
            out.show(answer, lines(answer))
        return
    if arguments is None:
        raise UsageError("The call's arguments are missing.", hint="They are one JSON object, after the tool's name.")
    question = Question(tool, msgspec.Raw(arguments.encode("utf-8", "surrogateescape")), agent=agent)
    answer = explainer.answer(question, None)
    out.show(answer, lines(answer))


def lines(answer: Explained) -> Iterator[Line]:
    """Return an answer for a person."""
    name = "" if answer.id is None else f"{answer.id}: "
    yield (name, Styled(answer.decision, _STYLES[answer.decision]), f"  {answer.tier}  {' '.join(answer.keys)}")
    for reason in answer.reasons:
        yield f"    {reason}"


_HALF: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_HALVED: Final = "an escape in it is half of a character (a lone surrogate), which no text can hold."
_STYLES: Final[dict[Decision, Literal["green", "yellow", "red"]]] = {"allow": "green", "ask": "yellow", "refuse": "red"}


def _answers(explainer: Explainer) -> Iterator[Explained]:
    if sys.stdin.isatty():
        raise UsageError("There is nothing to explain.", hint="Name a call, or give calls on standard input.")
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        if raw.strip():
            yield explainer.line(number, raw)


def _config(paths: Paths) -> Config:
    try:
        return load(paths.config_file).config
    except ConfigMissing:
        return Config()


def _id_of(raw: bytes, number: int) -> LineId:
    try:
        line: object = json.loads(raw)
    except (ValueError, RecursionError):
        return number
    found = line.get("id") if isinstance(line, dict) else None
    return found if isinstance(found, str | int | float) else number


def _nothing_granted(key: ActionKey) -> bool:
    return False
