"""The widgets in JupyterLab, with a live kernel."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).parents[1]
CELLS = [
    "import ipywidgets\n"
    "from cnnbook.widgets import ConvExplorer\n"
    "w = ConvExplorer()\n"
    "w",
    "print(f'kernel {w.kernel}, output {w.output_size}')",
    "other = ConvExplorer(size=9)\n"
    "link = ipywidgets.link((w, 'padding'), (other, 'padding'))\n"
    "other",
    "w.padding = 3\nprint(f'linked {other.padding}')",
    "w.stride = 6\nw.dilation = 3\nw.kernel = 7\nw.padding = 0\n"
    "print(f'output {w.output_size}, {w.message[:22]}')",
]
START_LIMIT = 60_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(folder: Path) -> dict[str, str]:
    """Keep the server's settings, state and caches in its folder."""
    homes = {
        name: str(folder / name.lower())
        for name in (
            "HOME",
            "IPYTHONDIR",
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "XDG_CACHE_HOME",
        )
    }
    path = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    )
    return os.environ | homes | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def wait_until_it_answers(
    server: subprocess.Popen, address: str, log: Path
) -> None:
    until = time.monotonic() + START_LIMIT / 1000
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a notebook in JupyterLab; return the notebook's address."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "work").mkdir()
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS],
        metadata={
            "kernelspec": {
                "name": "python3",
                "display_name": "Python 3",
                "language": "python",
            }
        },
    )
    nbformat.write(notebook, folder / "work" / "live.ipynb")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    port, token = free_port(), secrets.token_hex(16)
    log = folder / "log.txt"
    with log.open("w") as output:
        server = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={token}",
                f"--ServerApp.root_dir={folder / 'work'}",
                "--ServerApp.open_browser=False",
                "--ServerApp.allow_root=True",
                "--LabApp.extension_manager=readonly",
                f"--LabApp.user_settings_dir={folder / 'settings'}",
            ],
            cwd=folder,
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    home = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(server, f"{home}/api?token={token}", log)
        yield f"{home}/lab/tree/live.ipynb?token={token}"
    finally:
        # The server stops its kernels when it is told to end.
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(5)


@pytest.fixture(scope="module")
def notebook(lab: str, browser) -> Iterator[Page]:
    """The notebook, open, with a kernel that waits."""
    context = browser.new_context(viewport={"width": 1200, "height": 1400})
    page = context.new_page()
    page.set_default_timeout(START_LIMIT)
    # JupyterLab may ask something of its own while it starts on a busy
    # machine; its question is in the output if the test fails.
    question = page.locator("dialog.jp-Dialog")

    def answer() -> None:
        print("JupyterLab asked:", question.first.inner_text())
        question.first.locator(".jp-mod-accept").click()

    page.add_locator_handler(question, answer)
    page.goto(lab)
    page.locator(".jp-CodeCell").nth(len(CELLS) - 1).wait_for()
    page.locator(
        '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
    ).wait_for()
    yield page
    context.close()


def run(page: Page, index: int) -> Locator:
    """Run a cell as a reader does; return its output once it is done."""
    cell = page.locator(".jp-CodeCell").nth(index)
    prompt = cell.locator(".jp-InputArea-prompt")
    for _ in range(5):
        # Keys that come before JupyterLab listens are lost.
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
        try:
            expect(prompt).not_to_have_text("[ ]:", timeout=3000)
            break
        except AssertionError:
            continue
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=START_LIMIT)
    return cell.locator(".jp-OutputArea-output").first


def test_a_widget_lives_in_jupyterlab(notebook: Page):
    """One sitting at a notebook: each step builds on the one before."""
    widget = run(notebook, 0)
    numbers = widget.locator(".ce-numbers")
    expect(numbers).to_have_text(
        "⌊(7 − 3 + 2·1) / 2⌋ + 1 = ⌊6 / 2⌋ + 1 = 3 + 1 = 4"
    )

    # What is set by keyboard, the next cell reads, and its consequences.
    widget.get_by_label("Kernel F").press("ArrowRight")
    expect(numbers).to_contain_text("⌊(7 − 4 + 2·1) / 2⌋")
    expect(run(notebook, 1)).to_have_text("kernel 4, output 3\n")

    # A link joins two widgets, from either side and from Python.
    other = run(notebook, 2)
    padding = widget.get_by_label("Padding P")
    partner = other.get_by_label("Padding P")
    expect(partner).to_have_value("1")
    padding.press("ArrowRight")
    expect(partner).to_have_value("2")
    partner.press("Home")
    expect(padding).to_have_value("0")
    expect(run(notebook, 3)).to_have_text("linked 3\n")
    expect(padding).to_have_value("3")
    expect(partner).to_have_value("3")
    expect(numbers).to_contain_text("2·3")

    # Impossible settings from Python are a message, there and here.
    expect(run(notebook, 4)).to_have_text(
        "output None, A kernel that spans 19\n"
    )
    expect(widget.locator(".cnn-message")).to_contain_text(
        "does not fit into 7 pixels"
    )
    expect(widget.locator("figure")).to_be_hidden()
