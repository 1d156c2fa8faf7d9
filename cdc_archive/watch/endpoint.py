"""A request to an address that somebody else runs, and why it was not taken.

The address itself may be a secret (many chat services put a key into the path), so neither it nor
the token is told: a failure names what happened, with both left out.
"""

from __future__ import annotations

from typing import Final, Literal

import urllib3

from cdc_archive.errors import ConfigInvalid
from cdc_archive.telemetry.masking import Mask

_SHOWN: Final = 200
_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)


class Endpoint:
    """One address.

    Args:
        name: what it is called in messages.
        url: http or https, without user and password.
        token: sent as bearer token; None: none.
        ca_file: the CA of its certificate, PEM; None: those that this system knows.
        timeout_s: for a connection, and for each wait.

    Raises:
        ConfigInvalid: the address is none.
    """

    def __init__(
        self,
        name: str,
        url: str,
        token: str | None = None,
        ca_file: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._name = name
        self._url = _checked(name, url)
        self._headers = {"User-Agent": "cdc-archive"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        path = urllib3.util.parse_url(url).request_uri
        self._mask = Mask([url, token or "", path if len(path) > 1 else ""])
        self._http = urllib3.PoolManager(
            retries=False, ca_certs=ca_file, timeout=urllib3.Timeout(total=timeout_s)
        )

    def __repr__(self) -> str:
        return f"Endpoint({self._name!r}, ...)"

    def send(
        self, method: Literal["GET", "POST"], body: bytes | None, headers: dict[str, str]
    ) -> str:
        """Make the request once; no redirect is followed, for it would carry the token along.

        Returns:
            "" if the answer was 2xx; else why it was not taken, without secrets.
        """
        try:
            answer = self._http.request(
                method,
                self._url,
                body=body,
                headers={**headers, **self._headers},
                redirect=False,
                preload_content=False,  # it is not read, however long it is
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return self._mask(str(error))[:_SHOWN] or type(error).__name__
        answer.close()
        if answer.status in _SUCCESS:
            return ""
        told = f"HTTP {answer.status}"
        return f"{told}, a redirect, is not followed" if answer.status in _REDIRECT else told


def _checked(name: str, url: str) -> str:
    try:
        parts = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        parts = urllib3.util.Url()
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ConfigInvalid(
            f"{name} holds what is no address of HTTP", "Write it as https://host:port/path."
        )
    if parts.auth is not None:
        raise ConfigInvalid(
            f"the address of {name} holds a user or password",
            "Take it out; a bearer token has its own setting.",
        )
    return url
