"""Fails if a CycloneDX document omits a crate that the binary needs, lists one that neither the binary nor its build
needs, or lacks the version, licence, digest or source of a crate: python sbom.py DOCUMENT NEEDED BUILT

NEEDED is the output of `cargo tree` for normal dependencies, BUILT also includes those of build scripts.
"""

import json
import re
import sys
from pathlib import Path

INDEX = "registry+https://github.com/rust-lang/crates.io-index#"
OWN = {"vestibule", "migration"}


def crates(file: str) -> set[tuple[str, str]]:
    """Return the names and versions of the crates in a tree."""
    return set(re.findall(r"^(\S+) v(\S+)", Path(file).read_text(encoding="utf-8"), re.M))


def wrong_names(parts: list[dict], needed: set, built: set) -> list[str]:
    named = [(part["name"], part["version"]) for part in parts]
    return [
        *(f"{name} {version} is needed but not listed" for name, version in needed - set(named)),
        *(f"{name} {version} is listed but not needed" for name, version in set(named) - built),
        *(f"{name} {version} is listed twice" for name, version in set(named) if named.count((name, version)) > 1),
    ]


def wrong_part(part: dict) -> list[str]:
    name, own, found = part["name"], part["name"] in OWN, []
    if not any(licence.get("expression") for licence in part.get("licenses", [])):
        found.append(f"{name} has no licence")
    if not own and not re.fullmatch("[0-9a-f]{64}", part.get("hashes", [{}])[0].get("content", "")):
        found.append(f"{name} has no digest")
    if not part["bom-ref"].startswith("workspace" if own else INDEX):
        found.append(f"{name} comes from {part['bom-ref']}")
    if part["purl"].partition("#")[0] != f"pkg:cargo/{name}@{part['version']}":
        found.append(f"{name} has the package URL {part['purl']}")
    return found


def main(file: str, needed: str, built: str) -> int:
    document = json.loads(Path(file).read_text(encoding="utf-8"))
    parts = [document["metadata"]["component"], *document["components"]]
    found = wrong_names(parts, crates(needed), crates(built))
    found += [fault for part in parts for fault in wrong_part(part)]
    refs = {part["bom-ref"] for part in parts}
    for entry in document["dependencies"]:
        found += [f"{ref} is a dependency but not listed" for ref in {entry["ref"], *entry.get("dependsOn", [])} - refs]
    print(*found, f"{len(parts)} crates, {len(found)} faults", sep="\n")
    return 1 if found or not crates(needed) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
