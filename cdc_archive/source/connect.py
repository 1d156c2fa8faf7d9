"""Looks at connectors: over Kafka Connect's REST interface, or in a configuration file."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from cdc_archive.errors import CdcArchiveError, SourceDenied, SourceInvalid, SourceUnreachable
from cdc_archive.source.connector import ConnectorFacts, TaskFacts, secrets_of, without_secrets
from cdc_archive.telemetry.masking import Mask

_LARGEST: Final = 32 << 20
_SHOWN: Final = 300


class ConnectOptions(NamedTuple):
    """How to reach Kafka Connect; the password does not show in `repr`."""

    url: str
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        return f"ConnectOptions(url={self.url!r}, ...)"


def look(options: ConnectOptions, names: Sequence[str] = ()) -> list[ConnectorFacts]:
    """The connectors of these names, or all of Debezium's if none is named.

    Raises:
        SourceUnreachable: nobody answers, or not as Kafka Connect does.
        SourceDenied: the login is refused, or the address is one for a browser.
        SourceInvalid: there is no connector of a name.
    """
    asked = _Asker(options)
    known = asked.get("/connectors")
    if not isinstance(known, list):
        raise SourceUnreachable(f"{options.url} does not answer as Kafka Connect does", _CHECK)
    missing = sorted(set(names) - set(known))
    if missing:
        raise SourceInvalid(
            f"Kafka Connect at {options.url} has no connector {', '.join(missing)}; "
            f"it has {', '.join(sorted(known)) or 'none'}",
            "Correct doctor.connectors.",
        )
    versions, why = asked.versions()
    found = (_connector(asked, name, versions, why) for name in sorted(names or known))
    return [one for one in found if names or one.is_debezium]


_CHECK: Final = "Check doctor.connect_url: it is the address of Connect's REST interface."


def _connector(
    asked: _Asker, name: str, versions: Mapping[str, str], why: Mapping[str, str]
) -> ConnectorFacts:
    path = f"/connectors/{quote(name, safe='')}"
    config = asked.get(f"{path}/config")
    hide = Mask(secrets_of(config))
    unseen = dict(why)
    status: Any = asked.attempt(f"{path}/status", "status", unseen)
    topics: Any = asked.attempt(f"{path}/topics", "topics", unseen)
    class_name = str(config.get("connector.class", ""))
    version = next((v for c, v in versions.items() if _same(c, class_name)), None)
    if version is None and "version" not in unseen:
        unseen["version"] = "the plug-in is not among those of the worker that answered"
    return ConnectorFacts(
        name,
        without_secrets(config),
        asked.options.url,
        status["connector"]["state"] if status else None,
        tuple(_task(one, hide) for one in status["tasks"]) if status else (),
        version,
        tuple(sorted(topics[name]["topics"])) if topics and name in topics else None,
        unseen,
    )


def _same(plugin: str, class_name: str) -> bool:
    short = plugin.rpartition(".")[2]
    return class_name in (plugin, short, short.removesuffix("Connector"))


def _task(told: Mapping[str, Any], hide: Mask) -> TaskFacts:
    trouble = str(told.get("trace", "")).strip().splitlines()
    causes = [line for line in trouble if line.startswith("Caused by: ")]
    shown = [*trouble[:1], *causes[-1:]]
    return TaskFacts(told["id"], told["state"], hide("; ".join(shown))[:_SHOWN])


class _Asker:
    """Asks one server."""

    def __init__(self, options: ConnectOptions) -> None:
        self.options = options
        self._headers = {"Accept": "application/json"}
        if options.username is not None:
            login = f"{options.username}:{options.password or ''}".encode()
            self._headers["Authorization"] = "Basic " + base64.b64encode(login).decode()
        self._context = None
        if options.url.startswith("https"):
            self._context = ssl.create_default_context(cafile=options.ca_file)

    def get(self, path: str) -> Any:
        """The JSON that stands under a path."""
        url = self.options.url.rstrip("/")
        request = urllib.request.Request(url + path, headers=self._headers)  # noqa: S310  # http(s)
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=self.options.timeout_s, context=self._context
            ) as answer:
                return json.loads(answer.read(_LARGEST))
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(error.code, path) from None
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise SourceUnreachable(f"Kafka Connect at {url}: {why}", _CHECK) from None

    def _refused(self, code: int, path: str) -> CdcArchiveError:
        what = f"Kafka Connect at {self.options.url} answers {path} with {code}"
        if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return SourceDenied(
                what, "Check doctor.connect_username and doctor.connect_password, and its rights."
            )
        return SourceUnreachable(what, _CHECK)

    def attempt(self, path: str, fact: str, unseen: dict[str, str]) -> Any:
        """As `get`; None, and the reason kept, if it is refused."""
        try:
            return self.get(path)
        except CdcArchiveError as error:
            unseen[fact] = error.what
            return None

    def versions(self) -> tuple[dict[str, str], dict[str, str]]:
        """The version of each plug-in class, or why nobody tells."""
        unseen: dict[str, str] = {}
        found = self.attempt("/connector-plugins", "version", unseen) or []
        return {one["class"]: one["version"] for one in found if one.get("version")}, unseen


def read_file(path: Path) -> ConnectorFacts:
    """A connector's configuration: the JSON that Connect takes (with or without `name` and
    `config` around it), or a properties file.

    Raises:
        SourceInvalid: it is neither, or tells no `connector.class`.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceInvalid(f"{path} cannot be read: {error}", "Correct the file's name.") from None
    config, name = _parsed(text)
    if "connector.class" not in config:
        raise SourceInvalid(
            f"{path} is no configuration of a connector: it tells no connector.class",
            "Give the JSON that Kafka Connect takes, or a properties file.",
        )
    unseen = {"version": "a file does not tell it", "status": "a file does not tell it"}
    return ConnectorFacts(
        str(config.get("name", name or path.stem)),
        without_secrets(config),
        str(path),
        unseen=unseen,
    )


def _parsed(text: str) -> tuple[dict[str, Any], str]:
    try:
        told = json.loads(text)
    except ValueError:
        return _properties(text), ""
    if not isinstance(told, dict):
        return {}, ""
    inner = told.get("config")
    return (inner, str(told.get("name", ""))) if isinstance(inner, dict) else (told, "")


def _properties(text: str) -> dict[str, Any]:
    joined = text.replace("\\\n", "")
    lines = (line.strip() for line in joined.splitlines())
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#!")
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}
