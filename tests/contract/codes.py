"""Fails if an operation no longer declares a problem code that it had: python codes.py RELEASED DOCUMENT

Clients branch on the codes, and no OpenAPI tool checks them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from document import operations


def codes(document: str) -> set[tuple[str, str, str]]:
    """Return the operation, status and code of every problem."""
    raw = yaml.safe_load(Path(document).read_text(encoding="utf-8"))
    return {
        (operation.id, status, code)
        for operation in operations(raw)
        for status, names in operation.raw["x-problem-codes"].items()
        for code in names
    }


if __name__ == "__main__":
    lost = sorted(codes(sys.argv[1]) - codes(sys.argv[2]))
    for operation_id, status, code in lost:
        print(f"{operation_id}: {status} {code} was removed")
    sys.exit(bool(lost))
