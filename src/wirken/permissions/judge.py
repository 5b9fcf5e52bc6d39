"""Judge a command: every program that it runs, every path and variable that it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from wirken.domain import limits, shown
from wirken.domain.actions import Outside, Place, Tier
from wirken.permissions import keys, paths, rules
from wirken.permissions.findings import Findings
from wirken.permissions.programs import conditions, shell_verbs, wrappers, writing
from wirken.permissions.programs.opening import Opened
from wirken.permissions.programs.verbs import Programs, behind, is_installed, is_ordinary, verb
from wirken.permissions.shell import understand
from wirken.permissions.shell.words import UNKNOWN, Assigned, Command, Redirect, Words, hides


def judge_text(text: str, place: Place, programs: Programs) -> Findings:
    """Return what a shell does with `text`."""
    judge = _Judge(place, programs)
    judge.script(text, piped=False, depth=0)
    return judge.findings


def judge_argv(words: Words, place: Place, programs: Programs) -> Findings:
    """Return what a program does that is started without a shell."""
    judge = _Judge(place, programs)
    if any(hides(word.text) for word in words):
        judge.findings.doubt("It holds characters that cannot be seen.")
    judge.program(words, piped=False, depth=0)
    return judge.findings


@dataclass(slots=True)
class _Judge:
    place: Place
    programs: Programs
    findings: Findings = field(default_factory=Findings)
    _unread: int = 2 * limits.COMMAND_READ
    """Characters that may still be read, so that shells inside of shells cannot multiply the work."""

    def script(self, text: str, *, piped: bool, depth: int) -> None:
        """Judge what a shell does with a text."""
        self._unread -= len(text)
        if self._unread < 0:
            self.findings.doubt("Shells read too much text in it.")
            return
        script = understand(text, nested=depth > 0)
        for doubt in script.doubts:
            self.findings.doubt(doubt)
        for command in script.commands:
            self._command(command, piped=piped or command.piped, depth=depth)

    def _command(self, command: Command, *, piped: bool, depth: int) -> None:
        for assigned in command.assigned:
            self._assigned(assigned)
        if command.words:
            self.program(command.words, piped=piped, depth=depth)
        for redirect in command.redirects:
            self._redirect(redirect)

    def program(self, words: Words, *, piped: bool, depth: int) -> None:
        """Judge one program with its arguments."""
        first = words[0]
        if first.several or not first.certain:
            self.findings.doubt("What it runs is decided only when it runs.")
            self._arguments("", words[1:])
            return
        name = verb(first.text)
        names = [name]
        real = behind(first.text, self.programs)
        if _kind(real) != _kind(name) and _kind(real) != _PLAIN:
            names.append(real)
        opened = next((found for each in names if (found := wrappers.open_up(each, words)) is not None), None)
        for each in names:
            self._named(each, words, opened, piped=piped)
        if not _VERSIONING.isdisjoint(names):
            self.findings.steering(f"`{name}` writes its own files, which steer your tools.")
        if opened is not None:
            self._open(opened, piped=piped, depth=depth)
        self._arguments(name, words[1:] if opened is None else _left(words, opened))

    def _named(self, name: str, words: Words, opened: Opened | None, *, piped: bool) -> None:
        """Judge a verb by the tables."""
        found, said = self.findings, self.findings.said
        if not is_ordinary(name):
            found.doubt("The name of what it runs is not plain.")
            return
        if name in rules.HIGH_RISK:
            found.asks(Tier.THREE, f"`{name}` is on the list of high-risk commands.")
        elif name in rules.DESTRUCTIVE:
            found.asks(Tier.THREE, f"`{name}` {_LATER if name in rules.SCHEDULES else 'removes or overwrites'}.")
        elif name in rules.OPAQUE:
            found.doubt(f"`{name}` {_LATER if name in rules.SCHEDULES else _OTHERS}.")
        elif not is_installed(words[0].text) and not self._own_program(words[0].text):
            return
        others = conditions.runs_others(name, words)
        found.key(keys.of_program(name, words[0].text, any_code=others))
        self._conditions(name, words)
        if others or name in rules.INTERPRETERS:
            self._runs_any_code(name)
        elif name not in rules.KNOWN and opened is None:
            self._stranger(name, words)
        if piped and (name in rules.READS_CODE or conditions.takes_script_from_input(name, words)):
            found.doubt(f"`{name}` runs what comes out of a pipe.")
        if found.said == said:
            found.asks(Tier.TWO, f"`{name}` {_does(name, opened)}.")

    def _stranger(self, name: str, words: Words) -> None:
        """Judge a program that no table knows: it may run any code, and what it is given as well."""
        self._runs_any_code(name, f"`{name}` is not known here and may run any code, ")
        if any(verb(word.text) in _GIVEN_AWAY for word in words[1:]):
            self.findings.doubt(f"`{name}` is not known here, and may run what it is given.")

    def _own_program(self, path: str) -> bool:
        """Judge a program file that the model may have written itself; False where its path is uncertain."""
        parts = path.removeprefix("/").split("/")
        if not all(is_ordinary(part) and part != ".." for part in parts):
            self.findings.doubt("The path of what it runs is not plain.")
            return False
        self._runs_any_code(path, f"`{path}` is no installed program: its file may hold any code, ")
        return True

    def _runs_any_code(self, name: str, why: str = "") -> None:
        why = why or f"`{name}` can run any code or another program, "
        place = self.place
        if place.network != "none" or place.read_only or place.hosts or place.outside:
            self.findings.asks(Tier.THREE, f"{why}and this sandbox reaches more than the workspace.")
        else:
            self.findings.asks(Tier.TWO, f"{why}and your yes covers any code in that sandbox.")

    def _conditions(self, name: str, words: Words) -> None:
        destroys = conditions.DESTROYS.get(name)
        if destroys is not None and (why := destroys(words)):
            self.findings.asks(Tier.THREE, f"`{name}`: {why}")
        for one in writing.written(name, words) if is_installed(words[0].text) else ():
            self.findings.asks(Tier.THREE, f"`{name}`: It writes outside the workspace.")
            self.findings.key(f"file:{one.path}")
            self.findings.reaches(one)
        builtin = shell_verbs.BUILTINS.get(name)
        if builtin is not None and (why := builtin(words)):
            self.findings.doubt(f"`{name}`: {why}")

    def _open(self, opened: Opened, *, piped: bool, depth: int) -> None:
        for doubt in opened.doubts:
            self.findings.doubt(doubt)
        for assigned in opened.assigned:
            self._assigned(assigned)
        if depth >= limits.COMMAND_NESTING:
            self.findings.doubt("It nests too deeply.")
            return
        for words in opened.commands:
            self.program(words, piped=piped, depth=depth + 1)
        for script in opened.scripts:
            self.script(script, piped=piped, depth=depth + 1)

    # --- paths ----------------------------------------------------------------------------------------

    def _assigned(self, assigned: Assigned) -> None:
        if why := shell_verbs.assigning(assigned.name):
            self.findings.doubt(why)
        self._credential(paths.pieces(assigned.value.text))

    def _redirect(self, redirect: Redirect) -> None:
        target = redirect.target
        self._credential(paths.pieces(target.text))
        if paths.opens_network(target.text):
            self.findings.doubt("bash connects to the network under that name.")
        if redirect.writes and (target.several or not target.certain):
            self.findings.doubt("Where it writes is decided only when it runs.")
        if redirect.writes and paths.names_steering(target.text):
            self.findings.steering(_STEERS)
        leads = paths.outside(target.text)
        if leads is None:
            return
        self._outside(leads, writes=redirect.writes)
        if redirect.writes:
            self.findings.asks(Tier.THREE, "It writes outside the workspace.")

    def _arguments(self, name: str, words: Words) -> None:
        """Judge the paths among the arguments of a verb."""
        reads = conditions.only_reads(name, words)
        for word in words:
            pieces = paths.pieces(word.text)
            self._credential(pieces)
            if not reads and any(map(paths.names_steering, pieces)):
                self.findings.steering(_STEERS)
        if name in rules.TALKS:
            return
        for word in _without_pattern(name, words):
            for leads in paths.reached(word.text):
                self._outside(leads)

    def _credential(self, pieces: tuple[str, ...]) -> None:
        if any(map(paths.names_credential, pieces)):
            self.findings.asks(Tier.THREE, "It names what commonly holds a credential.")

    def _outside(self, path: str, *, writes: bool = False) -> None:
        given = None if writes else shown.given(path, self.place.read_only)
        if given is not None:
            self._credential((given,))
            return
        self.findings.key(f"file:{path.replace(UNKNOWN, '*')}")
        if UNKNOWN in path:
            self.findings.asks(Tier.THREE, "A path outside the workspace is not certain.")
            return
        self.findings.reaches(Outside(path, writes))
        if paths.reads_memory(path):
            self.findings.asks(Tier.THREE, "That file shows what a process holds.")
        else:
            self.findings.asks(Tier.TWO, "It reaches a path outside the workspace.")


_PLAIN: Final = "plain"
_OTHERS: Final = "runs another program, which cannot be read off its arguments"
_LATER: Final = "schedules what runs later, when nobody is asked"
_GIVEN_AWAY: Final = rules.HIGH_RISK | rules.DESTRUCTIVE | rules.SHELLS
_VERSIONING: Final = frozenset({"git", "hg", "svn", "jj"})
"""Their work is in `.git` and its like, whatever they are told."""
_STEERS: Final = "It names a file that steers the agent or your own tools."


def _does(name: str, opened: Opened | None) -> str:
    """Return what a person says yes to, of a program that is not remarkable."""
    if opened is not None:
        return "is judged, and what it runs"
    return "runs in the sandbox, with the workspace writable"


def _kind(name: str) -> str:
    """Return which table a verb stands in."""
    return next((kind for kind, table in _TABLES if name in table), _PLAIN)


_TABLES: Final = (
    ("high", rules.HIGH_RISK),
    ("destructive", rules.DESTRUCTIVE),
    ("opaque", rules.OPAQUE),
    ("opened", wrappers.OPENED),
    ("interpreter", rules.INTERPRETERS),
)


def _left(words: Words, opened: Opened) -> Words:
    """Return the arguments that are a wrapper's own, and not its command's."""
    inner = opened.commands[0] if len(opened.commands) == 1 else ()
    length = next((n for n in range(len(inner), 0, -1) if words[-n:] == inner[:n]), 0)
    return tuple(word for word in words[1 : len(words) - length] if word.text not in opened.scripts)


def _without_pattern(name: str, words: Words) -> Words:
    """Leave out the operand that is a pattern or a program, unless an option gives it."""
    if name not in rules.TAKES_PATTERN or any(
        word.text.startswith(("-e", "-f", "--reg", "--exp", "--file")) for word in words
    ):
        return words
    at = next((at for at, word in enumerate(words) if not word.text.startswith("-")), len(words))
    return words[:at] + words[at + 1 :]
