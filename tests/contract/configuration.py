"""Prints the settings of schemathesis for a document: python configuration.py SETTINGS DOCUMENT"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

from document import operations, read


def main(settings: str, document: str) -> None:
    """A password that the policy rejects satisfies its schema: the one ground for 422."""
    text = Path(settings).read_text(encoding="utf-8")
    accepted = tomllib.loads(text)["checks"]["positive_data_acceptance"]["expected-statuses"]
    print(text)
    for operation in operations(read(document)):
        if operation.answers("password_rejected"):
            print("[[operations]]")
            print(f"include-operation-id = {json.dumps(operation.id)}")
            print(f"checks.positive_data_acceptance.expected-statuses = {json.dumps([*accepted, '422'])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
