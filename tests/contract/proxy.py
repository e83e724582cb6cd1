"""Proxies the service and injects a fault into its responses: python proxy.py SERVICE FAULT

Prints its own URL, then serves until it is stopped.
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
# The operation whose responses are changed. It requires a token, but obtaining a token does not use it.
TARGET = "/me"
HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "date"}
TIMEOUT = 30


@dataclass
class ProxyResponse:
    """The response to send."""

    path: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the JSON object of the body."""
        value = json.loads(self.body)
        change(value)
        self.body = json.dumps(value).encode()

    def is_target(self) -> bool:
        """Whether this is a successful response of the target operation."""
        return self.path == TARGET and self.status == 200


def no_fault(response: ProxyResponse) -> None:
    """Send every response unchanged."""


def undeclared_status(response: ProxyResponse) -> None:
    """Succeed with a status that the document does not declare."""
    if response.is_target():
        response.status = 203


def null_member(response: ProxyResponse) -> None:
    """Send null for a member."""
    if response.is_target():
        response.edit(lambda value: value.update(created_at=None))


def undeclared_member(response: ProxyResponse) -> None:
    """Send a member that the document does not declare."""
    if response.is_target():
        response.edit(lambda value: value.update(undeclared="x"))


def missing_header(response: ProxyResponse) -> None:
    """Omit a header that the document declares."""
    if response.is_target():
        response.headers = [header for header in response.headers if header[0].lower() != "x-request-id"]


def open_request(response: ProxyResponse) -> None:
    """Document a request as allowing additional members."""
    if response.path == DOCUMENT:
        response.edit(lambda value: value["components"]["schemas"]["RegisterRequest"].pop("additionalProperties"))


def undocumented_bound(response: ProxyResponse) -> None:
    """Remove a limit that the service enforces from the document."""
    if response.path == DOCUMENT:
        properties = ("components", "schemas", "RegisterRequest", "properties")
        response.edit(lambda value: _at(value, *properties, "password").pop("minLength"))


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
    """Forwards every request, and sends the response back with the fault."""

    protocol_version = "HTTP/1.1"
    # Send head and body in one piece. The second of two would wait for the client to acknowledge the first.
    wbufsize = -1
    service: str
    fault: Callable[[ProxyResponse], None]

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
        response = ProxyResponse(urlsplit(self.path).path, received.status, headers, received.read())
        service.close()
        type(self).fault(response)
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_PUT = do_POST = do_DELETE = do_OPTIONS = do_PATCH = do_TRACE = do_QUERY = forward

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def main(service: str, fault: str) -> None:
    """Serve on a port that the system chooses."""
    Proxy.service = urlsplit(service).netloc
    Proxy.fault = {known.__name__: staticmethod(known) for known in FAULTS}[fault]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
