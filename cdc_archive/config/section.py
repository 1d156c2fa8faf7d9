"""What the sections of the settings are made of: the model, its fields, and kinds of values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

MIB = 1024 * 1024
_LOGIN = re.compile(r"(\w+://[^/]*|[^/]*)@")


def listed(value: object) -> object:
    """A list may also be written with commas, as environment variables must."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def json_list(of: str = "") -> Callable[[object], object]:
    """Reads a list of sections: in an environment variable it is JSON."""

    def read(value: object) -> object:
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                raise ValueError(f"no JSON list{of}") from None
        return value

    return read


def _pattern(value: object) -> object:
    if isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression, see character {error.pos}") from None
    return value


def version(value: object) -> object:
    """A version such as `2.3` as numbers."""
    if isinstance(value, str):
        try:
            return tuple(int(part) for part in value.split("."))
        except ValueError:
            raise ValueError("not a version such as 2.3") from None
    return value


def _readable(value: object) -> object:
    if isinstance(value, str) and not Path(value).is_file():
        raise ValueError("no such file")
    return value


def no_login(value: object) -> object:
    """Such a password would be shown wherever the address is told."""
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, str) and _LOGIN.match(one):
            raise ValueError("an address holds no user and no password: they have their settings")
    return value


def _sendable(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
        raise ValueError("holds a space, a line end or a character that is not ASCII")
    return value


Pattern = Annotated[str, BeforeValidator(_pattern)]
Listed = Annotated[tuple[str, ...], BeforeValidator(listed)]
Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(listed)]
ReadableFile = Annotated[str, BeforeValidator(_readable)]
ReadableFiles = Annotated[tuple[ReadableFile, ...], BeforeValidator(listed)]
Url = Annotated[str, BeforeValidator(no_login)]
Token = Annotated[SecretStr, AfterValidator(_sendable)]
Servers = Annotated[Listed, BeforeValidator(no_login)]


def is_secret(annotation: Any) -> bool:
    """Whether a field of this type holds what nobody may see."""
    return annotation is SecretStr or any(map(is_secret, get_args(annotation)))


def field(meaning: str, example: object, default: Any = ..., **bounds: Any) -> Any:
    """A setting, with what it means and an example for who misses it."""
    return Field(default, description=meaning, examples=[example], **bounds)


class Section(BaseModel):
    """A section: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
