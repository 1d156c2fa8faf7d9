"""Millions of proven and published events, compared: CPU time and memory.

    python -m bench.reconcile_events 2000000 [FOLDER]

The published log is in another order than the changes, has ids of its own, lacks one event of a
hundred, and has another one altered and a third one doubled.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cdc_archive.archive.reader.window import Window
from cdc_archive.reconcile.file_log import FileLog
from cdc_archive.reconcile.ledger import Ledger
from cdc_archive.reconcile.reconciliation import Question, Reconciliation
from cdc_archive.reconcile.services import Services
from cdc_archive.reconcile.shape import Names, Shape
from cdc_archive.sinks.sink import Line

EVERY = 100
LOST, ALTERED, DOUBLED = 1, 2, 3
HELD = 1_000
START_US = 1_771_502_400_000_000
TYPES = ("api_key.updated", "project.updated", "user.updated", "service_account.updated")
RESOURCES = 100_000


def event(number: int, time_us: int) -> dict[str, Any]:
    kind, chosen = TYPES[number % 4], random.Random(number)
    return {
        "id": f"audit_log-{chosen.getrandbits(128):032x}",
        "object": "organization.audit_log",
        "type": kind,
        "effective_at": time_us // 1_000_000,
        "project": {"id": f"proj_{number % 97}", "name": f"project {number % 97}"},
        "actor": {
            "type": "session",
            "session": {"user": {"id": f"user_{number % 1009}", "email": "someone@example.com"}},
        },
        kind: {
            "id": f"res_{chosen.randrange(RESOURCES)}",
            "changes_requested": {"title": f"title {number}", "role": "owner"},
        },
    }


def evidence(number: int, made: dict[str, Any], time_us: int) -> dict[str, Any]:
    return {
        "id": made["id"],
        "type": made["type"],
        "table": "lab.app.api_key",
        "key": '{"id":"res"}',
        "op": "u",
        "event_time_us": time_us,
        "topic": "pg.app.api_key",
        "partition": 0,
        "offset": number,
        "lsn": 26_000_000 + number,
        "transaction": str(number),
        "total_order": 1,
        "file": "changes/table=lab.app.api_key/date=2026-02-19/hour=12/" + "x" * 80 + ".avro",
        "commit": number // 10_000,
        "before": "exact",
        "reconstructed_columns": {},
        "unknown_columns": [],
        "actor": "exact",
        "actor_reason": "column updated_by",
        "actor_source": "column updated_by",
    }


def lines(count: int, log: Path) -> Iterator[Line]:
    """The proven events; the published ones are written to the log beside."""
    held: list[bytes] = []
    with log.open("wb") as out:
        for number in range(count):
            time_us = START_US + number * 50_000 + 123
            made = event(number, time_us)
            proof = evidence(number, made, time_us)
            yield Line(json.dumps(made).encode(), json.dumps(proof).encode())
            told = made | {"id": f"own-{number}"}
            if number % EVERY == LOST:
                continue
            if number % EVERY == ALTERED:
                told[told["type"]] = told[told["type"]] | {"changes_requested": {"title": "else"}}
            held += [json.dumps(told).encode() + b"\n"] * (2 if number % EVERY == DOUBLED else 1)
            if len(held) > HELD:
                random.shuffle(held)
                out.writelines(held)
                held.clear()
        out.writelines(held)


def main(count: int, folder: Path) -> None:
    services, log = Services(), folder / "log.jsonl"
    shape, ledger = Shape(Names(), services), Ledger(folder / "ledger")
    question = Question(Window(), 5_000_000, frozenset(TYPES))
    found = Reconciliation(question, ledger, shape, services)
    making = taking = 0.0
    stream = lines(count, log)
    while True:
        start = time.process_time()
        line = next(stream, None)
        making += time.process_time() - start
        if line is None:
            break
        start = time.process_time()
        found.write(line)
        taking += time.process_time() - start
    start = time.process_time()
    found.read(FileLog([log], shape))
    reading = time.process_time() - start
    start = time.process_time()
    found.run()
    matching = time.process_time() - start
    start = time.process_time()
    told = sum(1 for _ in found.findings())
    telling = time.process_time() - start
    spent = taking + reading + matching + telling
    events = count + found.tally.read
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{events:,} events, {told:,} findings: {dict(found.tally.all)}")
    print(f"making them (not counted) {making:.1f} s of CPU")
    parts = {"taking": taking, "reading": reading, "matching": matching, "telling": telling}
    print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts.items()))
    print(f"{events / spent:,.0f} events per second of CPU; {rss:,.0f} MB at most")
    print(f"ledger {(folder / 'ledger').stat().st_size / 1e6:,.0f} MB")
    ledger.close()


if __name__ == "__main__":
    number, *below = sys.argv[1:]
    with TemporaryDirectory(dir=next(iter(below), None)) as place:
        main(int(number), Path(place))
