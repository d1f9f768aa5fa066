"""Downloads against a hostile server: it must never be believed."""

import hashlib
import http.client
import io
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cnnbook import download as module
from cnnbook.download import DownloadError, cache_folder, download

CONTENT = random.Random(0).randbytes(300_000)
OLDER = random.Random(1).randbytes(300_000)
RUBBISH = b"<html>Please accept our terms to use this network</html>"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def is_one_sentence(error):
    text = str(error.value)
    return text.endswith(".") and "\n" not in text and ". " not in text


# The server: each path has a list of answers, given in turn; the last repeats


class Handler(BaseHTTPRequestHandler):
    """Answers as the test has scripted, and writes down what was asked."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers))
        answers = self.server.script[self.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with suppress(OSError):  # the client has left
            answer(self)
        self.close_connection = True

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.script, server.asked = {}, []
    server.over = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join(10)


def good(content=CONTENT, tag='"1"', extra=0):
    """Serve ranges, as long as it is the same version; *extra*: lie."""

    def answer(handler):
        asked = handler.headers["Range"]
        if asked and handler.headers["If-Range"] in (None, tag):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(content):
                return handler.head(416, Content_Length=0)
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            length = len(content) - start + extra
            handler.head(
                206, Content_Length=length, Content_Range=span, ETag=tag
            )
            handler.wfile.write(content[start:])
        else:
            handler.head(200, Content_Length=len(content) + extra, ETag=tag)
            handler.wfile.write(content)

    return answer


def cut(after, content=CONTENT, tag='"1"'):
    """Close the line in the middle, ranges or not."""

    def answer(handler):
        asked = handler.headers["Range"]
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        length = len(content) - start
        if asked:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            handler.head(
                206, Content_Length=length, Content_Range=span, ETag=tag
            )
        else:
            handler.head(200, Content_Length=length, ETag=tag)
        handler.wfile.write(content[start : start + after])

    return answer


def no_ranges(handler):
    """Ignore what range was asked for."""
    handler.head(200, Content_Length=len(CONTENT))
    handler.wfile.write(CONTENT)


def no_length(handler):
    """Say nothing about the length."""
    handler.head(200)
    handler.wfile.write(CONTENT)


def cut_without_length(handler):
    """Stop in the middle, and nothing shows that it was the middle."""
    handler.head(200)
    handler.wfile.write(CONTENT[:1000])


def cut_in_chunks(handler):
    """Announce a chunk and send half of it."""
    handler.head(200, Transfer_Encoding="chunked")
    handler.wfile.write(b"1000\r\n" + CONTENT[:0x800])


def rubbish(handler):
    """Send a page in place of the file, as a hotel does."""
    handler.head(200, Content_Length=len(RUBBISH))
    handler.wfile.write(RUBBISH)


def endless(handler):
    """Send rubbish for ever."""
    handler.head(200)
    while not handler.server.over.is_set():
        handler.wfile.write(RUBBISH * 100)


def another_range(handler):
    """Answer every range with the first bytes."""
    if not handler.headers["Range"]:
        return good()(handler)
    span = f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
    handler.head(206, Content_Length=len(CONTENT), Content_Range=span)
    handler.wfile.write(CONTENT)


def nameless_range(handler):
    """Answer 206, and do not say which part it is."""
    if not handler.headers["Range"]:
        return good()(handler)
    handler.head(206, Content_Length=len(CONTENT))
    handler.wfile.write(CONTENT)


def silent(handler):
    """Take the question, and never answer."""
    handler.server.over.wait(10)


def falls_silent(handler):
    """Begin, then stop without closing the line."""
    handler.head(200, Content_Length=len(CONTENT))
    handler.wfile.write(CONTENT[:1000])
    handler.server.over.wait(10)


def trickle(handler):
    """Send the file in thirty pieces, one every fiftieth of a second."""
    handler.head(200, Content_Length=len(CONTENT), ETag='"1"')
    for start in range(0, len(CONTENT), 10_000):
        handler.wfile.write(CONTENT[start : start + 10_000])
        time.sleep(0.02)


def no_http(handler):
    """Speak another protocol."""
    handler.wfile.write(b"220 mail.example ready\r\n")


def status(code):
    """Answer with an error and nothing else."""
    return lambda handler: handler.head(code, Content_Length=0)


def redirect(to):
    """Send the client elsewhere."""
    return lambda handler: handler.head(302, Location=to, Content_Length=0)


def fetch(server, folder, *answers, **others):
    """Download /file from a server that gives these answers."""
    server.script["/file"] = list(answers)
    return download(f"{server.url}/file", SHA256, "file", folder, **others)


def ranges(server):
    return [headers["Range"] for _, headers in server.asked]


def left_behind(folder):
    return sorted(path.name for path in folder.iterdir())


# What works


def test_a_file_is_fetched_once(server, tmp_path):
    path = fetch(server, tmp_path / "new", good())
    assert path == tmp_path / "new" / "file"
    assert path.read_bytes() == CONTENT
    assert left_behind(path.parent) == ["file"]
    fetch(server, path.parent, status(404))
    assert len(server.asked) == 1


def test_eight_digits_are_enough(server, tmp_path):
    server.script["/file"] = [good(), good(OLDER)]
    name = "weights/net.pth"
    for _ in range(2):
        path = download(f"{server.url}/file", SHA256[:8], name, tmp_path)
        assert path == tmp_path / "weights" / "net.pth"
        assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1
    other = hashlib.sha256(OLDER).hexdigest()[:8]
    path = download(f"{server.url}/file", other, name, tmp_path)
    assert path.read_bytes() == OLDER


@pytest.mark.parametrize(
    "answers",
    [
        [no_length],
        [no_ranges],
        [good(extra=1000)],  # says more than it sends
        [cut(1000), good()],
        [cut(1000), cut(1000), cut(1000), cut(1000), cut(1000), good()],
        [cut(1000), no_ranges],
        [cut(1000), another_range],
        [cut(1000), nameless_range],
        [cut(1000, OLDER, '"0"'), good()],  # another version
        [cut(1000, OLDER, ""), good()],  # and nothing that says so
        [cut(1000), status(416), good()],
        [cut_in_chunks, good()],
        [falls_silent, good()],
        [silent, good()],
        [no_http, good()],
        [status(503), status(429), good()],
        [trickle],
        [redirect("/other")],
        [cut(1000), redirect("/other")],
    ],
)
def test_what_a_patient_reader_gets(server, tmp_path, answers):
    server.script["/other"] = [good()]
    path = fetch(server, tmp_path, *answers)
    assert path.read_bytes() == CONTENT
    assert left_behind(tmp_path) == ["file"]


def naive(url):
    with urllib.request.urlopen(url, timeout=0.3) as answer:
        return answer.read()


@pytest.mark.parametrize(
    "answer",
    [
        good(extra=1000),
        cut(1000),
        cut_without_length,
        cut_in_chunks,
        falls_silent,
        silent,
        no_http,
        rubbish,
        status(503),
        status(404),
    ],
)
def test_the_server_is_hostile(server, answer):
    server.script["/file"] = [answer]
    try:
        content = naive(f"{server.url}/file")
    except (OSError, http.client.HTTPException):
        return
    assert content != CONTENT


def test_it_goes_on_where_it_stopped(server, tmp_path):
    fetch(server, tmp_path, cut(1000), cut(2000), good())
    assert ranges(server) == [None, "bytes=1000-", "bytes=3000-"]
    versions = [headers["If-Range"] for _, headers in server.asked]
    assert versions == [None, '"1"', '"1"']


def test_a_changed_file_is_fetched_from_its_beginning(server, tmp_path):
    fetch(server, tmp_path, cut(1000, OLDER, '"0"'), good())
    assert ranges(server) == [None, "bytes=1000-"]  # and If-Range said no


def test_two_halves_of_two_files_are_not_one_file(server, tmp_path):
    fetch(server, tmp_path, cut(1000, OLDER, ""), good(tag=""))
    assert ranges(server) == [None, "bytes=1000-", None]


@pytest.mark.parametrize("wrong", [another_range, nameless_range])
def test_a_wrong_range_is_not_read(server, tmp_path, wrong):
    seen = []
    fetch(
        server,
        tmp_path,
        cut(1000),
        wrong,
        report=lambda *all: seen.append(all),
    )
    assert max(done for _, done, _ in seen) == len(CONTENT)


def test_a_file_of_another_size_is_not_gone_on_with(server, tmp_path):
    longer = good(CONTENT + b"!")
    fetch(server, tmp_path, cut(1000), longer, good(), size=len(CONTENT))
    assert ranges(server) == [None, "bytes=1000-", None]


def test_a_weak_tag_promises_nothing(server, tmp_path):
    fetch(server, tmp_path, cut(1000, tag='W/"1"'), good(tag='W/"1"'))
    assert [headers["If-Range"] for _, headers in server.asked] == [None] * 2


def test_the_next_call_goes_on(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TRIES", 1)
    with pytest.raises(DownloadError, match="cut off after 1,000 of 300,000"):
        fetch(server, tmp_path, cut(1000), cut(0))
    assert left_behind(tmp_path) == ["file.from", "file.lock", "file.part"]
    fetch(server, tmp_path, good())
    assert ranges(server)[-1] == "bytes=1000-"
    assert left_behind(tmp_path) == ["file"]


def test_a_part_that_is_whole_needs_no_network(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path, rubbish).read_bytes() == CONTENT
    assert server.asked == []


def test_the_next_mirror_goes_on_where_the_first_stopped(server, tmp_path):
    server.script = {"/a": [cut(1000)], "/b": [good()]}
    urls = [f"{server.url}/a", f"{server.url}/b"]
    path = download(urls, SHA256, "file", tmp_path)
    assert path.read_bytes() == CONTENT
    (_, first), (_, second) = server.asked
    assert first["Range"] is None and second["Range"] == "bytes=1000-"
    assert second["If-Range"] is None  # tags of two servers say nothing


@pytest.mark.parametrize(
    "answer", [rubbish, cut(10, RUBBISH), status(404), silent, endless]
)
def test_a_bad_mirror_does_not_spoil_a_good_one(server, tmp_path, answer):
    server.script = {"/a": [answer], "/b": [good()]}
    urls = [f"{server.url}/a", f"{server.url}/b"]
    path = download(urls, SHA256, "file", tmp_path, size=len(CONTENT))
    assert path.read_bytes() == CONTENT


def test_a_damaged_file_is_replaced(server, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:-1] + b"?")
    assert fetch(server, tmp_path, good()).read_bytes() == CONTENT


# What fails, and what it says


@pytest.mark.parametrize(
    ("answer", "words", "times"),
    [
        (status(404), "404 Not Found", 1),
        (status(503), "503 Service Unavailable", 3),
        (silent, "silent for 0.3 seconds", 3),
        (no_http, "220 mail.example", 3),
        (redirect("/file"), "infinite loop", 5),
        (redirect("file:///etc/hosts"), "not allowed", 1),
        (cut_without_length, "of 1,000 bytes with checksum", 1),
        (
            rubbish,
            "sent another file, of 56 bytes with checksum "
            f"{hashlib.sha256(RUBBISH).hexdigest()[:8]}… in place of "
            f"{SHA256[:8]}…",
            1,
        ),
        (endless, "sent more than 300,000 bytes", 1),
    ],
)
def test_what_went_wrong_is_said(server, tmp_path, answer, words, times):
    with pytest.raises(DownloadError, match=re.escape(words)) as error:
        fetch(server, tmp_path, answer, size=len(CONTENT))
    assert is_one_sentence(error)
    assert f"{server.url}/file: " in str(error.value)
    assert f"put it at {tmp_path / 'file'}." in str(error.value)
    assert not (tmp_path / "file").exists()
    assert len(server.asked) == times


def test_every_address_is_named_with_its_fault(server, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
    server.script = {"/a": [status(404)], "/b": [rubbish]}
    urls = [f"{server.url}/a", refusing, f"{server.url}/b"]
    with pytest.raises(DownloadError) as error:
        download(urls, SHA256, "file", tmp_path)
    assert is_one_sentence(error)
    assert re.search(
        f"{urls[0]}: 404 Not Found; {urls[1]}: Connection refused; "
        f"{urls[2]}: sent another file",
        str(error.value),
    )


def test_a_failed_download_leaves_the_damaged_file(server, tmp_path):
    (tmp_path / "file").write_bytes(b"half of a thesis")
    with pytest.raises(DownloadError, match="file there is damaged"):
        fetch(server, tmp_path, status(404))
    assert (tmp_path / "file").read_bytes() == b"half of a thesis"


def test_pauses_grow(server, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(module, "PAUSE", 1)
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    with pytest.raises(DownloadError, match="503"):
        fetch(server, tmp_path, status(503))
    assert pauses == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], SHA256, "file"), "no address"),
        (("ftp://a.example/b", SHA256, "file"), "'ftp://a.*begin with https"),
        (("file:///etc/hosts", SHA256, "file"), "begin with https"),
        (("https://a.example/b", "abc", "file"), "'abc' is not a checksum"),
        (("https://a.example/b", SHA256[:40], "file"), "first 8"),
        (("https://a.example/b", SHA256.upper(), "file"), "lower case"),
        (("https://a.example/b", SHA256, "../file"), "inside the cache"),
        (("https://a.example/b", SHA256, "/etc/hosts"), "inside the cache"),
        (("https://a.example/b", SHA256, ""), "inside the cache"),
    ],
)
def test_wrong_arguments_are_explained(tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words) as error:
        download(*arguments, folder=tmp_path)
    assert is_one_sentence(error)
    assert left_behind(tmp_path) == []


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(DownloadError, match=r"folder/sub .*CNN.*") as error:
        download("https://a.example/b", SHA256, "sub/x", tmp_path / "folder")
    assert is_one_sentence(error)


# Where it goes, and what it says on the way


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CNNBOOK_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "cnnbook"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "cnnbook"
    monkeypatch.setenv("CNNBOOK_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"


def test_the_cache_folder_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNBOOK_CACHE", str(tmp_path))
    assert fetch(server, None, good()) == tmp_path / "file"


def test_progress_is_reported(server, tmp_path):
    seen = []
    fetch(server, tmp_path, trickle, report=lambda *all: seen.append(all))
    assert seen[-1] == ("file", len(CONTENT), len(CONTENT))
    assert len(seen) >= 2 and seen == sorted(set(seen))


class Terminal(io.StringIO):
    """Something that a person looks at."""

    def isatty(self):
        return True


class Notebook(io.StringIO):
    """What prints into a notebook."""


Notebook.__module__ = "ipykernel.iostream"


@pytest.mark.parametrize("stream", [Terminal, Notebook, io.StringIO])
def test_one_line_where_a_person_looks(server, tmp_path, monkeypatch, stream):
    screen = stream()
    monkeypatch.setattr(sys, "stdout", screen)
    fetch(server, tmp_path, good())
    line = "\rfile: 0.3 of 0.3 MB\n"
    assert screen.getvalue() == ("" if stream is io.StringIO else line)


# Two at once, and one that is killed

CHILD = """
import sys
from cnnbook import download as module
{change}
print("ready", flush=True)
module.download(*sys.argv[1:])
"""


def child(server, folder, change=""):
    command = [sys.executable, "-c", CHILD.format(change=change)]
    command += [f"{server.url}/file", SHA256, "file", str(folder)]
    environment = os.environ | {"no_proxy": "*"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE
    )
    with process.stdout as words:
        assert words.readline() == b"ready\n"
    return process


def asked_by_two(server, folder, change=""):
    """How often two processes that want one file ask, and how they end."""
    go = threading.Event()

    def slow(handler):
        go.wait(20)
        good()(handler)

    server.script["/file"] = [slow]
    both = [child(server, folder, change) for _ in range(2)]
    until = time.monotonic() + 0.5
    while len(server.asked) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    asked = len(server.asked)
    go.set()
    return asked, [process.wait(20) for process in both]


def test_two_processes_fetch_once(server, tmp_path):
    assert asked_by_two(server, tmp_path) == (1, [0, 0])
    assert len(server.asked) == 1
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert left_behind(tmp_path) == ["file"]


def test_without_the_lock_they_would_not(server, tmp_path):
    change = "module._hold = lambda lock: lock.open('ab')"
    asked, _ = asked_by_two(server, tmp_path, change)
    assert asked == 2


def test_a_killed_process_leaves_its_part(server, tmp_path):
    server.script["/file"] = [trickle, good()]
    part = tmp_path / "file.part"
    process = child(server, tmp_path)
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size):
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    size = part.stat().st_size
    assert 0 < size < len(CONTENT)
    path = download(f"{server.url}/file", SHA256, "file", tmp_path)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={size}-"]
