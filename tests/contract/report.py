"""Evaluates the results of a Schemathesis run.

python report.py phases RESULT              fails unless every phase ran
python report.py successes DOCUMENT COUNTS  prints the responses of each operation; fails if one never succeeded
python report.py failure RESULT TYPE        fails unless the run found failures of this type, and nothing else
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from document import operations, read

PHASES = {"examples", "coverage", "fuzzing", "stateful"}


def phases(result: str) -> bool:
    """Print the status of each phase. A phase without work counts as skipped, which is a failure."""
    ended = {name: phase["status"] for name, phase in read(result)["phases"].items()}
    for name, status in ended.items():
        print(f"{name:<10} {status}")
    return ended.keys() == PHASES and "skip" not in ended.values()


def successes(document: str, counts: str) -> bool:
    """Print a row for each operation. Whether all of them succeeded at least once."""
    rows: list[tuple[str, int, int]] = json.loads(Path(counts).read_text(encoding="utf-8"))
    complete = True
    print(f"{'operation':<32}{'cases':>8}{'2xx':>8}   responses")
    for operation in operations(read(document)):
        responses = {status: number for name, status, number in rows if name == operation.id}
        succeeded = sum(number for status, number in responses.items() if status // 100 == 2)
        listed = " ".join(f"{status}x{number}" for status, number in responses.items())
        print(f"{operation.id:<32}{sum(responses.values()):>8}{succeeded:>8}   {listed}")
        complete = complete and succeeded > 0
    return complete


def failure(result: str, expected: str) -> bool:
    """Whether the run was complete and found exactly the expected failures."""
    run = read(result)
    types = {found["type"] for found in run["failures"]}
    print(*sorted(types), *run["errors"])
    return bool(run["complete"]) and types == {expected} and not run["errors"]


if __name__ == "__main__":
    judges: dict[str, Callable[..., bool]] = {"phases": phases, "successes": successes, "failure": failure}
    sys.exit(not judges[sys.argv[1]](*sys.argv[2:]))
