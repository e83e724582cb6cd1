"""A stand-in for a later release of the service, whose answers have a field and a `code` that no client knows.

    python3 stub.py [--without-token]

prints its URL and serves until it is ended. With --without-token the answer of a login has no access token.
"""

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "made.up.token"
without_token = sys.argv[1:] == ["--without-token"]
if sys.argv[1:] and not without_token:
    sys.exit(__doc__)

# Passwords by user name; the last name that was registered is the one that /me answers.
accounts: dict[str, str] = {}


def user() -> dict[str, object]:
    return {
        "id": str(uuid.uuid4()),
        "username": list(accounts)[-1],
        "created_at": "2030-01-01T00:00:00Z",
    }


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        username, password = body["username"], body["password"]
        if self.path == "/register":
            accounts[username] = password
            self.answer(201, user())
        elif self.path != "/login":
            self.problem(404)
        elif accounts.get(username) != password:
            self.problem(401)
        else:
            tokens = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 600}
            if without_token:
                del tokens["access_token"]
            self.answer(200, tokens)

    def do_GET(self) -> None:
        if self.path != "/me":
            self.problem(404)
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.problem(401)
        else:
            self.answer(200, user())

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
        self.answer(status, problem, "application/problem+json")

    def answer(self, status: int, fields: dict[str, object], media_type: str = "application/json") -> None:
        body = json.dumps(fields | {"made_up_field": {"made": ["up"]}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: what went wrong is for the client to say."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
