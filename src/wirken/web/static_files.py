"""The page's own files: a fixed table of addresses, so that no address can name anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wirken.web.answers import Problem, problem_response

FOLDER: Final = Path(__file__).with_name("static")

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def table(folder: Path) -> dict[str, Path]:
    """Return address -> file for everything in `folder` that a browser may load; `/` is the page itself."""
    files = (path for path in folder.rglob("*") if path.suffix in _TYPES and path.is_file())
    found = {f"/static/{path.relative_to(folder).as_posix()}": path for path in files}
    return {"/": folder / "index.html", "/favicon.ico": folder / "favicon.svg"} | found


class StaticFiles:
    """ASGI: GET and HEAD of the files in the table, read from disk each time: they are asked for rarely."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._table: Final = table(folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = self._table.get(scope["path"])
        if path is None or scope["method"] not in ("GET", "HEAD"):
            response = problem_response(Problem(404, "There is nothing here.", "The page is at /."))
        else:
            response = Response(path.read_bytes(), media_type=_TYPES[path.suffix])
        await response(scope, receive, send)
