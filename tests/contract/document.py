"""What the gates read in the document: its operations, and the schemas of its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True)
class Operation:
    """One operation as the document has it."""

    id: str
    method: str
    path: str
    raw: dict[str, Any]

    def answers(self, code: str) -> bool:
        """Whether the operation declares a problem code."""
        return any(code in response.get("x-problem-codes", ()) for response in self.raw["responses"].values())


def read(path: str) -> dict[str, Any]:
    """Read a document from a JSON file."""
    document: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return document


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every operation, in the order of the document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(item[method]["operationId"], method.upper(), path, item[method])


def needs_token(operation: dict[str, Any]) -> bool:
    """Whether an operation answers to nobody without a token."""
    return bool(operation["security"])


def ends_session(operation: dict[str, Any]) -> bool:
    """Whether an operation ends the caller's session or account."""
    return bool(operation.get("x-ends-session"))


def checks_password(operation: dict[str, Any]) -> bool:
    """Whether an operation asks for the password of whoever calls it."""
    codes = (response.get("x-problem-codes", ()) for response in operation["responses"].values())
    return any("invalid_credentials" in of_status for of_status in codes)


def close_answers(document: dict[str, Any]) -> None:
    """Forbid the members that the schemas of answers do not name.

    The document leaves them open for the sake of its clients; the service sends no others all the same.
    """
    seen: set[str] = set()
    for operation in operations(document):
        for response in operation.raw["responses"].values():
            for media in response.get("content", {}).values():
                _close(media.get("schema", {}), document, seen)


def _close(schema: dict[str, Any], document: dict[str, Any], seen: set[str]) -> None:
    if (reference := schema.get("$ref")) is not None:
        if reference not in seen:
            seen.add(reference)
            _close(document["components"]["schemas"][reference.rsplit("/", 1)[1]], document, seen)
        return
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for member in schema.get("properties", {}).values():
        _close(member, document, seen)
    for one_of_many in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        _close(one_of_many, document, seen)
    if "items" in schema:
        _close(schema["items"], document, seen)
