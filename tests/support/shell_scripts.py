"""Random shell texts: from a grammar of what people and models write, and broken by small edits."""

from __future__ import annotations

import random

from tests.support.shell_recorder import RECORDED, WRAPPERS

_ARGUMENTS = r"""
a b.txt -l -n 5 --all x=1 '' $v ${v} "${v}" "$v" ${v:-d} ${v#a} ${#v} a\_b \; \\ 'it'"'"'s' *.txt ? [ab]c {} {a,b} $1
"$@" $? $# ~ ~/x a#b = == ! - -- + % $((1+2)) $((n*2)) "$((n))" 2 10 /workspace/x ../x a'b'c"d" "a\"b" "a$" $ a$ 'a$b'
"`v1`" `v2` $(v3) "$(v4_x)" $(v0;v1) $(v2|v3) '$(rm)' "\$(rm)" '`rm`' '#' if then do } { in [ ] esac case time 'a_b'
"a_b" "${v:-d_e}" "$v_c" 'a;b' "a|b" 'x>y' "a&&b" "it's" 'say_"a"' "$(v1_'a_b')" "$(v2_"a")" a=$v x="a_b" -o=$n _
""".split()
_ARGUMENTS = [argument.replace("_", " ") for argument in _ARGUMENTS if argument != "_"]
"""In the table a blank inside an argument is an underscore."""

_NAMES = ["v", "n", "f", "x"]
_REDIRECTS = (
    "> o1|>o2|>> o3|2>o4|2>&1|>&2|< /dev/null|>| o5|2> /dev/null|<&-|1>&2 2>o6|> 'o 7'|> \"o$v\"|0< /dev/null".split(
        "|"
    )
)
_NOISE = r"""
' " \ $ ` ( ) { } ; & | < > # * ! ~ = (( )) $( ${ << && || ;; [[ ]] <( $' - 2> do_ done_ then_ fi_ esac_ in_ [ ] ^ % ,
rm_ function_ <<< &> |& $(( _
""".split()
_NOISE = [noise.replace("_", " ") for noise in _NOISE] + ["\n", "\t", "\\\n"]
_PLACES = ["", "", "", " ", "  ", "\t", " \\\n "]


class Scripts:
    """Makes texts; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def text(self) -> str:
        """Return a text; every third is broken somewhere."""
        text = self._list(self._random.randint(0, 3))
        for _ in range(self._random.choice([0, 0, 1, 1, 2, 4]) if self._random.random() < 0.4 else 0):
            text = self._broken(text)
        return text

    def _pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _list(self, depth: int) -> str:
        parts = [self._pipeline(depth)]
        for _ in range(self._random.choice([0, 0, 1, 1, 2])):
            parts += [
                self._pick("; ", "\n", " && ", " || ", " & ", ";", "&&", "\n\n", " ;\n", " # c\n"),
                self._pipeline(depth),
            ]
        return "".join(parts) + self._pick("", "", "", "\n", ";", " &", " # end", " ")

    def _pipeline(self, depth: int) -> str:
        parts = [self._command(depth)]
        for _ in range(self._random.choice([0, 0, 0, 1, 2])):
            parts += [self._pick(" | ", "|", " |\n", "| "), self._command(depth)]
        return ("! " if self._chance(0.05) else "") + "".join(parts)

    def _command(self, depth: int) -> str:
        if depth > 0 and self._chance(0.5):
            return self._compound(depth - 1) + (" " + self._random.choice(_REDIRECTS) if self._chance(0.15) else "")
        if self._chance(0.08):
            return self._here(depth)
        return self._wrapped() if self._chance(0.25) else self._simple()

    def _compound(self, depth: int) -> str:
        inner, other, third = self._list(depth).rstrip(" ;&\n"), self._list(depth).rstrip(" ;&\n"), self._simple()
        return self._pick(
            f"( {inner} )",
            f"({inner})",
            f"{{ {inner}; }}",
            f"{{\n{inner}\n}}",
            f"if {third}; then {inner}; fi",
            f"if {third}; then {inner}; else {other}; fi",
            f"if {third}\nthen\n{inner}\nelif {self._simple()}; then {other}\nfi",
            f"for f in {self._arguments()}; do {inner}; done",
            f"for f in {self._arguments()}\ndo\n{inner}\ndone",
            f"while v0; do {inner}; break; done",
            f"until v1; do {inner}; break; done",
            f"case {self._argument()} in a) {inner};; *) {other};; esac",
            f"case $v in\n(a|b*) {inner} ;;\n'') {other}\nesac",
            f"f() {{ {inner}; }}; f {self._arguments()}",
            f"f() ({inner})\nf",
            f"x=$({inner})",
            f'v1 "$({inner})"',
            f"v2 `{inner.replace('`', '')}`",
            f"eval '{inner}'".replace("''", "'"),
            f"sh -c '{inner}'",
            f'bash -c "{inner}"',
        )

    def _here(self, depth: int) -> str:
        end, plain = self._random.choice([("E", "E"), ("EOF", "EOF"), ("'E'", "E"), ('"E"', "E"), ("\\E", "E")])
        bodies = ["text\n", "a $v `v0` $(v1)\n", "\tx\n", "$(v2 y)\n\n", "# $((1+1))\n", "\\$(v3) \\x\n", ""]
        behind = self._pick("", " | v5", " > o8", "; v4")
        return f"{self._simple()} <<{self._pick('', '-')}{end}{behind}\n{self._random.choice(bodies)}{plain}\n"

    def _simple(self) -> str:
        parts: list[str] = []
        if self._chance(0.12):
            parts.append(f"{self._random.choice(_NAMES)}={self._argument() if self._chance(0.8) else ''}")
            if self._chance(0.4):
                return parts[0]
        if self._chance(0.06):
            parts.append(self._random.choice(_REDIRECTS))
        parts.append(self._verb())
        parts.append(self._arguments())
        if self._chance(0.15):
            parts.append(self._random.choice(_REDIRECTS))
            if self._chance(0.3):
                parts.append(self._argument())
        return (self._random.choice(_PLACES) or " ").join(part for part in parts if part)

    def _verb(self) -> str:
        name = self._random.choice(RECORDED)
        if self._chance(0.75):
            return name
        at = self._random.randint(0, len(name))
        return self._pick(
            f"'{name}'", f'"{name}"', f"\\{name}", f"{name[:at]}''{name[at:]}", f'{name[:at]}""{name[at:]}', "$v",
            f"{name[:at]}\\{name[at:]}" if at < len(name) else name, f"[ {self._argument()}", "test", ":", "echo",
            "printf", "true", "export", "read", f"{name[:at]}$v{name[at:]}", "unset", "set", "trap", "command", "exec",
            f"{name[:at]}\\\n{name[at:]}",
        )  # fmt: skip

    def _argument(self) -> str:
        return self._random.choice(_ARGUMENTS)

    def _arguments(self) -> str:
        return " ".join(self._argument() for _ in range(self._random.choice([0, 1, 1, 2, 3])))

    def _wrapped(self) -> str:
        inner = self._simple() if self._chance(0.8) else self._wrapped()
        name = self._random.choice(WRAPPERS)
        options = {
            "xargs": ["", "-n 1", "-I{}", "-0", "-r", "-I % -n1", "-d '\\n'"],
            "env": ["", "-i PATH=$PATH", "-u x", "x=1 v=2", "-", "-S", "--"],
            "nice": ["", "-n 5", "-5", "--adjustment=3"],
            "timeout": ["5", "-k 1 5", "--signal=KILL 5", "-s INT 5s"],
            "stdbuf": ["-oL", "-o 0 -e0", "--output=L"],
            "flock": ["/tmp/l", "-n /tmp/l", "/tmp/l -c"],
            "ionice": ["-c 3", "-c2 -n7", "-t"],
            "chrt": ["-o 0", "--other 0"],
            "taskset": ["-c 0", "1"],
            "setsid": ["", "-w", "-f"],
            "nohup": [""],
            "find": [". -exec", ". -maxdepth 0 -exec", "/dev/null -execdir", ". -name o1 -o -exec", ". -ok"],
        }[name]
        option = self._random.choice(options)
        end = self._pick(" \\;", " {} +", " ';'", "", " {} \\;") if name == "find" else ""
        joined = " ".join(part for part in (name, option, inner) if part) + end
        before = self._pick("echo a | ", "", "", "", "exec ", "command ", "eval ", "time ", "! ")
        return before + joined

    def _broken(self, text: str) -> str:
        if not text:
            return text
        at = self._random.randrange(len(text))
        noise = self._random.choice(_NOISE)
        match self._random.randrange(5):
            case 0:
                return text[:at] + noise + text[at:]
            case 1:
                return text[:at] + text[at + 1 :]
            case 2:
                return text[:at] + noise + text[at + 1 :]
            case 3:
                other = self._random.randrange(len(text))
                return text[:at] + text[min(at, other) : max(at, other)] + text[at:]
            case _:
                return text[at:] + noise + text[:at]
