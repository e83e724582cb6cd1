"""Writes copies of a document with one change each: python changes.py DOCUMENT FOLDER

FOLDER/faults holds documents that a linter must reject, FOLDER/breaks holds later versions that break clients of the
document, and FOLDER/additions holds later versions that do not.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from document import read

JSON = "application/json"
PROBLEM = "application/problem+json"


class Document:
    """A document that is being changed."""

    def __init__(self, raw: dict[str, Any]) -> None:
        """Take a copy."""
        self.raw = copy.deepcopy(raw)
        self.paths: dict[str, Any] = self.raw["paths"]
        self.components: dict[str, Any] = self.raw["components"]
        self.schemas: dict[str, Any] = self.components["schemas"]
        self.login = self.paths["/login"]["post"]
        self.register = self.paths["/register"]["post"]
        self.me = self.paths["/me"]["get"]
        self.request = self.schemas["RegisterRequest"]
        self.response = self.schemas["UserResponse"]

    def require(self, schema: dict[str, Any], name: str) -> None:
        """Add a required member to a schema."""
        schema["properties"][name] = {"type": "string"}
        schema["required"].append(name)

    def drop(self, schema: dict[str, Any], name: str) -> None:
        """Remove a member from a schema."""
        del schema["properties"][name]
        schema["required"].remove(name)

    def parameter(self, **more: Any) -> None:
        """Add a query parameter to an operation."""
        parameter = {"name": "verbose", "in": "query", "schema": {"type": "string"}, **more}
        self.me.setdefault("parameters", []).append(parameter)

    def operation(self, **more: Any) -> None:
        """Add an operation."""
        self.paths["/me"]["put"] = {**copy.deepcopy(self.me), "operationId": "putMe", **more}

    def rename(self, before: str, after: str) -> None:
        """Rename a schema of the responses."""
        self.schemas[after] = self.schemas.pop(before)
        self.schemas["JwksResponse"]["properties"]["keys"]["items"] = {"$ref": f"#/components/schemas/{after}"}

    def retype(self, content: dict[str, Any], before: str, after: str) -> None:
        """Replace a media type."""
        content[after] = content.pop(before)


Change = Callable[[Document], object]

FAULTS: dict[str, Change] = {
    "a response without a description": lambda d: d.me["responses"]["200"].pop("description"),
    "an example that does not match its schema": lambda d: d.register["requestBody"]["content"][JSON].update(example={}),
    "a schema that nothing uses": lambda d: d.schemas.update(Unused={"type": "object"}),
}

BREAKS: dict[str, Change] = {
    "a path is removed": lambda d: d.paths.pop("/me"),
    "a method is removed": lambda d: d.paths["/me"].pop("get"),
    "an operation is renamed": lambda d: d.me.update(operationId="readMe"),
    "an operation changes its tag": lambda d: d.me.update(tags=["Login"]),
    "an operation requires a token": lambda d: d.register.update(security=[{"access_token": []}]),
    "a required parameter is added": lambda d: d.parameter(required=True),
    "a required member of a request is added": lambda d: d.require(d.request, "colour"),
    "a member of a request is removed": lambda d: d.drop(d.request, "password"),
    "a member of a request changes its type": lambda d: d.request["properties"]["password"].update(type="integer"),
    "a maximum length is reduced": lambda d: d.request["properties"]["username"].update(maxLength=40),
    "a minimum length is raised": lambda d: d.request["properties"]["password"].update(minLength=12),
    "a pattern changes": lambda d: d.request["properties"]["username"].update(pattern="^[a-z]+$"),
    "a pattern is added": lambda d: d.request["properties"]["password"].update(pattern="[0-9]"),
    "a member of a request becomes an enum": lambda d: d.request["properties"]["username"].update(enum=["a"]),
    "a request changes its media type": lambda d: d.retype(d.register["requestBody"]["content"], JSON, "text/json"),
    "a member of a response is removed": lambda d: d.drop(d.response, "created_at"),
    "a member of a response becomes optional": lambda d: d.response["required"].remove("created_at"),
    "an optional member of a response is removed": lambda d: d.schemas["Problem"]["properties"].pop("errors"),
    "a member of a response changes its type": lambda d: d.response["properties"]["created_at"].update(
        {"type": "integer", "format": "int64"}
    ),
    "a member of a response becomes nullable": lambda d: d.response["properties"]["username"].update(nullable=True),
    "a response changes its media type": lambda d: d.retype(d.me["responses"]["200"]["content"], JSON, "text/json"),
    "a header of a response is removed": lambda d: d.register["responses"]["201"]["headers"].pop("Location"),
    "the success status changes": lambda d: d.retype(d.register["responses"], "201", "200"),
    "a status is removed": lambda d: d.register["responses"].pop("403"),
    "a schema is renamed": lambda d: d.rename("JwkResponse", "KeyResponse"),
    "a problem code is removed": lambda d: d.register["x-problem-codes"]["400"].pop(),
    "the security scheme changes": lambda d: d.components["securitySchemes"].update(
        access_token={"type": "http", "scheme": "basic"}
    ),
}

ADDITIONS: dict[str, Change] = {
    "no change": lambda d: None,
    "an operation": lambda d: d.operation(),
    "a path": lambda d: d.paths.update({"/new": {"get": {**copy.deepcopy(d.me), "operationId": "new"}}}),
    "an optional parameter": lambda d: d.parameter(),
    "an optional member of a request": lambda d: d.request["properties"].update(colour={"type": "string"}),
    "a larger maximum length": lambda d: d.request["properties"]["username"].update(maxLength=100),
    "a smaller minimum length": lambda d: d.schemas["RegisterRequest"]["properties"]["password"].update(minLength=4),
    "an optional member of a response": lambda d: d.response["properties"].update(colour={"type": "string"}),
    "a required member of a response": lambda d: d.require(d.response, "colour"),
    "a header of a response": lambda d: d.me["responses"]["200"]["headers"].update(
        {"X-New": {"schema": {"type": "string"}}}
    ),
    "a failure status": lambda d: d.me["responses"].update(
        {"409": {"description": "x", "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}}
    ),
    "a problem code": lambda d: d.register["x-problem-codes"]["400"].append("new_code"),
    "a link": lambda d: d.login["responses"]["200"].setdefault("links", {}).update(me={"operationId": "getMe"}),
    "other wording": lambda d: d.me.update(summary="Look at yourself", description="At your user."),
    "other examples": lambda d: d.register["requestBody"]["content"][JSON]["example"].update(username="jane"),
}


def main(document: str, folder: str) -> None:
    """Write all of them, named after the change."""
    raw = read(document)
    for kind, changes in {"faults": FAULTS, "breaks": BREAKS, "additions": ADDITIONS}.items():
        (Path(folder) / kind).mkdir(parents=True)
        for name, change in changes.items():
            changed = Document(raw)
            change(changed)
            text = json.dumps(changed.raw, indent=2, ensure_ascii=False)
            (Path(folder) / kind / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
