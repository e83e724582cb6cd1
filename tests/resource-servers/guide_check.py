"""Runs the Python program of docs/api.md as the resource server, with the address of the bench's service.

Like the other checks: python3 guide_check.py BENCH [--without CHECK], from the root of the repository.
"""

import re
from pathlib import Path

import verdicts

def program(jwks_url: str, without: str | None) -> str:
    """The source of the one Python block in the guide, without one of its checks."""
    guide = Path("docs/api.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```$", guide, re.M | re.S)
    address = '"http://localhost:5000/.well-known/jwks.json"'
    assert source.count(address) == 1
    source = source.replace(address, repr(jwks_url))
    if without == "issuer":
        return changed(source, "issuer=ISSUER,", "")
    if without == "audience":
        return changed(source, "options={", 'options={"verify_aud": False, ')
    if without == "times":
        return changed(source, "leeway=10,", "leeway=1_000_000,")
    return source


def changed(source: str, old: str, new: str) -> str:
    assert source.count(old) == 1, old
    return source.replace(old, new)


bench, without = verdicts.bench()
guide = {"__name__": "guide"}
exec(compile(program(bench["jwks_url"], without), "docs/api.md", "exec"), guide)
assert (guide["ISSUER"], guide["AUDIENCE"]) == (bench["issuer"], bench["audience"])


def subject_of(token: str) -> str:
    try:
        return guide["verify"](token)["sub"]
    except guide["jwt"].PyJWTError as error:
        raise verdicts.Rejected(error) from error


verdicts.show(bench["tokens"], subject_of)
