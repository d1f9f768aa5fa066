"""The local server: the site, its page for a wrong address, a free port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tools import serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    """A server of two pages, on the first free port from 8000 on."""
    (tmp_path / "index.html").write_text("the book")
    (tmp_path / "404.html").write_text("no such page in the book")
    server = serve.bind(str(tmp_path), 8000)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address(server: ThreadingHTTPServer) -> str:
    """Return where a server answers."""
    host, port = server.server_address[:2]
    return f"http://{host}:{port}"


def test_only_this_machine_is_served(server: ThreadingHTTPServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert urlopen(address(server)).read() == b"the book"


def test_a_wrong_address_gets_the_site_s_page(
    server: ThreadingHTTPServer,
) -> None:
    with pytest.raises(HTTPError) as answer:
        urlopen(f"{address(server)}/chapters/none.html")
    assert answer.value.code == 404
    assert answer.value.read() == b"no such page in the book"


def test_a_taken_port_is_passed_over(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    taken = server.server_address[1]
    second = serve.bind(str(tmp_path), taken)
    assert second.server_address[1] > taken
    second.server_close()


def test_no_free_port_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("taken")

    monkeypatch.setattr(serve, "ThreadingHTTPServer", refuse)
    with pytest.raises(SystemExit, match="No port from 8000 to 8099"):
        serve.bind(str(tmp_path), 8000)
