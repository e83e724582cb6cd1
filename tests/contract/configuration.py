"""Prints the Schemathesis settings for a document: python configuration.py SETTINGS DOCUMENT"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

from document import operations, read


def main(settings: str, document: str) -> None:
    """Allow 422 where a password that the policy rejects still matches its schema."""
    text = Path(settings).read_text(encoding="utf-8")
    accepted = tomllib.loads(text)["checks"]["positive_data_acceptance"]["expected-statuses"]
    print(text)
    for operation in operations(read(document)):
        if operation.declares("password_rejected"):
            print("[[operations]]")
            print(f"include-operation-id = {json.dumps(operation.id)}")
            print(f"checks.positive_data_acceptance.expected-statuses = {json.dumps([*accepted, '422'])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
