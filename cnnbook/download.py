"""One way to fetch a file: mirrors, checksum, resume, cache.

    path = download(
        ["https://one.example/cats.zip", "https://two.example/cats.zip"],
        checksum="9f86d081…",
        name="cats/cats.zip",
    )

The file lands in the cache folder: what the variable CNNBOOK_CACHE names, or
else ``cnnbook`` in XDG_CACHE_HOME, or else ``~/.cache/cnnbook``.  A file that
is there already and has the right checksum needs no network.

While a file ``x`` is on its way, ``x.part`` holds what has come so far,
``x.from`` says from where, and ``x.lock`` is held by the one process that
fetches.  The next call goes on where the last one stopped.
"""

import errno
import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

TIMEOUT = 20.0  # seconds for which a server may be silent
TRIES = 3  # rounds of all addresses that bring nothing new
PAUSE = 1.0  # seconds before the second round; doubled before the third, …

Report = Callable[[int, int | None], None]


class DownloadError(OSError):
    """No address gave the file; the message says what each one did."""


class WrongFile(ValueError):
    """A server sent a whole file, and it is not the one asked for."""


def download(
    urls: str | Sequence[str],
    checksum: str,
    name: str,
    folder: str | Path | None = None,
    size: int | None = None,
    report: Callable[[str, int, int | None], None] | None = None,
) -> Path:
    """The path of the file *name* in the cache, fetched if need be.

    *urls* are tried in order, in several rounds with growing pauses.
    *checksum* is the file's SHA-256: all 64 digits, or the first 8, as PyTorch
    writes them into the names of its weights; or the 32 digits of its MD5, as
    old data sets print it. Only the 64 guard against malice, all against
    accidents.  *folder* stands for the cache folder.  *size*, in bytes,
    ends an answer that is too long.  *report* is told the name, the bytes so
    far and the bytes in all (None: unknown); unless given, one line counts
    them in a terminal or a notebook.
    """
    urls = [urls] if isinstance(urls, str) else list(urls)
    _check(urls, checksum, name)
    target = (Path(folder) if folder else cache_folder()) / name
    if _matches(target, checksum):
        return target
    part, lock = _beside(target, ".part"), _beside(target, ".lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        held = _hold(lock)
    except OSError as error:
        raise DownloadError(
            f"The folder {target.parent} cannot be written to "
            f"({error.strerror}); set CNNBOOK_CACHE to one that can."
        ) from None
    with held:
        if not _matches(target, checksum):  # unless another process has it
            fetch = partial(
                _fetch,
                part=part,
                checksum=checksum,
                size=size,
                report=partial(report or _line, target.name),
            )
            if not _matches(part, checksum):
                _try_in_turn(urls, fetch, target)
            os.replace(part, target)
            _beside(target, ".from").unlink(missing_ok=True)
        with suppress(OSError):
            lock.unlink()  # who waits for it will find the file
    return target


def cache_folder() -> Path:
    """Where downloads are kept: see the top of this module."""
    if own := os.environ.get("CNNBOOK_CACHE"):
        return Path(own).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "cnnbook"


def _check(urls: list[str], checksum: str, name: str) -> None:
    if not urls:
        raise ValueError("There is no address to download from; give one.")
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise ValueError(
                f"{url!r} is not an address to download from; it must begin "
                "with https:// or http://."
            )
    if not re.fullmatch("[0-9a-f]{8}|[0-9a-f]{32}|[0-9a-f]{64}", checksum):
        raise ValueError(
            f"{checksum!r} is not a checksum; give the 64 hexadecimal digits "
            "of the file's SHA-256 in lower case, the first 8 of them, or the "
            "32 of its MD5."
        )
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError(
            f"{name!r} is not a place inside the cache folder; try a "
            "relative path such as 'mnist/images.gz'."
        )


def _try_in_turn(
    urls: list[str], fetch: Callable[[str], None], target: Path
) -> None:
    """Fetch from the first address that serves, or say what each one did."""
    part, problems, left = _beside(target, ".part"), {}, list(urls)
    furthest, failures = _length(part), 0
    while left and failures < TRIES:
        for url in tuple(left):
            try:
                return fetch(url)
            except (OSError, HTTPException, ValueError) as error:
                problems[url] = _in_words(error)
                if _lasting(error):
                    left.remove(url)
        if _length(part) > furthest:  # a bad line, but it gets there
            furthest = _length(part)
        else:
            failures += 1
        if left and failures < TRIES:
            time.sleep(PAUSE * 2 ** max(0, failures - 1))
    told = "; ".join(f"{url}: {what}" for url, what in problems.items())
    damaged = " (the file there is damaged)" if target.exists() else ""
    raise DownloadError(
        f"The file {target.name} could not be downloaded ({told}), so try "
        "again when you are connected, or fetch it elsewhere and put it at "
        f"{target}{damaged}."
    )


def _fetch(
    url: str, part: Path, checksum: str, size: int | None, report: Report
) -> None:
    """Bring *part* to its end from *url*, or raise what went wrong."""
    resumed = _length(part) > 0
    try:
        end = _receive(url, part, size, report)
        got, found = _length(part), _digest(part, checksum)
        if found.startswith(checksum):  # whatever the headers said
            return
        if end is not None and got < end:
            raise ConnectionError(f"cut off after {got:,} of {end:,} bytes")
        raise WrongFile(
            f"sent another file, of {got:,} bytes with checksum {found[:8]}… "
            f"in place of {checksum[:8]}…"
        )
    except WrongFile:
        part.unlink(missing_ok=True)
        if not resumed:
            raise
    # perhaps the part was of an older version: once more, from the start
    _fetch(url, part, checksum, size, report)


def _receive(
    url: str, part: Path, size: int | None, report: Report
) -> int | None:
    """Append what *url* sends to *part*; where it should end, if known."""
    start, origin = _length(part), part.with_suffix(".from")
    request = Request(url, headers={"User-Agent": "cnnbook"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        if version := _version(origin, url):
            request.add_header("If-Range", version)
    try:
        answer = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if start and error.code == 416:
            raise WrongFile(f"has no byte {start:,}") from None
        raise
    with answer:
        if answer.status == 206:
            given = answer.headers["Content-Range"] or "no range"
            if not given.startswith(f"bytes {start}-"):
                raise WrongFile(f"sent {given} when asked for byte {start:,}")
        else:  # all of it: the server knows no ranges, or has a new version
            start = 0
            version = answer.headers["ETag"] or ""
            origin.write_text(f"{url}\n{version}", "utf-8")
        length = answer.headers["Content-Length"] or ""
        end = start + int(length) if length.isdecimal() else None
        told = time.monotonic()
        with part.open("ab" if start else "wb") as file:
            while piece := answer.read1(1 << 20):
                start += file.write(piece)
                if size and start > size:
                    raise WrongFile(f"sent more than {size:,} bytes")
                done = start == (end or size)  # which is told below
                if not done and time.monotonic() - told > 0.2:
                    told = time.monotonic()
                    report(start, end or size)
    report(start, end or size or start)
    return end


def _version(origin: Path, url: str) -> str:
    """The ETag of what the part is a part of, if it came from *url*."""
    with suppress(OSError, ValueError):
        address, tag = origin.read_text("utf-8").split("\n")
        if address == url and not tag.startswith("W/"):  # weak: no use here
            return tag
    return ""


def _lasting(error: Exception) -> bool:
    """Whether the same address is not worth another try."""
    if isinstance(error, HTTPError):
        return error.code < 500 and error.code not in (408, 429)
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    return full or isinstance(error, WrongFile)


def _in_words(error: Exception) -> str:
    if isinstance(error, HTTPError):
        said = f"{error.code} {error.reason}"
    elif isinstance(getattr(error, "reason", error), TimeoutError):
        said = f"silent for {TIMEOUT:g} seconds"
    else:
        error = getattr(error, "reason", error)  # of a URLError
        said = getattr(error, "strerror", None) or str(error) or repr(error)
    return " ".join(said.split()).replace(". ", ", ").rstrip(".")[:200]


def _matches(path: Path, checksum: str) -> bool:
    return path.is_file() and _digest(path, checksum).startswith(checksum)


def _digest(path: Path, like: str) -> str:
    """Return the file's checksum, of the kind that *like* is."""
    kind = "md5" if len(like) == 32 else "sha256"
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _hold(lock: Path) -> BinaryIO:
    """Hold *lock* until it is closed; whoever comes second waits."""
    file = lock.open("ab")
    try:
        import fcntl
    except ImportError:  # Windows, whose lock gives up after ten seconds
        import msvcrt

        while True:
            with suppress(OSError):
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                return file
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _line(name: str, done: int, total: int | None) -> None:
    """Count in one line that rewrites itself; elsewhere, say nothing."""
    notebook = type(sys.stdout).__module__.startswith("ipykernel")
    if notebook or sys.stdout.isatty():
        of = f" of {total / 1e6:.1f}" if total else ""
        end = "\n" if done == total else ""
        print(f"\r{name}: {done / 1e6:.1f}{of} MB", end=end, flush=True)
