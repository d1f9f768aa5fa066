"""The recorded times of the lineage: the record, and what makes it."""

from __future__ import annotations

import copy
import json
import statistics

import pytest
import torch
from conftest import ROOT
from torch import nn

from benchmarks import lineage_times as bench
from cnnbook import nets

RESULT = ROOT / "results" / "lineage-times.json"


def record() -> dict:
    return json.loads(RESULT.read_text("utf-8"))


def faults(result: dict) -> list[str]:
    """What is missing in the record, or cannot be."""
    wrong = [
        f"no {key}"
        for key in ("name", "command", "date", "protocol", "versions")
        if not result.get(key)
    ]
    if not {"processor", "cores", "threads", "load"} <= set(
        result.get("hardware", {})
    ):
        wrong.append("the hardware is not told")
    batches = [
        run["batch"] for run in result["runs"] if "CPU" in run["device"]
    ]
    if batches != list(bench.BATCHES["cpu"]):
        wrong.append(f"batches of {batches} on the processor")
    for run in result["runs"]:
        where = f"{run['device']}, {run['batch']}"
        if list(run["milliseconds"]) != list(bench.NETS):
            wrong.append(f"{where}: other networks")
        lengths = {len(times) for times in run["milliseconds"].values()}
        if len(lengths) > 1 or min(lengths) < 7:
            wrong.append(f"{where}: too few rounds, or not the same")
        times = [t for column in run["milliseconds"].values() for t in column]
        if min(times) <= 0:
            wrong.append(f"{where}: a time that cannot be")
    return wrong


def test_the_record_is_whole():
    assert faults(record()) == []
    assert record()["name"] == RESULT.stem


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda r: r.pop("protocol"), "no protocol"),
        (lambda r: r["hardware"].pop("load"), "not told"),
        (lambda r: r["runs"].pop(), "batches of"),
        (lambda r: r["runs"][0]["milliseconds"].pop("NiN"), "other networks"),
        (lambda r: r["runs"][0]["milliseconds"]["NiN"].pop(), "too few"),
        (
            lambda r: r["runs"][0]["milliseconds"].update(NiN=[0.0] * 15),
            "cannot be",
        ),
    ],
)
def test_a_spoilt_record_is_noticed(spoil, complaint):
    result = copy.deepcopy(record())
    spoil(result)
    assert any(complaint in fault for fault in faults(result))


def test_the_order_of_the_chapter_does_not_hang_on_noise():
    """What its text says of the times holds for the quartiles, too."""
    one, eight = record()["runs"][:2]

    def between(run: dict, net: str) -> list[float]:
        return statistics.quantiles(run["milliseconds"][net], n=4)

    assert between(one, "AlexNet")[0] > between(one, "NiN")[2]
    for run in (one, eight):
        assert between(run, "GoogLeNet")[0] > between(run, "ResNet-18")[2]
        for net in ("AlexNet", "GoogLeNet"):
            bare = between(run, f"{net} without norms")
            assert between(run, net)[1] > bare[1]


# ---- What makes it ----


def test_rounds_run_in_turn_and_in_both_orders(monkeypatch):
    monkeypatch.setitem(bench.LEAST, "cpu", 0.0)
    log = []
    steps = {name: lambda name=name: log.append(name) for name in "abc"}
    found = bench.rounds(steps, 3, "cpu")
    assert [len(times) for times in found.values()] == [3, 3, 3]
    assert "".join(log) == "abc" + "abc" + "cba" + "abc"


def test_a_short_pass_is_repeated(monkeypatch):
    monkeypatch.setattr(bench, "passes", lambda step, count, device: count)
    monkeypatch.setitem(bench.LEAST, "cpu", 100)
    assert bench.enough(lambda: None, "cpu") == 128


def test_parts_are_taken_out():
    whole = nets.small_alexnet()
    bare = bench.without(nets.small_alexnet(), *bench.NORMS)
    kinds = [type(m) for m in bare.modules()]
    assert kinds.count(nn.Identity) == 2
    assert not set(kinds) & set(bench.NORMS)
    images = torch.randn(1, 1, 32, 32)
    assert bare(images).shape == whole(images).shape
    dense = bench.without(nets.small_alexnet(), nn.Linear)
    assert dense.eval()(images).shape == (1, 128)


def test_the_command_writes_a_whole_record(monkeypatch, tmp_path, capsys):
    tiny = {name: (nets.lenet5, (1, 32, 32)) for name in bench.NETS}
    monkeypatch.setattr(bench, "NETS", tiny)
    monkeypatch.setattr(bench, "LEAST", {"cpu": 0.0, "cuda": 0.0})
    monkeypatch.setattr(bench, "RESULT", tmp_path / "lineage-times.json")
    monkeypatch.setattr("sys.argv", ["lineage_times.py", "--rounds=7"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    threads = torch.get_num_threads()
    bench.main()
    torch.set_num_threads(threads)
    written = json.loads(bench.RESULT.read_text("utf-8"))
    assert faults(written) == []
    assert set(written) == set(record())
    assert "LeNet-5, quartiles" in capsys.readouterr().out
