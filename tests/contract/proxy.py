"""Stands before the service and plants a fault in what it sends: python proxy.py SERVICE FAULT

Prints its own address, then serves until it is stopped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

DOCUMENT = "/openapi.json"
# Whose answers are spoilt: an operation that needs a token, and that getting a token does not need.
SPOILT = "/me"
HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "date"}
TIMEOUT = 30


@dataclass
class Answer:
    """What is sent on."""

    path: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the JSON object of the body."""
        value = json.loads(self.body)
        change(value)
        self.body = json.dumps(value).encode()

    def is_spoilt(self) -> bool:
        """Whether this is a success of the operation in question."""
        return self.path == SPOILT and self.status == 200


def no_fault(answer: Answer) -> None:
    """Send everything on as it is."""


def undeclared_status(answer: Answer) -> None:
    """Succeed with another status than the document says."""
    if answer.is_spoilt():
        answer.status = 203


def null_member(answer: Answer) -> None:
    """Send null for a member."""
    if answer.is_spoilt():
        answer.edit(lambda value: value.update(created_at=None))


def undeclared_member(answer: Answer) -> None:
    """Send a member that the document does not name."""
    if answer.is_spoilt():
        answer.edit(lambda value: value.update(undeclared="x"))


def missing_header(answer: Answer) -> None:
    """Leave out a header that the document promises."""
    if answer.is_spoilt():
        answer.headers = [header for header in answer.headers if header[0].lower() != "x-request-id"]


def open_request(answer: Answer) -> None:
    """Document a request as taking any further members."""
    if answer.path == DOCUMENT:
        answer.edit(lambda value: value["components"]["schemas"]["RegisterRequest"].pop("additionalProperties"))


def undocumented_bound(answer: Answer) -> None:
    """Keep a bound that the service enforces out of the document."""
    if answer.path == DOCUMENT:
        properties = ("components", "schemas", "RegisterRequest", "properties")
        answer.edit(lambda value: _at(value, *properties, "password").pop("minLength"))


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value[name]
    return value


FAULTS = (
    no_fault,
    undeclared_status,
    null_member,
    undeclared_member,
    missing_header,
    open_request,
    undocumented_bound,
)


class Proxy(BaseHTTPRequestHandler):
    """Sends every request on, and the answer back with the fault in it."""

    protocol_version = "HTTP/1.1"
    # Head and body go out as one piece; the second of two would wait for the client to confirm the first.
    wbufsize = -1
    service: str
    fault: Callable[[Answer], None]

    def forward(self) -> None:
        """Handle one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service = HTTPConnection(self.service, timeout=TIMEOUT)
        service.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            service.putheader(name, value)
        service.endheaders(body)
        received = service.getresponse()
        headers = [header for header in received.getheaders() if header[0].lower() not in HOP_BY_HOP]
        answer = Answer(urlsplit(self.path).path, received.status, headers, received.read())
        service.close()
        type(self).fault(answer)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_DELETE = do_OPTIONS = do_PATCH = do_TRACE = do_QUERY = forward

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def main(service: str, fault: str) -> None:
    """Serve on a port that the system chooses."""
    Proxy.service = urlsplit(service).netloc
    Proxy.fault = {known.__name__: staticmethod(known) for known in FAULTS}[fault]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
