"""Hooks of Schemathesis: users with real tokens and sessions, closed response schemas, and counts of the responses.

CONTRACT_SERVICE is the service's URL, and CONTRACT_COUNTS is the file for the counts.
"""

from __future__ import annotations

import atexit
import base64
import itertools
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
import schemathesis
from schemathesis import AuthContext, BaseSchema, Case, GenerationMode, HookContext, Response
from schemathesis.filters import HasAPIOperation

sys.path.append(str(Path(__file__).parent))

from document import checks_password, ends_session, forbid_undeclared_members, needs_token, operations

# Shorter than the lifetime of an access token, and longer than a run.
TOKEN_LIFETIME = 3000
TIMEOUT = 30

numbers = itertools.count(1)
# The number of valid requests to each operation.
turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
responses: Counter[tuple[str, int]] = Counter()


class Users:
    """Creates users as the examples of the document do."""

    def __init__(self, service: str, document: dict[str, Any]) -> None:
        """Take the paths and the example from the document."""
        by_id = {operation.id: operation for operation in operations(document)}
        self.register_url = urljoin(service, by_id["register"].path)
        self.login_url = urljoin(service, by_id["login"].path)
        self.example = by_id["register"].raw["requestBody"]["content"]["application/json"]["example"]

    def register(self, **members: str) -> dict[str, str]:
        """Register the user of the example, or one that differs from it."""
        user = {**self.example, **members}
        requests.post(self.register_url, json=user, timeout=TIMEOUT).raise_for_status()
        return user

    def new_tokens(self) -> dict[str, Any]:
        """Register another user with the example's password, and log in."""
        user = self.register(username=f"{self.example['username']}-{next(numbers)}")
        credentials = {name: user[name] for name in ("username", "password")}
        response = requests.post(self.login_url, json=credentials, timeout=TIMEOUT)
        response.raise_for_status()
        tokens: dict[str, Any] = response.json()
        return tokens


users: Users


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Forbid undeclared members in responses."""
    forbid_undeclared_members(raw_schema)


@schemathesis.hook
def after_load_schema(context: HookContext, schema: BaseSchema) -> None:
    """Register the user of the examples, so that the documented login succeeds."""
    global users
    users = Users(os.environ["CONTRACT_SERVICE"], schema.raw_schema)
    users.register()


class Token:
    """The token of a new user."""

    def get(self, case: Case[Any], context: AuthContext) -> str:
        """Create the user."""
        token: str = users.new_tokens()["access_token"]
        return token

    def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
        """Send the user's token."""
        case.headers["Authorization"] = f"Bearer {data}"


def shares_user(context: HasAPIOperation) -> bool:
    """Whether all requests to an operation can share one user."""
    raw = context.operation.definition.raw
    return needs_token(raw) and not (ends_session(raw) or checks_password(raw))


def has_own_user(context: HasAPIOperation) -> bool:
    """Whether each request needs its own user, because it may end the session or change the password."""
    raw = context.operation.definition.raw
    return needs_token(raw) and (ends_session(raw) or checks_password(raw))


# A valid token that is rejected must not be silently replaced.
schemathesis.auth(refresh_interval=TOKEN_LIFETIME, retry_on=[]).apply_to(shares_user)(Token)
schemathesis.auth(refresh_interval=None).apply_to(has_own_user)(Token)


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Give every other valid request what only the service or the user knows: tokens, session IDs and passwords."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if next(turns[case.operation.label]) % 2:
        return
    if isinstance(case.body, dict):
        if "refresh_token" in case.body:
            case.body = {**case.body, "refresh_token": users.new_tokens()["refresh_token"]}
        if "current_password" in case.body:
            case.body = {**case.body, "current_password": users.example["password"]}
    token = (case.headers or {}).get("Authorization", "").removeprefix("Bearer ")
    if "session_id" in case.path_parameters and token:
        case.path_parameters = {**case.path_parameters, "session_id": session_of(token)}


def session_of(token: str) -> str:
    """Read the session ID in an access token."""
    claims = token.split(".")[1]
    session: str = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sid"]
    return session


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Count the response, unless the request used a method that the operation's path does not have."""
    if case.method.upper() == case.operation.method.upper():
        responses[case.operation.definition.raw["operationId"], response.status_code] += 1


@atexit.register
def write_counts() -> None:
    """Write the counts: operation, status, number."""
    rows = [[operation, status, number] for (operation, status), number in sorted(responses.items())]
    Path(os.environ["CONTRACT_COUNTS"]).write_text(json.dumps(rows), encoding="utf-8")
