"""Simulates a later release of the service, whose responses have a field and a `code` that no client knows.

    python3 stub.py [--without-token | --same-refresh-token]

prints its URL and serves until it is stopped. With --without-token, responses with tokens have no access token. With
--same-refresh-token, they all have the same refresh token.
"""

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

fault = "".join(sys.argv[1:])
if fault not in ("", "--without-token", "--same-refresh-token"):
    sys.exit(__doc__)

MADE_UP = {"made_up_field": {"made": ["up"]}}

# Passwords by user name. /me returns the user who was registered last.
users: dict[str, str] = {}
# The newest tokens, the only ones that are accepted. Empty before a login and after a logout.
session: dict[str, str] = {}


def user() -> dict[str, object]:
    return {
        "id": str(uuid.uuid4()),
        "username": list(users)[-1],
        "created_at": "2030-01-01T00:00:00Z",
    }


def next_tokens() -> dict[str, object]:
    access, refresh = uuid.uuid4().hex, uuid.uuid4().hex
    if fault == "--same-refresh-token":
        refresh = "same"
    session["access_token"] = f"made.up.{access}"
    session["refresh_token"] = f"vst_r_{refresh}"
    tokens = session | {"token_type": "Bearer", "expires_in": 600, "refresh_expires_in": 1209600}
    if fault == "--without-token":
        del tokens["access_token"]
    return tokens


def sessions() -> dict[str, object]:
    live = {
        "id": str(uuid.uuid4()),
        "created_at": "2030-01-01T00:00:00Z",
        "last_used_at": "2030-01-01T00:00:00Z",
        "address": "192.0.2.1",
    }
    return {"items": [live | {"current": False} | MADE_UP, live | {"current": True} | MADE_UP]}


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "{}")
        match self.path:
            case "/register":
                users[body["username"]] = body["password"]
                self.respond(201, user())
            case "/login" if users.get(body["username"]) == body["password"]:
                self.respond(200, next_tokens())
            case "/token/refresh" if session.get("refresh_token") == body["refresh_token"]:
                self.respond(200, next_tokens())
            case "/logout" if self.signed_in():
                session.clear()
                self.send_response(204)
                self.end_headers()
            case "/login" | "/token/refresh" | "/logout":
                self.problem(401)
            case _:
                self.problem(404)

    def do_GET(self) -> None:
        match self.path:
            case "/me" if self.signed_in():
                self.respond(200, user())
            case "/me/sessions" if self.signed_in():
                self.respond(200, sessions())
            case "/me" | "/me/sessions":
                self.problem(401)
            case _:
                self.problem(404)

    def signed_in(self) -> bool:
        return "access_token" in session and self.headers["Authorization"] == f"Bearer {session['access_token']}"

    def problem(self, status: int) -> None:
        problem = {
            "type": "urn:vestibule:problem:made_up_code",
            "title": "A problem that no client knows",
            "status": status,
            "detail": "This code came with a later release.",
            "code": "made_up_code",
            "message": "This code came with a later release.",
            "request_id": str(uuid.uuid4()),
        }
        self.respond(status, problem, "application/problem+json")

    def respond(self, status: int, fields: dict[str, object], media_type: str = "application/json") -> None:
        body = json.dumps(fields | MADE_UP).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: failures are for the client to report."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
