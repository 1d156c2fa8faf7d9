"""Structured logs: one JSON object a line, or coloured text on a terminal; no secret in either."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Final, TextIO

import structlog

from cdc_archive.telemetry.masking import Mask
from cdc_archive.telemetry.terminal import printable

_NOISY: Final = ("kafka", "botocore", "boto3", "urllib3", "werkzeug")


def configure(
    level: str, form: str, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send all logs, ours and those of libraries, through one renderer.

    Args:
        level: `debug`, `info`, `warning` or `error`; libraries are heard from `warning` on.
        form: `json`, `console`, or `auto`: console if the stream is a terminal.
        secrets: values that are masked wherever they stand.
        stream: where lines go; None: stderr.
    """
    stream = sys.stderr if stream is None else stream
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        _Masked(Mask(secrets)),
    ]
    console = form == "console" or (form == "auto" and stream.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    if console:
        shared.append(_for_a_terminal)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _for_a_terminal(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """What is logged cannot drive the terminal; JSON escapes it anyway."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = printable(value, keep="\n")
    return event


class _Masked:
    """Replaces known secret values in everything that is about to be written."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        for name, value in event.items():
            event[name] = self._masked(value)
        return event

    def _masked(self, value: object) -> object:
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, list | tuple):
            return [self._masked(one) for one in value]
        if isinstance(value, int | float | None):
            return value
        return self._mask(str(value))
