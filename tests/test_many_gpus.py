"""The page on several GPUs: its script runs, its commands are torchrun's."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from torch.distributed.run import get_args_parser

PAGE = (ROOT / "chapters" / "many_gpus.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def commands() -> list[str]:
    """Return the arguments of each torchrun on the page, on one line."""
    code = "\n".join(blocks("bash")).replace("\\\n", " ")
    return re.findall(r"torchrun (.*)$", code, re.M)


def read(arguments: str) -> dict:
    """Read arguments as torchrun does, with Slurm's variables filled in."""
    words = shlex.split(re.sub(r"\$[A-Z_]+", "2", arguments))
    return vars(get_args_parser().parse_args(words))


def test_each_command_is_one_that_torchrun_knows() -> None:
    given = [read(arguments) for arguments in commands()]
    assert [one["training_script"] for one in given] == ["train.py"] * 4
    assert [one["standalone"] for one in given] == [True, True, False, False]
    assert [one["nnodes"] for one in given[2:]] == ["2", "2"]
    assert all(one["rdzv_backend"] == "c10d" for one in given[2:])
    assert given[3]["max_restarts"] == 3


def test_a_command_that_torchrun_does_not_know_is_refused() -> None:
    with pytest.raises(SystemExit):
        read("--nodes=2 train.py")


def test_the_script_for_slurm_is_sound() -> None:
    (script,) = (b for b in blocks("bash") if b.startswith("#!"))
    bash = ["bash", "-n"]
    assert subprocess.run(bash, input=script, text=True).returncode == 0
    broken = subprocess.run(
        bash, input=script + '"', text=True, capture_output=True
    )
    assert broken.returncode != 0
    directives = re.findall(r"^#SBATCH (--[a-z-]+)", script, re.M)
    assert "--requeue" in directives
    assert script.index("#SBATCH") < script.index("export")


def test_the_script_trains_alone_and_as_two_and_resumes(
    tmp_path: Path,
) -> None:
    (script,) = blocks("python")
    (tmp_path / "train.py").write_text(script)
    here = {**os.environ, "CNNBOOK_SCALE": "smoke", "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    commands_ = {
        "two": [*torchrun, *shlex.split(commands()[1])],
        "alone": [sys.executable, "train.py"],
    }
    losses = {}
    for name, command in commands_.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.py").write_text(script)
        done = subprocess.run(
            command,
            cwd=tmp_path / name,
            env=here,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("2 epochs, loss") == 1
        rows = json.loads((tmp_path / name / "resnet-20.json").read_text())
        losses[name] = [row["loss"] for row in rows]
        assert (tmp_path / name / "runs/resnet-20/last.ckpt").exists()
    # near, not equal: batch norm sees half a batch
    assert losses["two"] == pytest.approx(losses["alone"], rel=0.2)
    again = subprocess.run(
        commands_["alone"],
        cwd=tmp_path / "alone",
        env=here,
        capture_output=True,
        text=True,
    )
    assert again.stdout.count("2 epochs, loss") == 1
    rows = json.loads((tmp_path / "alone" / "resnet-20.json").read_text())
    assert [row["loss"] for row in rows] == losses["alone"]


def test_the_patience_on_the_page_is_the_librarys() -> None:
    from cnnbook.training import parallel

    seconds = int(parallel.PATIENCE.total_seconds())
    assert f"after {seconds} seconds they give up" in PAGE
