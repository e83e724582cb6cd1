"""Reads the document for the contract suite: its operations, and the schemas of its responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    id: str
    method: str
    path: str
    raw: dict[str, Any]

    def declares(self, code: str) -> bool:
        """Whether the operation declares a problem code."""
        return declares(self.raw, code)


def read(path: str) -> dict[str, Any]:
    """Read a document from a JSON file."""
    document: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return document


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Yield every operation, in the order of the document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(item[method]["operationId"], method.upper(), path, item[method])


def needs_token(operation: dict[str, Any]) -> bool:
    """Whether an operation requires a token."""
    return bool(operation["security"])


def ends_session(operation: dict[str, Any]) -> bool:
    """Whether an operation ends the caller's session or deletes the user."""
    return bool(operation.get("x-ends-session"))


def checks_password(operation: dict[str, Any]) -> bool:
    """Whether an operation checks the caller's password."""
    return declares(operation, "invalid_credentials")


def declares(operation: dict[str, Any], code: str) -> bool:
    """Whether an operation declares a problem code."""
    return any(code in codes for codes in operation["x-problem-codes"].values())


def forbid_undeclared_members(document: dict[str, Any]) -> None:
    """Forbid members that the schemas of responses do not declare.

    The document leaves response objects open for its clients, but the service must not send undeclared members.
    """
    seen: set[str] = set()
    for operation in operations(document):
        for response in operation.raw["responses"].values():
            response = _resolve(response, document)
            for media in response.get("content", {}).values():
                _close(media.get("schema", {}), document, seen)


def _resolve(value: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return the component that a reference names, or the value itself."""
    if (reference := value.get("$ref")) is None:
        return value
    _, _, kind, name = reference.split("/")
    component: dict[str, Any] = document["components"][kind][name]
    return component


def _close(schema: dict[str, Any], document: dict[str, Any], seen: set[str]) -> None:
    if (reference := schema.get("$ref")) is not None:
        if reference not in seen:
            seen.add(reference)
            _close(_resolve(schema, document), document, seen)
        return
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for member in schema.get("properties", {}).values():
        _close(member, document, seen)
    for one_of_many in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        _close(one_of_many, document, seen)
    if "items" in schema:
        _close(schema["items"], document, seen)
