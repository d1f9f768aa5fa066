"""Find a Chromium for the browser tests, or install one.

    python tools/chromium.py

prints the browser's path. Where none is found it installs one: with apt-get
as root on Debian and Ubuntu, with Playwright elsewhere. Where neither works
it stops with a sentence that says what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""How tests and benchmarks start it: as root too, and silent on the net."""
ADVICE = (
    "The browser tests need Chromium, and none was found or could be "
    "installed: install it (`sudo apt-get install chromium`, or "
    "`python -m playwright install --with-deps chromium`), or set CHROMIUM "
    "to the path of one."
)


class NoChromium(RuntimeError):
    """No browser here, and no way to get one."""


def works(path: str) -> bool:
    """Whether this file starts and says that it is a browser."""
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "Chrom" in answer.stdout


def of_playwright() -> str | None:
    """Return where Playwright keeps, or would keep, its own Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def find() -> str | None:
    """Return the path of a Chromium that starts, or None."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        if not works(chosen):
            raise NoChromium(
                f"CHROMIUM is set to {chosen!r}, which does not start as a "
                "browser: set it to the path of Chromium or Chrome, or unset "
                "it to have one looked for."
            )
        return chosen
    candidates = [*map(shutil.which, NAMES), *APPLICATIONS]
    for path in candidates:
        if path and Path(path).exists() and works(path):
            return path
    path = of_playwright()
    return path if path and Path(path).exists() and works(path) else None


def ways() -> list[list[list[str]]]:
    """Return the ways to install that this machine allows, best first."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    playwright = [sys.executable, "-m", "playwright", "install"]
    if not (root and shutil.which("apt-get")):
        return [[[*playwright, "chromium"]]]
    return [
        [
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-qy", "chromium", "fonts-liberation"],
        ],
        [[*playwright, "--with-deps", "chromium"]],
    ]


def ensure(run: Callable[[list[str]], bool] | None = None) -> str:
    """Return the path of a Chromium, installing one if need be."""
    found = find()
    if found:
        return found
    run = run or _run
    for commands in ways():
        if all(run(command) for command in commands):
            found = find()
            if found:
                return found
    raise NoChromium(ADVICE)


def _run(command: list[str]) -> bool:
    print("+", *command, file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, stdout=sys.stderr, env=environment)
    return done.returncode == 0


if __name__ == "__main__":
    try:
        print(ensure())
    except NoChromium as error:
        sys.exit(str(error))
