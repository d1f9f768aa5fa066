"""What a reader with a slow line waits for, beside a stock Jupyter Book.

    python benchmarks/website.py            # prints the table
    python benchmarks/website.py --check    # and fails over a budget

The front page and every chapter of the built site are opened with a cold
cache at 1.6 Mbit/s, 150 ms a round trip and a processor four times slower,
three times over; the medians stand beside those of a default Jupyter Book
build of the same files.
Only this machine is reached: whatever a page asks of another host fails at
once, and is counted as refused. A default build fetches MathJax so, hence
its formulas stay source here.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
LINE = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 0.75e6 / 8,
}
SLOWER = 4
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
STOCK = """\
title: Stock
author: Stock
only_build_toc_files: true
bibtex_bibfiles: [references.bib]
execute: {execute_notebooks: "off"}
"""

# Runs before the page's own scripts. A moment is that of the first frame in
# which the thing is there to be seen or used, and not before the first paint.
WATCH = """
(() => {
  const seen = { shift: 0 };
  window.__seen = seen;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (!entry.hadRecentInput) seen.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  const formula = (at) => at.getBoundingClientRect().height > 0 &&
    getComputedStyle(at).fontFamily.includes("KaTeX");
  const frame = () => {
    const now = performance.now();
    if (document.readyState !== "loading") {
      const drawn = document.querySelectorAll(".katex-html, mjx-container");
      const written = document.querySelectorAll(".math").length;
      if (!seen.formulas && written && drawn.length >= written &&
          (formula(drawn[0]) || drawn[0].matches("mjx-container")))
        seen.formulas = now;
      const widgets = [...document.querySelectorAll(
        ".cnn-widget[data-widget]")];
      if (!seen.usable && widgets.length &&
          widgets.every(at => at.querySelector("button, input, select")))
        seen.usable = now;
    }
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    if (paint && !seen.paint) seen.paint = paint.startTime;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})();
"""


@dataclass(frozen=True)
class Visit:
    """What one page cost; times in seconds, None for never."""

    kilobytes: float
    requests: float
    refused: float
    formulas: float | None
    usable: float | None
    shift: float


@dataclass(frozen=True)
class Page:
    """A page, what it holds, and what it cost."""

    name: str
    formulas: int
    widgets: int
    ours: Visit
    stock: Visit | None = None


def complaints(page: Page) -> list[str]:
    """Return where a page is over the budgets of the book."""
    visit = page.ours
    limits = [
        ("kB", visit.kilobytes, 250 if page.formulas else 170),
        ("requests", visit.requests, 30 if page.formulas else 28),
        ("requests to other hosts", visit.refused, 0),
        ("layout shift", visit.shift, 0.01),
    ]
    if page.formulas:
        limits.append(("s until formulas", visit.formulas, 1.0))
    if page.widgets:
        limits.append(("s until widgets", visit.usable, 1.4))
    return [
        f"{page.name}: {shown(value)} {what}, budget {limit}"
        for what, value, limit in limits
        if value is None or value > limit
    ]


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Serve a folder, compressed, on a free local port, until left."""

    @cache
    def packed(path: Path) -> tuple[str, bytes, bool]:
        kind = guess_type(path.name)[0] or "application/octet-stream"
        body = path.read_bytes()
        squeezed = gzip.compress(body, 6)
        small = len(squeezed) < 0.95 * len(body)
        return kind, squeezed if small else body, small

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = unquote(urlsplit(self.path).path).lstrip("/")
            path = (folder / name).resolve()
            if not path.is_file() or folder not in path.parents:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            kind, body, small = packed(path)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if small:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    folder = folder.resolve()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        httpd.server_close()


def visit(browser, address: str) -> Visit:
    """Open one page with a cold cache on the slow line."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    session = context.new_cdp_session(page)
    sent, received, failed = {}, [], set()
    session.on(
        "Network.requestWillBeSent",
        lambda event: sent.setdefault(
            event["requestId"], event["request"]["url"]
        ),
    )
    session.on(
        "Network.loadingFinished",
        lambda event: received.append(event["encodedDataLength"]),
    )
    session.on(
        "Network.loadingFailed", lambda event: failed.add(event["requestId"])
    )
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.send("Network.emulateNetworkConditions", LINE)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(address, wait_until="load", timeout=120_000)
    page.wait_for_timeout(2500)
    seen = page.evaluate("window.__seen")
    context.close()
    home = address[: address.index("/", 8)]
    web = {key: url for key, url in sent.items() if url.startswith("http")}
    own = [key for key, url in web.items() if url.startswith(home)]
    return Visit(
        sum(received) / 1000,
        len(own),
        len(web) - len(own),
        moment(seen, "formulas"),
        moment(seen, "usable"),
        round(seen["shift"], 4),
    )


def moment(seen: dict[str, float], what: str) -> float | None:
    """Return when a thing was on the screen, in seconds, or None."""
    if what not in seen or "paint" not in seen:
        return None
    return max(seen[what], seen["paint"]) / 1000


def middle(visits: list[Visit]) -> Visit:
    """Return the median of each figure; never, if that is the middle."""

    def of(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return median(known) if 2 * len(known) > len(values) else None

    columns = zip(*map(astuple, visits), strict=True)
    return Visit(*(of(list(column)) for column in columns))


def stock_build(folder: Path) -> Path:
    """Build the same pages with Jupyter Book as it comes."""
    book = folder / "book"
    skipped = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in ("chapters", "website/assets"):
        shutil.copytree(ROOT / name, book / name, ignore=skipped)
    for name in ("_toc.yml", "intro.md", "references.bib"):
        shutil.copy(ROOT / name, book / name)
    (book / "_config.yml").write_text(STOCK, encoding="utf-8")
    build = subprocess.run(
        [sys.executable, "-c", JUPYTER_BOOK, "build", str(book)],
        capture_output=True,
        text=True,
    )
    site = book / "_build" / "html"
    if not (site / "intro.html").exists():
        raise SystemExit(
            f"The stock build failed:\n{(build.stdout + build.stderr)[-2000:]}"
        )
    return site


def chapters(site: Path) -> list[str]:
    """Return the pages to measure: those with formulas or widgets."""
    names = [
        path.relative_to(site).as_posix()
        for path in [
            site / "intro.html",
            *sorted((site / "chapters").glob("*.html")),
        ]
    ]
    return [name for name in names if any(holds(site / name))]


def holds(page: Path) -> tuple[int, int]:
    """Return how many formulas and widgets a built page holds."""
    text = page.read_text(encoding="utf-8")
    return text.count('class="katex"'), text.count('data-widget="')


def measure(site: Path, runs: int) -> list[Page]:
    """Visit each page of our build and of the stock one."""
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(ROOT))
    from tools.chromium import FLAGS, ensure

    with tempfile.TemporaryDirectory() as folder:
        stock = stock_build(Path(folder))
        with (
            server(site) as ours,
            server(stock) as theirs,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(
                executable_path=ensure(), args=[*FLAGS, ALONE]
            )
            found = []
            for name in chapters(site):
                both = [
                    middle(
                        [visit(browser, f"{root}/{name}") for _ in range(runs)]
                    )
                    for root in (ours, theirs)
                ]
                found.append(Page(name, *holds(site / name), *both))
            browser.close()
    return found


def shown(value: float | None) -> str:
    """Return a figure as the table prints it."""
    if value is None:
        return "never"
    return f"{value:.0f}" if value >= 10 or value == 0 else f"{value:.3g}"


def table(pages: list[Page]) -> str:
    """Return the figures as a table in Markdown."""
    head = ["page", "build", *(field.name for field in fields(Visit))]
    rows = [head, ["---", "---", *["--:"] * len(fields(Visit))]]
    for page in pages:
        what = (
            f"{page.name} ({page.formulas} formulas, {page.widgets} widgets)"
        )
        rows.append([what, "this book", *map(shown, astuple(page.ours))])
        if page.stock:
            rows.append(["", "stock", *map(shown, astuple(page.stock))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measure, print, and where asked hold the pages to their budgets."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if not (options.site / "intro.html").exists():
        raise SystemExit(
            f"There is no site in {options.site}: build it with `make html`, "
            "or name its folder with --site."
        )
    pages = measure(options.site, options.runs)
    print(table(pages))
    print(
        "\nkilobytes as sent, gzip; times in seconds; refused: requests to "
        "other hosts, which were\ncut off for both builds, so that the stock "
        "build is spared the weight of what it fetches there."
    )
    over = [text for page in pages for text in complaints(page)]
    if options.check and over:
        raise SystemExit("\n".join(["Over budget:", *over]))


if __name__ == "__main__":
    main()
