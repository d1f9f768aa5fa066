"""Checkpoints: written whole or not at all, read back or refused.

A folder holds two of them, the last and the one before.  A file is a line
with the checksum of what follows, then what torch saves.  The new one is
written beside them and renamed at the end, so that a machine that goes away
in the middle leaves the old ones as they were.
"""

import hashlib
import io
import os
import pickle
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import torch

from cnnbook.training.code import same_code

KIND = b"cnnbook checkpoint 1 "


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why."""


class Torn(CheckpointError):
    """A file that is not whole, or no checkpoint at all."""


class Foreign(CheckpointError):
    """A checkpoint of another training."""


class Checkpoints:
    """The two checkpoints of one training, in one folder.

    *recipe* says what must be the same for a training to go on.
    """

    def __init__(self, folder: str | Path, recipe: dict[str, Any]) -> None:
        """Make the folder, if need be."""
        self.folder = Path(folder)
        self.recipe = recipe
        self.last = self.folder / "last.ckpt"
        self.before = self.folder / "before.ckpt"
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, state: dict[str, Any]) -> None:
        """Write *state* as the last checkpoint; OSError leaves all as is."""
        stream = io.BytesIO()
        torch.save({"recipe": self.recipe, "state": state}, stream)
        content = stream.getbuffer()
        digest = hashlib.sha256(content).hexdigest().encode()
        new = self.folder / f"new-{os.getpid()}.ckpt"
        try:
            with new.open("wb") as file:
                file.write(KIND + digest + b"\n")
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if self.last.exists():
                os.replace(self.last, self.before)
            os.replace(new, self.last)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
        for left in self.folder.glob("new-*.ckpt"):  # of a killed process
            with suppress(OSError):
                left.unlink()

    def load(self) -> tuple[dict[str, Any] | None, list[str]]:
        """The newest state that can be used, and what was refused.

        None where there is nothing to go on from.  Another training's
        checkpoint is never written over: it is an error, unless the other of
        the two is ours.
        """
        refused: list[CheckpointError] = []
        for path in (self.last, self.before):
            try:
                return self._read(path), [str(error) for error in refused]
            except FileNotFoundError:
                continue
            except CheckpointError as error:
                refused.append(error)
        for error in refused:
            if isinstance(error, Foreign):
                raise error
        return None, [str(error) for error in refused]

    def _read(self, path: Path) -> dict[str, Any]:
        head, _, content = path.read_bytes().partition(b"\n")
        digest = hashlib.sha256(content).hexdigest().encode()
        if not head.startswith(KIND) or not content:
            raise Torn(f"The file {path} is not a checkpoint of this book.")
        if head != KIND + digest:
            raise Torn(
                f"The checkpoint {path} is torn: its {len(content):,} bytes "
                "do not have the checksum that was written with them."
            )
        try:
            saved = torch.load(
                io.BytesIO(content), map_location="cpu", weights_only=True
            )
            recipe, state = saved["recipe"], saved["state"]
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError):
            raise Torn(
                f"The checkpoint {path} cannot be read by this version."
            ) from None
        for name in sorted({*recipe, *self.recipe} - {"code"}):
            theirs, ours = recipe.get(name), self.recipe.get(name)
            if theirs != ours:
                raise Foreign(
                    f"The checkpoint {path} is of another training, whose "
                    f"{name} is {theirs!r} where yours is {ours!r}; give "
                    "another folder, or delete this one to begin anew."
                )
        if not same_code(recipe.get("code"), self.recipe.get("code")):
            raise Foreign(
                f"The checkpoint {path} is of a training whose net, loss or "
                "augmentation was written otherwise; give another folder, or "
                "delete this one to begin anew."
            )
        return state


class Saveable(Protocol):
    """What a keeper saves: anything that torch could."""

    def state_dict(self) -> dict[str, Any]:
        """Return it as data."""

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go back to what was saved."""


class Keeper:
    """Saves a training now and then, and never stops it for that.

    Without a folder it keeps nothing.  Of several processes all read, and
    the one that *writes* does.
    """

    def __init__(
        self,
        folder: str | Path | None,
        recipe: dict[str, Any],
        minutes: float,
        writes: bool = True,
    ) -> None:
        """Keep the training of this recipe in *folder*."""
        self.files = None if folder is None else Checkpoints(folder, recipe)
        self.minutes, self.writes = minutes, writes
        self.saved = time.monotonic()

    def resume(self, training: Saveable) -> None:
        """Go on from the newest checkpoint that can be used."""
        if self.files is None:
            return
        state, refused = self.files.load()
        for sentence in refused if self.writes else ():
            print(sentence)
        if state is not None:
            training.load_state_dict(state)

    def save_in_time(self, training: Saveable) -> None:
        """Save if the last time is long enough ago."""
        if time.monotonic() - self.saved > 60 * self.minutes:
            self.save(training)

    def save(self, training: Saveable) -> None:
        """Save; where the disk refuses, say so and leave the old ones."""
        self.saved = time.monotonic()
        if self.files is None or not self.writes:
            return
        try:
            self.files.save(training.state_dict())
        except OSError as error:
            print(
                f"No checkpoint could be written to {self.files.folder} "
                f"({error.strerror}); the earlier ones are untouched, and the "
                "training goes on."
            )
