"""What GoogLeNet's second heads do: the record and the nets behind it."""

from __future__ import annotations

import copy
import json
import statistics

import pytest
import torch
from conftest import ROOT

from benchmarks import auxiliary_heads as bench
from cnnbook.anatomy import trace
from cnnbook.lineage import longest_way
from cnnbook.nets.googlenet import TABLE
from cnnbook.nets.inception import Inception, NormedConv

RESULT = ROOT / "results" / "auxiliary-heads.json"


def record() -> dict:
    return json.loads(RESULT.read_text("utf-8"))


def faults(result: dict) -> list[str]:
    """What does not add up in the record."""
    wrong = [
        f"no {key}"
        for key in ("name", "command", "date", "data", "versions", "hardware")
        if not result.get(key)
    ]
    moments = result["moments"]
    for name, setting in result["settings"].items():
        for heads in ("without", "with"):
            entry, told = setting[heads], f"{name}, {heads} heads"
            runs = entry["runs"]
            if len({run["seed"] for run in runs}) < 3:
                wrong.append(f"{told}: fewer than three seeds")
            ends = [run["test_error"][-1] for run in runs]
            for kind, reckon in (
                ("mean", statistics.mean),
                ("std", statistics.stdev),
            ):
                if abs(entry[f"test_error_{kind}"] - reckon(ends)) > 1e-4:
                    wrong.append(f"{told}: test_error is not the {kind}")
            for run in runs:
                wrong += gaps(run, setting["layers"], moments, heads, told)
    return wrong


def gaps(
    run: dict, layers: list, moments: list, heads: str, told: str
) -> list[str]:
    """What is missing of one run, or is there and should not."""
    wrong = []
    if len(run["test_error"]) != moments[-1] + 1:
        wrong.append(f"{told}: an epoch is missing")
    for measure in ("train_error", "gradients"):
        if len(run[measure]) != len(moments):
            wrong.append(f"{told}: a moment is missing in {measure}")
    for found in run["gradients"]:
        if any(len(found[what]) != len(layers) for what in found):
            wrong.append(f"{told}: a layer is missing")
        behind = [norm is None for norm in found["heads"]]
        if heads == "without" and not all(behind):
            wrong.append(f"{told}: a gradient of heads that are not there")
        if heads == "with" and behind != sorted(behind):
            wrong.append(f"{told}: a gap among the heads' gradients")
        if heads == "with" and not 0 < sum(behind) < len(behind):
            wrong.append(f"{told}: heads at the end, or nowhere")
    return wrong


def test_the_record_adds_up() -> None:
    result = record()
    assert faults(result) == []
    assert result["name"] == RESULT.stem
    assert set(result["settings"]) == set(bench.SETTINGS)
    assert result["weight"] == bench.WEIGHT == 0.3
    for name, (title, _, rate) in bench.SETTINGS.items():
        setting = result["settings"][name]
        assert (setting["title"], setting["rate"]) == (title, rate)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("command"),
        lambda r: r["settings"]["he"]["with"].update(test_error_mean=0.5),
        lambda r: r["settings"]["he"]["without"].update(test_error_std=9),
        lambda r: r["settings"]["glorot"]["with"]["runs"][0].update(seed=1),
        lambda r: r["settings"]["he"]["with"]["runs"][0]["test_error"].pop(0),
        lambda r: r["settings"]["he"]["with"]["runs"][0]["train_error"].pop(),
        lambda r: r["settings"]["he"]["with"]["runs"][0]["gradients"][0][
            "last"
        ].pop(),
        lambda r: r["settings"]["he"].update(
            without=r["settings"]["he"]["with"]
        ),
        lambda r: r["settings"]["he"].update(
            {"with": r["settings"]["he"]["without"]}
        ),
    ],
    ids=[
        "command", "mean", "deviation", "one seed", "an epoch", "a moment",
        "a layer", "heads", "no heads",
    ],
)  # fmt: skip
def test_a_spoilt_record_is_noticed(spoil) -> None:
    result = copy.deepcopy(record())
    spoil(result)
    assert faults(result)


def untrue(result: dict) -> list[str]:
    """Which sentences of the chapter the record does not bear out."""
    settings = result["settings"]

    def ends(name: str, heads: str, what: str = "test_error") -> list[float]:
        return [run[what][-1] for run in settings[name][heads]["runs"]]

    def first_share(name: str) -> list[float]:
        starts = [
            run["gradients"][0] for run in settings[name]["with"]["runs"]
        ]
        return [start["heads"][0] / start["last"][0] for start in starts]

    normed = settings["batch norm"]
    said = {
        "slow: heads help every seed": all(
            a < b
            for a, b in zip(
                ends("glorot, slow", "with"),
                ends("glorot, slow", "without"),
                strict=True,
            )
        ),
        "fast: one learns, two never start": sorted(
            error > 0.8 for error in ends("glorot", "with")
        )
        == [False, True, True],
        "He: fewer errors, in training too": all(
            sum(ends("he", "with", what)) < sum(ends("he", "without", what))
            for what in ("test_error", "train_error")
        ),
        "batch norm is best without heads": all(
            normed["without"]["test_error_mean"]
            < settings[name]["with"]["test_error_mean"]
            for name in settings
            if name != "batch norm"
        ),
        "heads add less to it than seeds differ by": (
            normed["without"]["test_error_mean"]
            - normed["with"]["test_error_mean"]
            < normed["without"]["test_error_std"]
        ),
        "heads send conv1 more than the end, from Glorot's weights alone": (
            min(first_share("glorot")) > 2
            and max(first_share("he") + first_share("batch norm")) < 1
        ),
    }
    return [sentence for sentence, true in said.items() if not true]


def test_the_record_says_what_the_chapter_says() -> None:
    assert untrue(record()) == []
    spoilt = copy.deepcopy(record())
    settings = spoilt["settings"]
    settings["batch norm"]["without"]["test_error_mean"] = 0.5
    for setting in settings.values():
        for end in zip(
            *(setting[heads]["runs"] for heads in ("with", "without")),
            strict=True,
        ):
            for what in ("test_error", "train_error"):
                end[0][what], end[1][what] = end[1][what], end[0][what]
            start = end[0]["gradients"][0]
            start["last"], start["heads"] = start["heads"], start["last"]
    assert len(untrue(spoilt)) == 6


# ---- The nets behind it ----


@pytest.mark.parametrize("setting", ["he", "batch norm"])
def test_the_deep_net_is_an_eighth_of_the_papers(setting: str) -> None:
    net = bench.SETTINGS[setting][1]().eval()
    anatomy = trace(net, (1, 32, 32))
    assert longest_way(anatomy) == 22
    modules = {
        name.removeprefix("inception"): module
        for name, module in net.named_children()
        if isinstance(module, Inception)
    }
    assert list(modules) == list(TABLE)
    for name, module in modules.items():
        widths = [
            convolution.out_channels
            for convolution in module.modules()
            if isinstance(convolution, torch.nn.Conv2d)
        ]
        assert [8 * width for width in widths] == list(TABLE[name])
    normed = any(isinstance(m, NormedConv) for m in net.modules())
    assert normed == (setting == "batch norm")


def test_heads_are_heard_in_training_alone() -> None:
    net = bench.deep(bench.he)
    x = torch.zeros(2, 1, 32, 32)
    assert [out.shape for out in net.train()(x)] == 3 * [(2, 10)]
    assert net.eval()(x).shape == (2, 10)
    net.auxiliary = False
    assert net.train()(x).shape == (2, 10)


@pytest.mark.parametrize("setting", ["sibling", "he"])
def test_the_first_gradients_are_those_recorded(setting: str) -> None:
    for heads in ("without", "with"):
        torch.manual_seed(0)
        net = bench.SETTINGS[setting][1]()
        net.auxiliary = heads == "with"
        found = bench.gradients(net)
        told = record()["settings"][setting][heads]["runs"][0]["gradients"][0]
        for what in ("last", "heads"):
            here, there = (
                [norm or 0.0 for norm in norms[what]]
                for norms in (found, told)
            )
            assert here == pytest.approx(there, rel=0.05), what
            assert len(there) == len(told["last"])
        doubled = [2 * norm for norm in found["last"]]
        assert doubled != pytest.approx(told["last"], rel=0.05)
        before = copy.deepcopy(net.state_dict())
        bench.gradients(net)
        for name, tensor in net.state_dict().items():
            assert torch.equal(tensor, before[name])
