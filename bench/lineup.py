"""Who is measured: floors, ours, and peers as far as they can be had."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import figures
from bench.filled import Topic
from bench.peers import iceberg, perf_test
from bench.peers.program import FOLDER, program
from bench.subjects import Cost, floor, ours
from infra.local.artifacts import StackError, built

OURS = "cdc-archive, librdkafka"
_CONFIGURATIONS = {
    "JSON parsed": "redpanda_connect.yaml",
    "by a pattern": "redpanda_connect_pattern.yaml",
}
_NOT_TO_BE_HAD = (StackError, OSError, AssertionError, subprocess.SubprocessError)
"""A peer is left out for these; AssertionError: what it stored is not what was sent, or it died."""


class Subject(NamedTuple):
    """Takes the topic once; without one that is needed there is no comparison."""

    run: Callable[[], Cost]
    needed: bool


def subjects(
    topic: Topic, recording: str, folder: Path, programs: Mapping[str, str]
) -> dict[str, Subject]:
    """Everyone by name, in the order of the table.

    Args:
        topic: what everyone takes.
        recording: of the topic, a key of `bench.realistic.RECORDINGS`.
        folder: for files of the runs.
        programs: commands by name, to which the path of a configuration is added.
    """
    needed: dict[str, Callable[[], Cost]] = {
        "only read, librdkafka": partial(floor, "read", topic),
        "read, compress, store unparsed": partial(floor, "store", topic),
        OURS: partial(ours, topic, "librdkafka", folder),
        "cdc-archive, kafka-python": partial(ours, topic, "kafka-python", folder),
        "cdc-archive, librdkafka, not compiled": partial(
            ours, topic, "librdkafka", folder, compiled=False
        ),
        "cdc-archive, kafka-python, not compiled": partial(
            ours, topic, "kafka-python", folder, compiled=False
        ),
    }
    peers: dict[str, Callable[[], Cost]] = {
        f"Iceberg sink, {name}": partial(iceberg.sink, topic, recording, name.lower(), folder)
        for name in ("Parquet", "Avro")
    }
    for how, configuration in _CONFIGURATIONS.items():
        peers[f"Benthos engine, {how}"] = partial(_engine, configuration, topic, folder)
        for name, command in programs.items():
            peers[f"{name}, {how}"] = partial(program, command, configuration, topic, folder)
    found = {"only read, Kafka's own consumer": Subject(partial(perf_test.only_read, topic), False)}
    found |= {name: Subject(run, needed=True) for name, run in needed.items()}
    return found | {name: Subject(run, needed=False) for name, run in peers.items()}


def _engine(configuration: str, topic: Topic, folder: Path) -> Cost:
    return program(f"{built(FOLDER / 'engine')} run", configuration, topic, folder)


def compared(
    topic: Topic, found: Mapping[str, Subject], rounds: int
) -> tuple[dict[str, list[Cost]], dict[str, str]]:
    """Everyone in turn, `rounds` times; costs by name, and why who was left out was."""
    runs: dict[str, list[Cost]] = {name: [] for name in found}
    left_out: dict[str, str] = {}
    for _ in range(rounds):
        for name, subject in found.items():
            if name in left_out:
                continue
            try:
                runs[name].append(subject.run())
            except _NOT_TO_BE_HAD as error:
                if subject.needed:
                    raise
                left_out[name] = _shortly(error)
                _tell(f"{name}: left out: {error}")
            else:
                _tell(f"{name}: {figures.cpu(runs[name][-1], topic):.2f}")
    return {name: costs for name, costs in runs.items() if name not in left_out}, left_out


def _shortly(error: Exception) -> str:
    """The first line says what failed, the last of a log why."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " … ".join(dict.fromkeys((lines[0], lines[-1])))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def commands(given: Sequence[str]) -> dict[str, str]:
    """`NAME=COMMAND` of the command line.

    Raises:
        ValueError: one has no name or no command.
    """
    found = {}
    for one in given:
        name, _, command = one.partition("=")
        if not name or not command:
            raise ValueError(f"{one!r} is not of the form NAME=COMMAND")
        found[name] = command
    return found
