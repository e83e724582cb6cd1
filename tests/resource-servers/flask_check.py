"""Starts the Flask app and sends the tokens to it over HTTP."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import verdicts

bench, without = verdicts.bench()
command = [sys.executable, Path(__file__).with_name("flask_app.py")]
for option in ("public_key", "issuer", "audience"):
    command += [f"--{option.replace('_', '-')}", bench[option]]
if without:
    command += ["--without", without]


def subject_of(token: str) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)["user"]
    except urllib.error.HTTPError as error:
        # Flask-JWT-Extended responds 401 for an expired token and 422 for one that it cannot trust.
        if error.code in (401, 422):
            raise verdicts.Rejected(f"{error.code} {json.load(error)['msg']}") from error
        raise


with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as app:
    assert app.stdout
    try:
        url = app.stdout.readline().strip()
        verdicts.show(bench["tokens"], subject_of)
    finally:
        app.terminate()
