"""Coverage-guided fuzzing of every target: `make fuzz SECONDS=60`.

Each target runs in a process of its own for an equal share of the time. A finding is printed with
its bytes, and the exit code is 1; give the printed base64 to `--input` to see it again.
"""

from __future__ import annotations

import argparse
import base64
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
_STATS = re.compile(r"^stat::number_of_executed_units:\s+(\d+)", re.MULTILINE)
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")


def main() -> None:
    """Fuzz all targets, one target (in this process), or try one input."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--target")
    options.add_argument("--input", help="base64 of one input of --target")
    options.add_argument("libfuzzer", nargs="*")
    given = options.parse_args()
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
    if given.input is not None:
        from hostile.targets import TARGETS

        sys.stdout.write(f"{TARGETS[given.target](base64.b64decode(given.input))}\n")
    elif given.target is not None:
        _run(given.target, given.libfuzzer)
    else:
        sys.exit(_all(given.seconds))


def _run(name: str, arguments: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["cdc_archive"]):
        from hostile.targets import TARGETS
    target = TARGETS[name]
    atheris.Setup([sys.argv[0], *arguments], lambda data: target(data) and None)
    atheris.Fuzz()


def _all(seconds: float) -> int:
    from hostile.targets import TARGETS, seeds

    share = max(1, round(seconds / len(TARGETS)))
    failed = 0
    for name in TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            for number, seed in enumerate(seeds(name)):
                (Path(folder) / f"seed-{number}").write_bytes(seed)
            failed += _one(name, share, folder)
    return min(failed, 1)


def _one(name: str, share: int, folder: str) -> int:
    command = [sys.executable, __file__, "--target", name, "--", folder]
    limits = [f"-max_total_time={share}", "-max_len=20000", "-rss_limit_mb=1024", "-timeout=20"]
    more = ["-print_final_stats=1", f"-artifact_prefix={folder}/found-", "-seed=1"]
    done = subprocess.run([*command, *limits, *more], capture_output=True, check=False)
    told = done.stderr.decode("utf-8", "replace") + done.stdout.decode("utf-8", "replace")
    runs = _STATS.findall(told)
    coverage = _COVERAGE.findall(told)
    edges, features = coverage[-1] if coverage else ("?", "?")
    sys.stdout.write(
        f"{name:16} {runs[-1] if runs else '?':>8} runs  {edges:>6} edges  {features:>6} features\n"
    )
    if done.returncode == 0:
        return 0
    sys.stdout.write(told[-6000:])
    for found in Path(folder).glob("found-*"):
        sys.stdout.write(f"--target {name} --input {base64.b64encode(found.read_bytes())!r}\n")
    return 1


if __name__ == "__main__":
    main()
