"""Fails if an allowed duplicate is attributed to a crate that does not need it:
python duplicates.py .deny.toml Cargo.lock"""

import sys
import tomllib
from pathlib import Path


def needed_by(lock: dict, name: str, version: str) -> set[str]:
    """Return the crates that need this version, or one that begins with it."""
    versions = [package["version"] for package in lock["package"] if package["name"] == name]
    ours = {v for v in versions if v == version or v.startswith(f"{version}.")}
    found = set()
    for package in lock["package"]:
        for needed in package.get("dependencies", []):
            words = needed.split()
            if words[0] == name and (words[1] in ours if len(words) > 1 else len(versions) == 1 and ours):
                found.add(package["name"])
    return found


def main(deny: str, locked: str) -> int:
    skipped = tomllib.loads(Path(deny).read_text(encoding="utf-8"))["bans"]["skip"]
    lock = tomllib.loads(Path(locked).read_text(encoding="utf-8"))
    wrong = 0
    for entry in skipped:
        name, _, version = entry["crate"].partition("@")
        named = set(entry.get("reason", "").removesuffix(" and more").split(", "))
        if strangers := named - needed_by(lock, name, version):
            wrong += 1
            print(f"{entry['crate']} is not needed by {', '.join(sorted(strangers)) or 'any listed crate'}")
    print(f"{len(skipped)} duplicates, {wrong} with a wrong reason")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
