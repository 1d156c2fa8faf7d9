"""One GET of an address that is looked at again and again: bounded in time and size, never retried.

The next look is the retry. What is told of an address has no user, password or query.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

import urllib3

from cdc_archive.errors import SourceInvalid, SourceUnreachable
from cdc_archive.telemetry.masking import masked

_LARGEST: Final = 16 << 20
_SHOWN: Final = 200


class Answer(NamedTuple):
    """HTTP status and body."""

    status: int
    body: bytes


class Page:
    """An address.

    Args:
        url: http:// or https://.
        timeout_s: how long an answer may take.
        ca_file: the CA of its certificate, PEM; None: those that this system knows.
    """

    def __init__(self, url: str, timeout_s: float = 5.0, ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._url = url
        self._http = urllib3.PoolManager(
            retries=False, ca_certs=ca_file, timeout=urllib3.Timeout(total=timeout_s)
        )

    def get(self) -> Answer:
        """Ask.

        Raises:
            SourceUnreachable: there is no answer in time.
            SourceInvalid: the answer is too large.
        """
        headers = {"Accept": "text/plain, application/json", "User-Agent": "cdc-archive"}
        try:
            answer = self._http.request(
                "GET", self._url, headers=headers, redirect=False, preload_content=False
            )
            try:
                body = answer.read(_LARGEST + 1)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            reason = masked(str(error)).rpartition(": ")[2][:_SHOWN]
            raise SourceUnreachable(f"no answer ({reason})", "Check the address.") from None
        if len(body) > _LARGEST:
            raise SourceInvalid(
                f"answers with more than {_LARGEST:,} bytes", "Is it the right address?"
            )
        return Answer(answer.status, body)
