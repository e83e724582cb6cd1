"""Shows every token of the bench to a verifier and prints what it made of each."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Refused(Exception):
    """The verifier's own, documented way to turn a token down."""


def bench() -> tuple[dict[str, Any], str | None]:
    """The file that the first argument names, and the check that `--without` takes away."""
    without = sys.argv[3] if sys.argv[2:3] == ["--without"] else None
    return json.loads(Path(sys.argv[1]).read_text()), without


def show(tokens: dict[str, str], subject_of: Callable[[str], str]) -> None:
    """Anything but a subject or `Refused` is a broken verifier, which proves nothing."""
    for name, token in tokens.items():
        try:
            print(f"accepted: {name}: {subject_of(token)}")
        except Refused as reason:
            print(f"refused: {name}: {reason}")
        except Exception as error:
            print(f"broken: {name}: {error!r}")
