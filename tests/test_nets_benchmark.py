"""The benchmark of the networks: it measures both, and its check bites."""

import pytest
import torch
from torchvision_oracle import missing

import benchmarks.nets as bench


def test_steps_run_in_turn_and_in_both_orders():
    log = []
    steps = [lambda: log.append("ours"), lambda: log.append("theirs")]
    times = bench.in_turn(steps, "cpu", rounds=4)
    assert [len(column) for column in times] == [4, 4]
    assert log == ["ours", "theirs"] + ["theirs", "ours", "ours", "theirs"] * 2


@pytest.mark.skipif(bool(missing()), reason=missing() or "not needed")
def test_a_network_is_measured_and_the_limit_is_a_limit(monkeypatch, capsys):
    monkeypatch.setattr(bench, "SIDE", 32)
    threads = torch.get_num_threads()
    command = ["nets.py", "resnet18", "--rounds=1", "--batch=2", "--check"]
    monkeypatch.setattr("sys.argv", command)
    monkeypatch.setattr(bench, "LIMIT", 1000.0)
    bench.main()
    printed = capsys.readouterr().out
    assert printed.count("resnet18") == 2  # forward, backward
    monkeypatch.setattr(bench, "LIMIT", 0.0)
    with pytest.raises(SystemExit, match="is above"):
        bench.main()
    torch.set_num_threads(threads)


def test_an_unknown_network_is_named(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["nets.py", "resnet19"])
    with pytest.raises(SystemExit):
        bench.main()
    assert "there is no resnet19; try alexnet" in capsys.readouterr().err
