"""A round trip with the client of openapi-python-client: python3 program.py URL live|stub"""

import sys
import uuid

from vestibule_client import AuthenticatedClient, Client
from vestibule_client.api.account import get_me, register
from vestibule_client.api.login import login
from vestibule_client.models import LoginRequest, Problem, RegisterRequest, TokenResponse, UserResponse

PASSWORD = "my_password"
REFUSALS = {"live": "invalid_credentials", "stub": "made_up_code"}


def main(url: str, refusal: str) -> None:
    username = f"sdk-{uuid.uuid4()}"
    client = Client(base_url=url)

    registered = register.sync(client=client, body=RegisterRequest(username=username, password=PASSWORD))
    assert isinstance(registered, UserResponse), registered
    equal("the user name of the answer to /register", registered.username, username)

    tokens = login.sync(client=client, body=LoginRequest(username=username, password=PASSWORD))
    assert isinstance(tokens, TokenResponse), tokens
    equal("the token type", tokens.token_type, "Bearer")

    me = get_me.sync(client=AuthenticatedClient(base_url=url, token=tokens.access_token))
    assert isinstance(me, UserResponse), me
    equal("the user name of the answer to /me", me.username, username)

    refused = login.sync_detailed(client=client, body=LoginRequest(username=username, password="not_my_password"))
    equal("the status of a login with a wrong password", refused.status_code, 401)
    problem = refused.parsed
    assert isinstance(problem, Problem), problem
    equal("the code of the problem", problem.code, refusal)


def equal(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        sys.exit(f"{what} is {got!r}, not {wanted!r}")


if len(sys.argv) != 3 or sys.argv[2] not in REFUSALS:
    sys.exit(__doc__)
main(sys.argv[1], REFUSALS[sys.argv[2]])
