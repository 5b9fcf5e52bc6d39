"""The tools of the spine: their schemas, the check of arguments against them, and how a call reads to a person."""

from __future__ import annotations

import functools
import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wirken.domain import file_limits, limits, request_limits
from wirken.domain.actions import CanonicalCall, Module
from wirken.domain.conversation import ToolSpec
from wirken.domain.errors import WirkenError
from wirken.domain.ids import ChannelId
from wirken.domain.people import has_senders

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

_PATH: Final = {"type": "string", "minLength": 1, "maxLength": limits.PATH}

_WHERE: Final = "Relative to the workspace, or below /workspace; a person is asked about an absolute path elsewhere."

_SCHEMAS: Final[dict[str, tuple[str, dict[str, object]]]] = {
    "read_file": (
        "Read a text file of the workspace. Long files come in parts: use offset and limit.",
        {
            "properties": {
                "path": _PATH | {"description": _WHERE},
                "offset": {"type": "integer", "minimum": 1, "description": "First line to return; lines count from 1."},
                "limit": {"type": "integer", "minimum": 1, "description": "Number of lines."},
            },
            "required": ["path"],
        },
    ),
    "write_file": (
        "Write a text file of the workspace; an existing one is replaced, missing folders are made.",
        {
            "properties": {
                "path": _PATH | {"description": _WHERE},
                "content": {"type": "string", "maxLength": limits.FILE_WRITE},
            },
            "required": ["path", "content"],
        },
    ),
    "list_files": (
        "List a folder of the workspace.",
        {"properties": {"path": _PATH | {"description": f"{_WHERE} Default: the workspace itself."}}, "required": []},
    ),
    "exec": (
        "Run a command in a sandbox: /workspace is writable, /tmp is empty and small, everything else is "
        "read-only. Give either command (run by /bin/sh) or argv (run as it is).",
        {
            "properties": {
                "command": {"type": "string", "minLength": 1, "maxLength": limits.ARGUMENTS},
                "argv": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "maxItems": limits.EXEC_ARGV,
                },
                "timeout": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": int(limits.EXEC_TIME),
                    "description": "Seconds.",
                },
            },
            "oneOf": [{"required": ["command"]}, {"required": ["argv"]}],
        },
    ),
    "http_request": (
        "Make one HTTP request to a public host; returns status, some headers and the text. A person may be asked. "
        "Credentials are added by the operator's configuration, never by you.",
        {
            "properties": {
                "url": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": request_limits.URL,
                    "description": "https://host/path",
                },
                "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], "description": "Default: GET."},
                "headers": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "maxProperties": request_limits.REQUEST_HEADERS,
                },
                "body": {"type": "string", "maxLength": request_limits.REQUEST_BODY},
            },
            "required": ["url"],
        },
    ),
    "web_search": (
        "Search the web; returns titles, addresses and short texts.",
        {
            "properties": {
                "query": {"type": "string", "minLength": 1, "maxLength": request_limits.SEARCH_QUERY},
                "count": {"type": "integer", "minimum": 1, "maximum": request_limits.SEARCH_RESULTS},
            },
            "required": ["query"],
        },
    ),
    "send_file": (
        "Send a file of the workspace, as it is, into this conversation. For text, just answer.",
        {
            "properties": {
                "path": _PATH | {"description": _WHERE},
                "caption": {"type": "string", "maxLength": file_limits.CAPTION},
            },
            "required": ["path"],
        },
    ),
}

SEND_FILE: Final = "send_file"
"""Offered where a platform's conversation is, and nowhere else: a page or a terminal has nobody to send a file to."""

IN_OUTBOUND: Final = frozenset({"http_request", "web_search"})
"""Tools that work in the outbound process; all others in the runner."""


HOST: Final = "network"
"""What a question is about that is no tool's call: a host that a running command wants to reach."""


class InvalidCall(WirkenError):
    """A call that names no tool or whose arguments break its schema; the model is told why."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that is offered."""

    spec: ToolSpec
    module: Module | None = None
    """What runs, of a wasm skill."""


def catalogue() -> dict[str, Tool]:
    """Return the tools by name, in the order in which they are offered."""
    tools = {}
    for name, (description, shape) in _SCHEMAS.items():
        schema = {"type": "object", **shape, "additionalProperties": False}
        text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
        tools[name] = Tool(ToolSpec(name, description, text))
    return tools


def available(tools: dict[str, Tool], channel: ChannelId) -> dict[str, Tool]:
    """Return the tools that there can be in a conversation of this channel."""
    return {name: tool for name, tool in tools.items() if name != SEND_FILE or has_senders(channel)}


def check(tools: dict[str, Tool], name: str, arguments: str) -> None:
    """Raises `InvalidCall` unless `arguments` is JSON text that fits the schema of the tool `name`."""
    tool = tools.get(name)
    if tool is None:
        raise InvalidCall(f"There is no such tool. Tools: {', '.join(tools) or 'none'}.")
    if len(arguments.encode("utf-8", "surrogatepass")) > limits.ARGUMENTS:
        raise InvalidCall(f"The arguments are longer than {limits.ARGUMENTS} bytes.")
    try:
        value = json.loads(arguments, object_pairs_hook=_no_doubles)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidCall("The arguments are not valid JSON, name a key twice, or hold no Unicode text.") from error
    _fit(tool.spec.schema, value)


def _fit(schema: str, value: object) -> None:
    """Raises `InvalidCall` unless the value fits the schema. Loaded with the first call: 5 MB an idle gateway saves."""
    import jsonschema_rs

    try:
        _validator(schema).validate(value)
    except jsonschema_rs.ValidationError as error:
        place = "/".join(map(str, error.instance_path)) or "the arguments"
        raise InvalidCall(f"Invalid arguments at {place}: {error.message[:300]}") from error
    except ValueError as error:
        raise InvalidCall("The arguments hold a value that cannot be used.") from error


def usable_schema(schema: str) -> bool:
    """Is this text a JSON Schema that arguments can be checked against?"""
    try:
        _validator(schema)
    except ValueError:  # jsonschema_rs.ValidationError is one
        return False
    return True


@functools.cache
def _validator(schema: str) -> Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(json.loads(schema))


def command_line(call: CanonicalCall) -> str:
    """Return what a call does as one line for a person: the command, the path, or a skill's input."""
    if call.place.module is not None:
        return f"{call.tool} {call.arguments}"
    arguments = json.loads(call.arguments)
    if call.tool == "exec":
        return shlex.join(arguments["argv"]) if "argv" in arguments else str(arguments["command"])
    if call.tool == HOST:
        program = f", as {arguments['program']} wants" if arguments["program"] else ""
        return f"connect to {arguments['host']} on port {arguments['port']}{program}"
    if call.tool == "http_request":
        return f"{arguments.get('method', 'GET')} {arguments['url']}"
    if call.tool == "web_search":
        return f"web_search {arguments['query']}"
    return f"{call.tool} {arguments.get('path', '.')}"


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """One parser's first key is another's last: what was approved must be what is run."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
