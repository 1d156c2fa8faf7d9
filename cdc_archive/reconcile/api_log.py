"""A published log behind an HTTP API in the form of OpenAI's `GET /organization/audit_logs`.

Pages of {data: [event, ...], has_more, last_id}; the next one is asked for with `after`. In which
order events come does not matter. Source: github.com/openai/openai-openapi, `AuditLog` list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import urllib3

from cdc_archive.archive.reader.window import Window
from cdc_archive.decode.images import parsed
from cdc_archive.errors import CdcArchiveError, SourceDenied, SourceInvalid, SourceUnreachable
from cdc_archive.reconcile.published import Published, Unreadable
from cdc_archive.reconcile.shape import Shape

_PAGE: Final = 100
"""Events in a page: as many as OpenAI gives."""
_SECOND_US: Final = 1_000_000
_TOO_MANY, _SERVER_ERROR = 429, 500
_DENIED: Final = (401, 403)
_FIRST_S, _LONGEST_S = 0.5, 60.0
_LARGEST: Final = 64 << 20
_SHOWN: Final = 200


class Access(NamedTuple):
    """How to reach an API. `patience_s`: how long a server that is busy is asked again."""

    token: str | None = None
    ca_file: str | None = None
    timeout_s: float = 60.0
    patience_s: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def __repr__(self) -> str:
        return f"Access(timeout_s={self.timeout_s!r}, ...)"


class ApiLog:
    """See the port, published.py.

    Args:
        url: of the list, without query.
        access: how to reach it.
        shape: reads events.
    """

    def __init__(self, url: str, access: Access, shape: Shape) -> None:
        self._url = url
        self._access = access
        self._shape = shape
        self._http = urllib3.PoolManager(
            retries=False,
            ca_certs=access.ca_file,
            timeout=urllib3.Timeout(total=access.timeout_s),
        )

    def events(self, window: Window) -> Iterator[Published | Unreadable]:
        """See the port."""
        asked = {"limit": str(_PAGE), **_bounds(window)}
        seen: set[str] = set()
        try:
            while True:
                page = self._page(asked)
                for number, one in enumerate(page["data"]):
                    yield self._shape.of(one, self._place(one, asked.get("after"), number))
                if not page.get("has_more"):
                    return
                after = _last(page)
                if after is None or after in seen:
                    raise self._invalid("says has_more, and gives no id to go on after")
                seen.add(after)
                asked["after"] = after
        finally:
            self._http.clear()

    def _place(self, event: Any, after: str | None, number: int) -> str:
        named = event.get("id") if isinstance(event, dict) else None
        if isinstance(named, str):
            return f"{self._url}#{quote(named)}"
        return f"{self._url}?after={quote(after or '')}#{number}"

    def _page(self, asked: dict[str, str]) -> dict[str, Any]:
        try:
            page = parsed(self._answer(asked))
        except ValueError:
            raise self._invalid("does not answer with JSON") from None
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise self._invalid("does not answer with a list as OpenAI's: {data: [...], has_more}")
        return page

    def _answer(self, asked: dict[str, str]) -> bytes:
        access = self._access
        deadline, pause_s = access.clock() + access.patience_s, _FIRST_S
        while True:
            trouble, wait_s = "", None
            try:
                answer = self._ask(asked)
            except urllib3.exceptions.HTTPError as error:
                trouble = str(error)[:_SHOWN]
            else:
                if answer.status not in (_TOO_MANY, *range(_SERVER_ERROR, 600)):
                    return self._accepted(answer)
                trouble, wait_s = f"HTTP {answer.status}", _asked_to_wait(answer)
            pause_s = min(pause_s * 2, _LONGEST_S)
            wait_s = pause_s if wait_s is None else wait_s
            if access.clock() + wait_s > deadline:
                raise SourceUnreachable(
                    f"{self._url} does not answer: {trouble}",
                    "Check the address; reconcile.http_retry_seconds is how long it is asked.",
                )
            access.sleep(wait_s)

    def _ask(self, asked: dict[str, str]) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": "cdc-archive"}
        if self._access.token is not None:
            headers["Authorization"] = f"Bearer {self._access.token}"
        url = f"{self._url}?{urlencode(asked)}"
        return self._http.request("GET", url, headers=headers, redirect=False)

    def _accepted(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        success = 200
        if answer.status in _DENIED:
            raise SourceDenied(
                f"{self._url} refused access: HTTP {answer.status}",
                "Set reconcile.http_token to a key that may read the audit log.",
            )
        if answer.status != success or len(answer.data) > _LARGEST:
            raise self._invalid(f"answers HTTP {answer.status} with {len(answer.data):,} bytes")
        return answer.data

    def _invalid(self, what: str) -> CdcArchiveError:
        return SourceInvalid(f"{self._url} {what}", "It must be the address of the list of events.")


def _bounds(window: Window) -> dict[str, str]:
    """Whole seconds, the window's own or just beyond."""
    bounds = {}
    if window.start_us is not None:
        bounds["effective_at[gte]"] = str(window.start_us // _SECOND_US)
    if window.end_us is not None:
        bounds["effective_at[lte]"] = str(-(-window.end_us // _SECOND_US))
    return bounds


def _last(page: dict[str, Any]) -> str | None:
    """The id to go on after."""
    found = page.get("last_id")
    if not found and page["data"] and isinstance(page["data"][-1], dict):
        found = page["data"][-1].get("id")
    return str(found) if found else None


def _asked_to_wait(answer: urllib3.BaseHTTPResponse) -> float | None:
    """`Retry-After`, in seconds; None: not told so."""
    told = answer.headers.get("Retry-After", "")
    return min(float(told), _LONGEST_S) if told.isdigit() else None
