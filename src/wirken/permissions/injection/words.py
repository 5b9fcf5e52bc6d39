"""The wordings and marks by which injected text is noticed: tables, read by `injection.py`."""

from __future__ import annotations

from typing import Final, NamedTuple


class Wording(NamedTuple):
    """A word of `first`, and after it, within `reach` words and in any order, one of each set of `others`."""

    what: str
    says: str
    first: frozenset[str]
    others: tuple[frozenset[str], ...]
    reach: int


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PUT_ASIDE: Final = (
    "ignore ignoring disregard disregarding forget override overrule bypass neglect discard dismiss "
    "ignoriere ignorieren vergiss vergessen missachte "
    "ignora ignore olvida olvide descarta "
    "ignorez oubliez oublie négligez "
    "игнорируй игнорируйте забудь забудьте"
)
_WHICH: Final = (
    "previous prior above earlier preceding all any every your these those foregoing initial original existing "
    "system developer safety everything what "
    "vorherigen vorigen bisherigen alle deine obigen "
    "anteriores previas todas tus "
    "précédentes précédents toutes tes vos "
    "предыдущие все"
)
_ORDERS: Final = (
    "instruction instructions prompt prompts guideline guidelines directive directives constraints restrictions "
    "guardrails programming training safeguards "
    "anweisung anweisungen instruktionen vorgaben regeln "
    "instrucciones indicaciones reglas "
    "consignes règles "
    "инструкции правила"
)
_NOT: Final = "not don't never dont without nicht sin ne"
_TELL: Final = "tell telling inform informing mention mentioning notify notifying reveal alert alerting ask asking show"
_PERSON: Final = "user users human operator owner person them him her anyone anybody"
_UNBOUND: Final = (
    "unrestricted unfiltered uncensored jailbroken jailbreak dan evil root superuser omnipotent amoral developer "
    "god admin administrator debug maintenance unlimited free"
)
_MACHINE: Final = "ai ais assistant assistants llm llms chatbot chatbots agent agents gpt claude copilot bot"


def _wording(what: str, says: str, reach: int, first: str, *others: str) -> Wording:
    return Wording(what, says, _set(first), tuple(map(_set, others)), reach)


WORDINGS: Final = (
    _wording("override", "asks to set instructions aside", 7, _PUT_ASIDE, _WHICH, _ORDERS),
    _wording(
        "override",
        "asks to set what was said aside",
        6,
        "ignore disregard forget",
        "everything",
        "above before previously said told",
    ),
    _wording(
        "override",
        "announces new instructions",
        5,
        "new updated revised real actual true neue nuevas nouvelles",
        "instructions anweisungen instrucciones",
        "are follow below now instead obey execute lauten son sont",
    ),
    _wording("override", "asks to keep something from the person", 5, _NOT, _TELL, _PERSON),
    _wording(
        "override",
        "asks for the instructions themselves",
        6,
        "reveal print repeat output show leak recite",
        "system hidden secret initial",
        "prompt instructions",
    ),
    _wording(
        "override",
        "asks to get round the approval",
        5,
        "bypass skip circumvent evade disable avoid",
        "approval approvals permission permissions safety security sandbox policy",
        "check checks prompt prompts filter filters gate gates step system controls",
    ),
    _wording(
        "override",
        "speaks to the machine that reads it",
        8,
        "attention note message instructions important notice dear hello",
        "to for all any dear",
        _MACHINE,
        "must should please reading processing follow execute run you",
    ),
    _wording(
        "override",
        "speaks to the machine that reads it",
        14,
        "if when",
        "you you're",
        "are",
        _MACHINE + " model",
        "must should please then run execute send ignore follow",
    ),
    _wording(
        "override",
        "claims that a person has agreed",
        4,
        "user owner operator administrator admin human",
        "has have already",
        "approved authorized authorised granted consented permitted confirmed",
    ),
    _wording(
        "role", "gives the model another role", 7, "you", "are", "now", _UNBOUND + " mode called named hacker pirate"
    ),
    _wording(
        "role",
        "gives the model another role",
        9,
        "act behave respond roleplay answer",
        "as",
        "if though an a my the",
        _UNBOUND + " hacker restrictions limits",
    ),
    _wording(
        "role",
        "gives the model another role",
        12,
        "pretend imagine simulate",
        "you you're to",
        _UNBOUND + " restrictions rules limits hacker constraints filters guidelines",
    ),
    _wording(
        "role",
        "gives the model another role",
        7,
        "from",
        "now",
        "on",
        "you",
        "are will must shall act obey answer respond",
    ),
    _wording(
        "role",
        "switches a mode on",
        6,
        "enter enable activate switch engage unlock",
        "developer god dan jailbreak unrestricted debug admin maintenance",
        "mode",
    ),
    _wording("role", "gives the model another role", 5, "du", "bist", "jetzt nun", "ein eine kein ohne"),
    _wording("role", "gives the model another role", 4, "eres", "ahora", "un una sin"),
    _wording(
        "encoded",
        "has text decoded and run",
        7,
        "base64 base32 xxd",
        "d decode r di",
        "sh bash zsh dash python python3 eval exec",
    ),
    _wording(
        "encoded",
        "has text decoded and run",
        9,
        "decode decoded",
        "base64 hex rot13 base32",
        "run execute follow obey eval",
    ),
)
"""What is noticed in running text, in the languages that injections are mostly written in."""

ROLE_MARKS: Final = (
    "<|im_start|>",
    "<|im_end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "[inst]",
    "[/inst]",
    "<<sys>>",
    "<</sys>>",
    "<system>",
    "</system>",
    "<system_prompt>",
    "</system_prompt>",
    "<system-reminder>",
    "<start_of_turn>",
    "<end_of_turn>",
    "[system]",
)
"""Marks by which chat templates part one speaker from the next; folded."""

ORDERED: Final = _set("you your you're must ignore instructions execute obey disregard reveal override unrestricted")
"""Words of orders, after what looks like another speaker's name."""

CALL_MARKS: Final = (
    "<tool_call>",
    "</tool_call>",
    "<tool_calls>",
    "<function_call>",
    "<function_calls>",
    "<invoke ",
    "<tool_use>",
    "<|tool_call",
    "<|python_tag|>",
    "<tool_result>",
    "<tool_response>",
    "<function_results>",
    "[tool_calls]",
    "```tool_code",
    "```tool_call",
    '"tool_calls":',
    '"function_call":',
    '"type":"tool_use"',
    '"type": "tool_use"',
)
"""Marks by which models write tool calls and gateways write results; folded."""

CALL_KEYS: Final = (('"name"', '"arguments"'), ('"tool"', '"args"'), ('"tool"', '"arguments"'))
"""Keys that, near each other, make a JSON object look like a call."""

SHELL_WORDS: Final = _set(
    "curl wget bash sh zsh dash sudo chmod chown nc ncat socat eval exec export cat rm mkfs dd python python3 perl "
    "ruby base64 ssh scp crontab nohup echo powershell iex invoke-expression iwr cmd whoami passwd shadow"
)
"""Words, of which two or one with a shell's sign make decoded text a command."""

SHELL_SIGNS: Final = ("|", ";", "&&", "$(", "`", ">", "/bin/", "/etc/", "/dev/", "~/", "http://", "https://", " -")

LOOKALIKES: Final = str.maketrans("аеорсухіѕјԁһԛԝαεοικνρτυ’ʼ", "aeopcyxisjdhqwaeoiknrtu''")
"""Letters of other scripts that are drawn as Latin ones, and apostrophes."""
