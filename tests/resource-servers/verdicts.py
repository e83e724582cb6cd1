"""Sends every token to a verifier and prints its verdicts."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Rejected(Exception):
    """The verifier rejected the token in its documented way."""


def bench() -> tuple[dict[str, Any], str | None]:
    """Return the file that the first argument names, and the check that `--without` disables."""
    without = sys.argv[3] if sys.argv[2:3] == ["--without"] else None
    return json.loads(Path(sys.argv[1]).read_text()), without


def show(tokens: dict[str, str], subject_of: Callable[[str], str]) -> None:
    """Print the verdicts. Anything but a subject or `Rejected` means a broken verifier, which proves nothing."""
    for name, token in tokens.items():
        try:
            print(f"accepted: {name}: {subject_of(token)}")
        except Rejected as reason:
            print(f"rejected: {name}: {reason}")
        except Exception as error:
            print(f"broken: {name}: {error!r}")
