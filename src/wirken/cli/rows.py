"""Rows of the record as text: the form of `sessions show`, and one line each while a turn runs."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from wirken.domain.egress import EgressVerdict, HttpRedirect
from wirken.domain.events import (
    ApprovalRequested,
    AssistantToolCalls,
    Attestation,
    BudgetAlert,
    Fact,
    InjectionFlag,
    LlmRequest,
    PermissionApproved,
    PermissionDenied,
    SystemPromptSet,
    ToolPermitted,
    ToolResultFact,
    ToolsSet,
    TurnEnded,
    UserMessageFact,
)
from wirken.domain.money import used_up
from wirken.domain.text import clip
from wirken.record.canonical import Row, Unreadable, decode

_SHOWN = 2000  # bytes of one value in `sessions show`; the whole stands in `--json`


def kind_of(fact: Fact) -> str:
    """Return the row's kind."""
    return str(type(fact).__struct_config__.tag)


def lines(payload: bytes, seq: int) -> Iterator[str]:
    """Yield a row in the form of `sessions show`: position and kind, then its content, indented."""
    try:
        row = decode(payload)
    except Unreadable as error:
        yield f"[{seq:2}] unreadable"
        yield f"     {error}"
        return
    yield f"[{row.seq:2}] {kind_of(row.fact)}"
    for line in _content(row):
        yield f"     {line}"


def headline(fact: Fact) -> str:
    """Return one line about what happens now, or nothing where it is shown otherwise."""
    match fact:
        case AssistantToolCalls(calls=calls):
            return "; ".join(f"call: {call.name}({call.arguments})" for call in calls)
        case PermissionDenied():
            return f"denied: {fact.action_key} ({fact.tier}, {fact.rule})"
        case ToolResultFact() if fact.success:
            return f"ran: {fact.tool}{_code(fact)} in {fact.duration_ms} ms"
        case ToolResultFact():
            return f"{fact.outcome}: {fact.tool}{_code(fact)} {_first_line(fact.output)}"
        case InjectionFlag():
            return f"looks like an injection: row {fact.about_seq} {fact.flags[0].reason if fact.flags else ''}"
        case EgressVerdict():
            how = "reaches" if fact.verdict == "allowed" else f"does not reach ({fact.verdict})"
            return f"{how}: {fact.host}:{fact.port}"
        case HttpRedirect():
            return f"sent on by the server ({fact.status}): {fact.method} {fact.url}"
        case BudgetAlert():
            return spent(fact)
        case TurnEnded(outcome="failed" | "stopped" | "interrupted"):
            return f"{fact.outcome}: {fact.reason}"
        case _:
            return ""


def _content(row: Row) -> Iterator[str]:
    fact = row.fact
    match fact:
        case UserMessageFact():
            yield from _message(fact)
        case AssistantToolCalls():
            if fact.text:
                yield from _text("text", fact.text)
            for call in fact.calls:
                yield from _text("call", f"{call.name}({call.arguments})")
        case PermissionDenied():
            yield f"action_key='{fact.action_key}'  tier={fact.tier}"
            yield f"rule={fact.rule}" + (f"  by={fact.by}" if fact.by else "")
        case PermissionApproved():
            yield f"action_key='{', '.join(fact.action_keys)}'  tier={fact.tier}  scope={fact.scope}"
            yield f"by={fact.by}  surface={fact.surface}  lease={fact.lease}"
        case ToolPermitted():
            yield f"tool={fact.tool}  action_key='{', '.join(fact.action_keys)}'  tier={fact.tier}  rule={fact.rule}"
            yield f"call_sha256={fact.call_sha256}"
        case ToolResultFact():
            code = "" if fact.exit_code is None else f" exit_code={fact.exit_code}"
            ended = f" ended_by={fact.ended_by}" if fact.ended_by else ""
            yield f"tool={fact.tool} success={fact.success}{code}{ended}"
            yield from _text("output", fact.output)
        case ApprovalRequested():
            yield f"action_key='{', '.join(fact.action_keys)}'  tier={fact.tier}"
            yield from _text("call", fact.call)
        case _:
            yield from _plain(fact)


def _message(fact: UserMessageFact) -> Iterator[str]:
    yield f"from: {fact.principal}" + ("" if fact.role == "owner" else f" ({fact.role})")
    if fact.sender:
        yield from _text("sender", f"{fact.sender} {fact.sender_name}".rstrip())
    if fact.speaker:
        yield from _text("named to the model", fact.speaker)
    for file in fact.files:
        yield f"file: {file.path} ({file.media_type or 'type unknown'}, {file.size} bytes) sha256={file.sha256}"
    yield from _text("text", fact.text)


def _plain(fact: Fact) -> Iterator[str]:
    match fact:
        case SystemPromptSet(text=text):
            yield from _text("text", text)
        case ToolsSet(tools=tools):
            yield f"tools: {', '.join(tool.name for tool in tools)}"
        case LlmRequest():
            yield f"round={fact.round} model={fact.provider}/{fact.model} messages={fact.messages}"
            yield f"messages_sha256={fact.messages_sha256}"
        case InjectionFlag():
            yield f"about row {fact.about_seq}"
            for flag in fact.flags:
                yield from _text(flag.what, f"characters {flag.start}-{flag.end}: {flag.reason}")
        case BudgetAlert():
            yield spent(fact)
        case Attestation():
            yield f"chain_head_seq={fact.chain_head_seq}"
            yield f"chain_head_hash={fact.chain_head_hash}"
            yield f"signer_pubkey={fact.signer_pubkey}"
        case _:
            for name, value in msgspec.to_builtins(fact).items():
                if name != "kind" and value not in ("", None):
                    yield from _text(name, str(value))


def spent(fact: BudgetAlert) -> str:
    """Return how far a budget is used, in one line."""
    whose = ", ".join(part for part in (fact.agent, fact.principal) if part) or "everyone"
    used = used_up(fact.unit, fact.used, fact.limit)
    return f"budget '{fact.budget}' ({whose}): {used} in this {fact.per}, mode={fact.mode}"


def _text(name: str, text: str) -> Iterator[str]:
    kept, cut = clip(text, _SHOWN)
    first, *rest = kept.split("\n")
    yield f"{name}: {first}"
    for line in rest:
        yield f"  {line}"
    if cut:
        yield f"  … {cut} more bytes (--json shows all)"


def _code(fact: ToolResultFact) -> str:
    return "" if fact.exit_code is None else f" (exit code {fact.exit_code})"


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0][:200]
