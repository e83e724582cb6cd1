"""Adds a pattern beside each format `date-time` and `uuid` of an OpenAPI document, as an earlier version had them.

    python3 patterned.py <openapi.json >patterned.json
"""

import json
import sys

PATTERNS = {
    "date-time": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}


def add_pattern(schema: dict[str, object]) -> dict[str, object]:
    if schema.get("type") == "string" and schema.get("format") in PATTERNS:
        return schema | {"pattern": PATTERNS[str(schema["format"])]}
    return schema


json.dump(json.load(sys.stdin, object_hook=add_pattern), sys.stdout)
