"""The numbers that bound the requests and searches of tools: like `limits`, in a file of its own for its length."""

from __future__ import annotations

from typing import Final

URL: Final = 8 * 1024  # characters of an address; servers take 8 kB
REQUEST_HEADERS: Final = 20  # headers that a model may set in one request
REQUEST_BODY: Final = 256 * 1024  # bytes of a request's body; uploads are no work for a conversation
RESPONSE_BODY: Final = 2**20  # bytes of an answer's body that are read at all
RESPONSE_SHOWN: Final = 256 * 1024  # bytes of it that the model gets; TOOL_OUTPUT leaves room for headers and notes
REQUEST_TIME: Final = 60.0  # seconds for one request with its answer
REDIRECTS: Final = 5  # redirects of one request that are followed; browsers follow 20, and each may ask a person
SEARCH_QUERY: Final = 400  # characters of a search; the smallest that an engine takes
SEARCH_RESULTS: Final = 10  # results of one search
SEARCH_TEXT: Final = 2 * 1024  # bytes of a result's title, address or text
