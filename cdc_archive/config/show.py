"""The settings as people look at them: effective values with their origin, or a full example."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from cdc_archive.config.load import Loaded, toml, variable
from cdc_archive.config.settings import SECTIONS
from cdc_archive.telemetry.masking import HIDDEN

__all__ = ["HIDDEN", "Row", "effective", "example", "secrets"]


class Row(NamedTuple):
    """One setting: its full name, its value (secrets hidden), where the value came from."""

    setting: str
    value: Any
    origin: str


def effective(loaded: Loaded) -> list[Row]:
    """Every setting of every section that is there."""
    rows = []
    for section, model in SECTIONS.items():
        values = getattr(loaded.settings, section)
        if values is None:
            continue
        for key in model.model_fields:
            name = f"{section}.{key}"
            value = _shown(getattr(values, key))
            rows.append(Row(name, value, loaded.origins.get(name, "default")))
    return rows


def secrets(loaded: Loaded) -> list[str]:
    """The secret values themselves, so that logs can be kept clear of them."""
    return [
        one.get_secret_value()
        for section in SECTIONS
        for value in dict(getattr(loaded.settings, section) or {}).values()
        for one in (value if isinstance(value, tuple) else (value,))
        if isinstance(one, SecretStr)
    ]


def _shown(value: object) -> object:
    if isinstance(value, SecretStr) or (
        isinstance(value, tuple) and value and isinstance(value[0], SecretStr)
    ):
        return HIDDEN
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_shown(one) for one in value]
    if isinstance(value, str):
        return re.sub(r"://[^/@\s]*@", f"://{HIDDEN}@", value)
    return value


def example() -> str:
    """A complete settings file, made from the models, with everything optional commented out."""
    lines = [
        "# Settings of cdc-archive. Each may also be given as an environment variable,",
        f"# for example {variable('kafka.bootstrap_servers')}; those win over this file.",
    ]
    for section, model in SECTIONS.items():
        lines += ["", f"# {model.__doc__}", f"[{section}]"]
        for key, field in model.model_fields.items():
            required = field.is_required() or (section, key) == ("kafka", "topics")
            default = "required" if required else f"default: {_default(field.default)}"
            lines.append(f"# {field.description} ({default})")
            lines.append(("" if required else "# ") + f"{key} = {toml(field.examples)}")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if value is None or value is PydanticUndefined or value == ():
        return "none"
    return toml([value])
