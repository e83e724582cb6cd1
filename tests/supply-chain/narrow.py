"""Reduces a CycloneDX document to the crates that were compiled, and removes the path of the sources:
python narrow.py MESSAGES <DOCUMENT

cargo-cyclonedx lists everything a feature could need. MESSAGES, from `cargo build --message-format json`, lists what was built.
"""

import json
import re
import sys
from pathlib import Path


def compiled(messages: str) -> set[tuple[str, str]]:
    """Return the names and versions of the crates that Cargo compiled."""
    found = set()
    for line in messages.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact":
            place, _, crate = message["package_id"].rpartition("#")
            name, _, version = crate.rpartition("@")
            found.add((name or place.rpartition("/")[2], version))
    return found


def narrow(document: dict, crates: set[tuple[str, str]]) -> dict:
    components = [part for part in document["components"] if (part["name"], part["version"]) in crates]
    kept = {part["bom-ref"] for part in components} | {document["metadata"]["component"]["bom-ref"]}
    dependencies = []
    for entry in document["dependencies"]:
        if entry["ref"] in kept:
            needed = [ref for ref in entry.get("dependsOn", []) if ref in kept]
            dependencies.append({"ref": entry["ref"], **({"dependsOn": needed} if needed else {})})
    return {**document, "components": components, "dependencies": dependencies}


def main(messages: str) -> None:
    document = narrow(json.load(sys.stdin), compiled(Path(messages).read_text(encoding="utf-8")))
    own = document["metadata"]["component"]
    text = json.dumps(document, indent=2, ensure_ascii=False)
    text = text.replace(own["bom-ref"], f"workspace#{own['name']}@{own['version']}")
    text = text.replace(own["bom-ref"].partition("#")[0], "workspace")
    print(re.sub(r"\?download_url=file://[^\"#]*", "", text))


if __name__ == "__main__":
    main(*sys.argv[1:])
