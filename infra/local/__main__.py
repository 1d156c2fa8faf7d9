"""The real stack without Docker: `python -m infra.local up|down|status|env|psql`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from infra.local import parts
from infra.local.artifacts import StackError
from infra.local.processes import StateFolder


def settings(state: StateFolder) -> dict[str, str]:
    """Environment variables that point cdc-archive at this stack."""
    return {
        "CDC_ARCHIVE_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{state.port('kafka')}",
        "CDC_ARCHIVE_STORE__URL": f"s3://{parts.BUCKET}/{parts.PREFIX}",
        "CDC_ARCHIVE_STORE__ENDPOINT_URL": f"http://127.0.0.1:{state.port('s3')}",
        "CDC_ARCHIVE_STORE__ACCESS_KEY_ID": parts.ACCESS_KEY,
        "CDC_ARCHIVE_STORE__SECRET_ACCESS_KEY": parts.SECRET_KEY,
        "CDC_ARCHIVE_STORE__PATH_STYLE": "true",
        "CDC_ARCHIVE_STORE__REGION": "us-east-1",
    }


def up(state: StateFolder, names: list[str]) -> None:
    """Start what does not run, in order."""
    for name, start in (parts.PARTS | parts.ON_DEMAND).items():
        if name in names:
            begun = time.monotonic()
            start(state)
            print(f"{name:9} 127.0.0.1:{state.port(name)}  {time.monotonic() - begun:.1f} s")


def down(state: StateFolder, names: list[str]) -> None:
    """Stop what runs, in the reverse order."""
    for name in reversed([*parts.PARTS, *parts.ON_DEMAND]):
        if name in names:
            state.stop(name)


def purge(state: StateFolder) -> None:
    """Remove all data of a stack that is down."""
    shutil.rmtree(parts.postgres_data(state), ignore_errors=True)
    shutil.rmtree(state.root, ignore_errors=True)


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "env", "psql"])
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(parts.PARTS)}; none: all")
    parser.add_argument("--state-dir", type=Path, default=Path(".local-stack"))
    parser.add_argument("--purge", action="store_true", help="with down: remove the data too")
    given = parser.parse_args()
    state = StateFolder(given.state_dir)
    names = given.parts or [*parts.PARTS]
    try:
        if given.command == "up":
            up(state, names)
        elif given.command == "down":
            down(state, given.parts or [*parts.PARTS, *parts.ON_DEMAND])
            if given.purge:
                purge(state)
        elif given.command == "psql":
            print(parts.psql(state, sys.stdin.read()))
        elif given.command == "env":
            print("\n".join(f"export {name}={value}" for name, value in settings(state).items()))
        else:
            for name in (*parts.PARTS, *parts.ON_DEMAND):
                pid = state.running(name)
                print(f"{name:9} 127.0.0.1:{state.port(name)}  {pid or 'down'}")
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
