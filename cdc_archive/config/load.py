"""Settings from one TOML file and the environment, checked whole before anything is done.

A missing or misspelt setting once cost a company three months of audit events. Here it stops the
program and is told by name, with where it was looked for and an example; all faults at once.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from cdc_archive.config.settings import SECTIONS, Section, Settings, is_secret
from cdc_archive.errors import ConfigInvalid
from cdc_archive.telemetry import masking

PREFIX: Final = "CDC_ARCHIVE_"
FILE_VARIABLE: Final = "CDC_ARCHIVE_CONFIG"
DEFAULT_FILE: Final = "cdc-archive.toml"
_REFUSED: Final = {
    "kafka.auto_offset_reset": "is refused: the archive itself says where to start, and `latest` "
    "would lose what came before",
    "kafka.enable_auto_commit": "is refused: offsets are committed after the archive's commit",
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: the setting's full name (`kafka.topics`) and what."""

    setting: str
    wrong: str


@dataclass(frozen=True)
class Loaded:
    """Settings, and for each setting that was given where it came from."""

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None


@dataclass
class _Given:
    """Raw values by section and key, before they are checked."""

    file: Path
    file_exists: bool
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def load(path: Path | None, environ: Mapping[str, str], need: Iterable[str]) -> Loaded:
    """Read, merge and check the settings.

    Args:
        path: the TOML file; None: that of CDC_ARCHIVE_CONFIG, or ./cdc-archive.toml if it exists.
        environ: the process's environment; CDC_ARCHIVE_<SECTION>__<KEY> wins over the file.
        need: sections that must be there; the others are checked if they are.

    Raises:
        ConfigInvalid: lists every fault.
    """
    given, needed = _gather(path, environ), frozenset(need)
    sections = {
        name: made
        for name in SECTIONS
        if (name in needed or name in given.values)
        and (made := _section(given, name, needed=name in needed)) is not None
    }
    settings: Settings | None = None
    if not given.faults:
        try:
            settings = Settings(**sections)  # type: ignore[arg-type]
        except ValidationError as error:
            given.faults += [_fault("", detail) for detail in error.errors(include_url=False)]
    if settings is None:
        raise ConfigInvalid(_tell(given), "Run `cdc-archive config example` for all settings.")
    return Loaded(settings, given.origins, given.file if given.file_exists else None)


def _section(given: _Given, name: str, *, needed: bool) -> Section | None:
    """A checked section. What is missing in one that the command does not need is no fault."""
    values = given.values.get(name, {})
    faults: list[Fault] = []
    missing: list[Fault] = []
    if name == "kafka" and not values.keys() & {"topics", "topic_pattern"}:
        missing.append(Fault("kafka.topics", "is not set, nor is kafka.topic_pattern"))
    try:
        made = SECTIONS[name].model_validate(values)
    except ValidationError as error:
        made = None
        for detail in error.errors(include_url=False):
            kind = missing if detail["type"] == "missing" else faults
            kind.append(_fault(name, detail))
    told = {fault.setting for fault in given.faults}
    given.faults += faults
    given.faults += [fault for fault in missing if needed and fault.setting not in told]
    return None if missing else made


def _gather(path: Path | None, environ: Mapping[str, str]) -> _Given:
    asked = path or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    file = asked or Path(DEFAULT_FILE)
    given = _Given(file, file.is_file())
    if given.file_exists:
        _take_file(given)
    elif asked is not None:
        given.faults.append(Fault("(file)", f"the settings file {file} does not exist"))
    _take_environment(given, environ)
    return given


def _take_file(given: _Given) -> None:
    try:
        content = tomllib.loads(given.file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        given.faults.append(Fault("(file)", f"{given.file} is not a TOML file: {error}"))
        return
    for section, values in content.items():
        if section not in SECTIONS:
            given.faults.append(Fault(section, "is no section" + _near(section, SECTIONS)))
        elif not isinstance(values, dict):
            given.faults.append(Fault(section, f"is a section: write [{section}]"))
        else:
            for key, value in values.items():
                _take(given, section, key, value, f"{given.file} [{section}]")


def _take_environment(given: _Given, environ: Mapping[str, str]) -> None:
    variables = {
        f"{PREFIX}{section}__{key}".upper(): (section, key)
        for section, model in SECTIONS.items()
        for key in model.model_fields
    }
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == FILE_VARIABLE:
            continue
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if name not in variables and f"{section}.{key}" not in _REFUSED:
            near = _near(name, [*variables, FILE_VARIABLE])
            given.faults.append(Fault(name, "is an environment variable of no setting" + near))
            continue
        if not environ[name].strip():
            given.faults.append(Fault(f"{section}.{key}", f"is empty: {name} is set to nothing"))
            continue
        _take(given, section, key, environ[name], f"environment {name}")


def _take(given: _Given, section: str, key: str, value: object, origin: str) -> None:
    name = f"{section}.{key}"
    if name in _REFUSED:
        given.faults.append(Fault(name, _REFUSED[name]))
    elif key not in SECTIONS[section].model_fields:
        near = _near(key, SECTIONS[section].model_fields)
        given.faults.append(Fault(name, f"is no setting ({origin}){near}"))
    else:
        given.values.setdefault(section, {})[key] = value
        given.origins[name] = origin


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _fault(section: str, detail: Any) -> Fault:
    """From pydantic's words to ours, without the value: it may be a secret."""
    place = [part for part in (section, *map(str, detail["loc"][:1])) if part]
    setting = ".".join(place) or "(all)"
    if detail["type"] == "missing":
        return Fault(setting, "is not set")
    wrong = detail["msg"].removeprefix("Value error, ")
    return Fault(setting, f"is wrong: {wrong}" if detail["loc"] else wrong)


def _tell(given: _Given) -> str:
    count = len(given.faults)
    told = [f"{count} setting{'s are' if count > 1 else ' is'} missing or wrong"]
    for fault in given.faults:
        told.append(f"- {fault.setting} {fault.wrong}")
        section, _, key = fault.setting.partition(".")
        model = SECTIONS.get(section)
        if model is None or key not in model.model_fields:
            continue
        exists = "" if given.file_exists else " (no such file)"
        told.append(f"    looked in:   {given.file}{exists}, [{section}] {key}")
        told.append(f"    and in:      environment variable {variable(fault.setting)}")
        told.append(f"    example:     {key} = {toml(model.model_fields[key].examples)}")
    return "\n".join(told)


def variable(setting: str) -> str:
    """The environment variable of a setting: `kafka.topics` is CDC_ARCHIVE_KAFKA__TOPICS."""
    return PREFIX + setting.replace(".", "__").upper()


def toml(examples: list[Any] | None) -> str:
    """An example as it stands in a TOML file."""
    value = (examples or [""])[0]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        members = (f"{name} = {toml([one])}" for name, one in value.items())
        return "{ " + ", ".join(members) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml([one]) for one in value) + "]"
    if isinstance(value, str):
        return f"'{value}'" if "\\" in value else f'"{value}"'
    return str(value)


def from_process(path: Path | None, need: Iterable[str]) -> Loaded:
    """`load` with this process's environment: this module alone reads it.

    The secrets are told to `masking` before anything is checked.
    """
    masking.remember(given_secrets(path, os.environ))
    return load(path, os.environ, need)


def environment_without_settings() -> dict[str, str]:
    """This process's environment for a command that has a settings file of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def given_secrets(path: Path | None, environ: Mapping[str, str]) -> list[str]:
    """The secret values that were given, right or wrong, whatever their type."""
    return [
        text
        for section, values in _gather(path, environ).values.items()
        for key, value in values.items()
        if is_secret(SECTIONS[section].model_fields[key].annotation)
        for text in _texts(value)
    ]


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.items() for part in one for text in _texts(part)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [str(value)]
