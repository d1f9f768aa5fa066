"""Serve a built site on this machine, until Ctrl-C.

python tools/serve.py _build/html --port 8000
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    """Quiet, and with the site's own page for what is not there."""

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""

    def send_error(self, code: int, *words: str | None) -> None:
        """Answer with the site's own page where there is no other."""
        own = Path(self.directory) / "404.html"
        if code != HTTPStatus.NOT_FOUND or not own.exists():
            super().send_error(code, *words)
            return
        body = own.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def bind(folder: str, port: int) -> ThreadingHTTPServer:
    """Return a server on the first free port from *port* on."""
    handler = partial(Handler, directory=folder)
    for candidate in range(port, port + 100):
        try:
            return ThreadingHTTPServer(("127.0.0.1", candidate), handler)
        except OSError:
            continue
    sys.exit(f"No port from {port} to {port + 99} is free; try PORT=9000.")


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    server = bind(given.folder, given.port)
    port = server.server_address[1]
    print(f"The book is at http://127.0.0.1:{port}/ (Ctrl-C stops it).")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
