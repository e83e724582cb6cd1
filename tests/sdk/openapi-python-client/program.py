"""A round trip with the client of openapi-python-client: python3 program.py URL live|stub"""

import sys
import uuid

from vestibule_client import AuthenticatedClient, Client
from vestibule_client.api.account import get_me, register
from vestibule_client.api.login import login, refresh_token
from vestibule_client.api.sessions import list_sessions, logout
from vestibule_client.models import (
    LoginRequest,
    Problem,
    RefreshTokenRequest,
    RegisterRequest,
    SessionsResponse,
    TokenResponse,
    UserResponse,
)
from vestibule_client.types import Response

PASSWORD = "my_password"
# The problem codes of a rejected login and a rejected refresh.
REJECTION_CODES = {"live": ("invalid_credentials", "invalid_token"), "stub": ("made_up_code", "made_up_code")}


def main(url: str, login_code: str, refresh_code: str) -> None:
    username = f"sdk-{uuid.uuid4()}"
    client = Client(base_url=url)

    registered = register.sync(client=client, body=RegisterRequest(username=username, password=PASSWORD))
    assert isinstance(registered, UserResponse), registered
    equal("the user name of the response to /register", registered.username, username)

    tokens = login.sync(client=client, body=LoginRequest(username=username, password=PASSWORD))
    assert isinstance(tokens, TokenResponse), tokens
    equal("the token type", tokens.token_type, "Bearer")

    me = get_me.sync(client=AuthenticatedClient(base_url=url, token=tokens.access_token))
    assert isinstance(me, UserResponse), me
    equal("the user name of the response to /me", me.username, username)

    renewed = refresh_token.sync(client=client, body=RefreshTokenRequest(refresh_token=tokens.refresh_token))
    assert isinstance(renewed, TokenResponse), renewed
    equal("whether the refresh token is new", renewed.refresh_token != tokens.refresh_token, True)

    signed_in = AuthenticatedClient(base_url=url, token=renewed.access_token)
    me_again = get_me.sync(client=signed_in)
    assert isinstance(me_again, UserResponse), me_again
    equal("the user name of the response to /me after the refresh", me_again.username, username)

    sessions = list_sessions.sync(client=signed_in)
    assert isinstance(sessions, SessionsResponse), sessions
    equal("whether one of the sessions is current", any(session.current for session in sessions.items), True)

    logged_out = logout.sync_detailed(client=signed_in)
    equal("the status of a logout", logged_out.status_code, 204)

    newest = RefreshTokenRequest(refresh_token=renewed.refresh_token)
    expect_rejection("a refresh after the logout", refresh_token.sync_detailed(client=client, body=newest), refresh_code)

    wrong = LoginRequest(username=username, password="not_my_password")
    expect_rejection("a login with a wrong password", login.sync_detailed(client=client, body=wrong), login_code)


def expect_rejection(what: str, rejected: Response[Problem | TokenResponse], code: str) -> None:
    equal(f"the status of {what}", rejected.status_code, 401)
    problem = rejected.parsed
    assert isinstance(problem, Problem), problem
    equal(f"the code of {what}", problem.code, code)


def equal(what: str, got: object, wanted: object) -> None:
    if got != wanted:
        sys.exit(f"{what} is {got!r}, not {wanted!r}")


if len(sys.argv) != 3 or sys.argv[2] not in REJECTION_CODES:
    sys.exit(__doc__)
main(sys.argv[1], *REJECTION_CODES[sys.argv[2]])
