"""The gateway's databases behind the gateway's walls, where nothing but their own folder can be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from pathlib import Path
from wirken.confine import process
data = Path(sys.argv[1])
process.enter("gateway", process.Ground(str(data)))
from wirken.gateway import log
from wirken.gateway.senders import SenderStore
from wirken.gateway.store import StateStore
from wirken.record.reader import RecordReader
opened = [log._open(data / "gateway/audit.db"), StateStore(data / "gateway/state.db")._db]
opened += [SenderStore(data / "gateway/state.db")._db, RecordReader(data / "gateway/audit.db")._db]
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
for db in opened:
    db.pragma("cache_size", -64)
    big = NUMBERS + "SELECT count(*) FROM (SELECT i, randomblob(500) AS b FROM n ORDER BY b LIMIT -1 OFFSET 0)"
    assert db.execute(big).fetchall() == [(20000,)]
print("sorted")
"""


def test_a_sort_beyond_the_cache_needs_no_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    done = subprocess.run(
        [sys.executable, "-I", "-c", CODE, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("sorted\n", 0), done.stderr
