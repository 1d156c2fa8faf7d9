"""The example schema on the real stack, and the three applications that act on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.real_stack import RealStack

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PLATFORM = ROOT / "tests" / "e2e" / "platform"


def prepare(stack: RealStack) -> None:
    """Make the schema and what tells its actors, and start Debezium on it."""
    actors = "".join(one.read_text() for one in sorted((EXAMPLES / "actor").glob("*.sql")))
    stack.psql((EXAMPLES / "audit-schema" / "schema.sql").read_text())
    stack.psql("SET search_path = platform;" + actors + (PLATFORM / "setup.sql").read_text())
    stack.register(
        "platform",
        **{"schema.include.list": "platform", "publication.name": "platform_audit"},
    )


def act(stack: RealStack) -> None:
    """Do all acts, each once; the last one makes an account `last`."""
    stack.psql((PLATFORM / "workload.sql").read_text())
    for application in ("by_sqlalchemy.py", "by_django.py"):
        _run(stack, application)
    stack.psql("INSERT INTO platform.account (id, email) VALUES ('last', 'last@example.com')")


def _run(stack: RealStack, application: str) -> None:
    port = str(stack.state.port("postgres"))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PLATFORM / application), port],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
