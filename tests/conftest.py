"""What several test files share: the built site, a server, a browser."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing about it."""

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def serve(folder: Path) -> ThreadingHTTPServer:
    """Serve a folder on a free local port, in a thread of its own."""
    handler = partial(QuietHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def pytest_addoption(parser: pytest.Parser) -> None:
    """One flag renews the golden files, to be read before committing."""
    parser.addoption(
        "--renew-golden", action="store_true", help="rewrite tests/golden"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser: `make test` runs it last, by itself."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the tests fail, never skip."""
    from tools.chromium import NoChromium, ensure

    try:
        return ensure()
    except NoChromium as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator:
    """One headless browser for the whole run."""
    from playwright.sync_api import sync_playwright

    from tools.chromium import FLAGS

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=list(FLAGS)
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser) -> Iterator:
    """A fresh page in a context of its own."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book's own site, built from nothing with warnings as errors."""
    from website.scratch import build

    folder = tmp_path_factory.mktemp("site")
    result = build(ROOT, folder)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="session")
def site_server(built_site: Path) -> Iterator[str]:
    """The built site over http; the address without a slash at the end."""
    server = serve(built_site)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page that holds one widget, as the site does.

    ``place`` is the end of its address; ``twin`` stands in the page where the
    widget's own picture would.
    """
    from website.extensions.scripts import as_classic, module_of

    contexts = []

    def opened(widget, place="", twin=None, **options):
        name = type(widget).__module__.rpartition(".")[2]
        widgets = ROOT / "cnnbook" / "widgets"
        host = (ROOT / "website" / "assets" / "host.js").read_text("utf-8")
        script = (widgets / "base.mjs").read_text("utf-8") + host
        script += as_classic(name, module_of(name))
        file = tmp_path / "page.html"
        file.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{name}</title><style>{widget._css}</style>"
            f"<script>{script}</script><main><h1>{name}</h1>"
            f"{twin or widget.to_html()}</main></html>",
            encoding="utf-8",
        )
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{file.as_uri()}{place}")
        if options.get("java_script_enabled", True):
            page.locator("[data-live]").wait_for()
        assert not errors
        return page

    yield opened
    for context in contexts:
        context.close()
