"""How long `wirken permissions explain` takes for ten thousand calls: the hostile corpus, and long commands."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.errors import NotMeasured
from bench.figure import Figure, Target
from bench.house import house, program
from bench.options import Options
from bench.stats import samples

_LINES: Final = 10_000
_CORPUS: Final = Path(__file__).parents[1] / "tests" / "hostile" / "exec.jsonl"
_LONG: Final = (
    'find /workspace/src -name "*.py" -exec grep -Hn "x" {} + | sort -u | head -n 50 > /workspace/out/found.txt',
    "sh -c 'cd /workspace/build && make -j4 CFLAGS=\"-O2 -Wall\" 2>&1 | tee /workspace/build.log | tail -n 20'",
    'bash -c "sh -c \'ls -la /workspace/a; sh -c \\"cat /etc/hostname | wc -c\\"\'"',
    'for f in /workspace/*.csv /srv/*.csv; do cut -d, -f1 "$f" | sort | uniq -c > "/workspace/$(basename "$f")"; done',
    "env LANG=C timeout 30 nice -n 5 xargs -n 1 -P 4 grep -l pattern /home/me/notes/a.txt /home/me/notes/b.txt",
    "if [ -f /workspace/package.json ]; then npm ci --prefix /workspace && npm test; else echo missing >&2; fi",
    "tar czf /workspace/x.tar.gz --exclude=y /workspace/src /workspace/docs /etc/hosts && ls -l /workspace/x.tar.gz",
    "python3 - <<'EOF'\nimport json\nfor line in open('/workspace/data.jsonl'):\n    print(json.loads(line))\nEOF",
    "cp -r /workspace/src/{a,b,c}/*.txt /workspace/dst/ && rm -rf /workspace/tmp/* && mv $x /workspace/y",
    "eval \"sh -c 'nohup setsid stdbuf -o0 env A=1 find . -type f -name *.log -print0 | xargs -0 rm -f'\"",
    "cat $HOME/*.txt ${DIR:-/srv}/$NAME*.p* /home/me/$x/.s*/id_* a*b*c*d .e* $a/$b/$c",
)
"""Paths outside, wrappers, shells inside of shells, words that are not certain: what costs most to judge."""


def measure(options: Options) -> list[Figure]:
    """Return the seconds that the lines take, from the start of the program to its end."""
    corpus = [json.loads(line) for line in _CORPUS.read_text().splitlines()]
    hostile = _repeated([json.dumps({"tool": one["tool"], "args": one["args"]}) for one in corpus])
    long = _repeated([json.dumps({"tool": "exec", "args": {"command": text}}) for text in _LONG])
    count = options.times(5, 1)
    with house(options.disk) as one:
        return [
            Figure(
                name=f"`permissions explain`, 10,000 {name} lines",
                unit="s",
                samples=samples([_took(lines, one.environment) for _ in range(count)]),
                target=Target("at most", 5),
            )
            for name, lines in (("hostile", hostile), ("long", long))
        ]


def _repeated(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in itertools.islice(itertools.cycle(lines), _LINES)).encode()


def _took(lines: bytes, environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    words = (program(), "permissions", "explain", "--json")
    ran = subprocess.run(words, input=lines, env=environment, stdout=subprocess.PIPE, check=False)
    seconds = time.perf_counter() - started
    if ran.returncode or ran.stdout.count(b"\n") != _LINES:
        raise NotMeasured("`wirken permissions explain` did not answer every line")
    return seconds
