"""The depth explorer, and the recorded runs behind it."""

from __future__ import annotations

import copy
import json
import random
import re
from functools import cache
from math import comb, isclose
from pathlib import Path

import jsonschema
import pytest
import torch
from axe_core_python.sync_playwright import Axe
from py_mini_racer import MiniRacer
from test_memory_budget import Cells

from cnnbook.nets.cifar_resnet import CifarResNet
from cnnbook.widgets import DepthExplorer
from cnnbook.widgets import depth_explorer as dp

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "cnnbook" / "widgets"
RESULTS = ROOT / "results"
CASES = 1200


# ---- The recorded runs ----


@cache
def record() -> dict:
    return json.loads((RESULTS / "degradation.json").read_text("utf-8"))


def faults(result: dict) -> list[str]:
    """Everything wrong with a recorded result."""
    schema = json.loads((RESULTS / "degradation.schema.json").read_text())
    schema = jsonschema.Draft202012Validator(schema)
    wrong = [error.message for error in schema.iter_errors(result)]
    seeds: dict[tuple[str, int], set[int]] = {}
    for run in () if wrong else result["runs"]:
        name = f"{run['kind']}-{run['depth']}, seed {run['seed']}"
        seeds.setdefault((run["kind"], run["depth"]), set()).add(run["seed"])
        moments, layers = len(result["moments"]), run["depth"] - 1
        for part in ("gradient", "weight"):
            if [len(row) for row in run[part]] != moments * [layers]:
                wrong.append(f"{name}: {part} of other moments or layers")
        for part in ("loss", "seen_error", "train_error", "test_error"):
            if len(run[part]) != result["moments"][-1]:
                wrong.append(f"{name}: {part} of other epochs")
        if run["parameters"] != size(run["kind"], run["depth"]):
            wrong.append(f"{name}: parameters of another net")
    kinds, depths = zip(*seeds, strict=True) if seeds else ((), ())
    if set(seeds) != {(k, d) for k in kinds for d in depths}:
        wrong.append("not every depth is there in both kinds")
    wrong += [f"{n}: too few seeds" for n, s in seeds.items() if len(s) < 3]
    runs = sum(map(len, seeds.values()))
    if seeds and runs < len(result["runs"]):
        wrong.append("a seed counts twice")
    return wrong


@cache
def size(kind: str, depth: int) -> int:
    option = {"plain": "none", "residual": "A"}[kind]
    with torch.device("meta"):
        net = CifarResNet(depth, in_channels=1, option=option, width=8)
    return sum(p.numel() for p in net.parameters())


def test_the_record_is_complete() -> None:
    assert faults(record()) == []
    assert {56, 20} <= {run["depth"] for run in record()["runs"]}


def test_faults_of_a_record_are_found() -> None:
    def broken(change) -> list[str]:
        result = copy.deepcopy(record())
        change(result["runs"])
        return faults(result)

    assert "too few seeds" in broken(lambda runs: runs.pop())[0]
    assert "twice" in broken(lambda runs: runs.append(runs[0]))[0]
    assert "other epochs" in broken(lambda runs: runs[0]["loss"].pop())[0]
    assert "layers" in broken(lambda runs: runs[0]["weight"][1].pop())[0]
    assert "another" in broken(lambda runs: runs[0].update(parameters=9))[0]
    assert "greater" in broken(lambda runs: runs[0]["test_error"].append(2))[0]
    assert broken(lambda runs: runs[0].pop("kind"))


def test_plain_nets_degrade_and_residual_ones_do_not() -> None:
    """On training digits, for each seed; gradients do not vanish."""
    of = {(r["kind"], r["depth"], r["seed"]): r for r in record()["runs"]}
    for seed in range(3):
        end = {key[:2]: run["train_error"][-1]
               for key, run in of.items() if key[2] == seed}  # fmt: skip
        assert end["plain", 56] > 3 * end["plain", 20]
        assert end["residual", 56] < end["plain", 20]
        plain = of["plain", 56, seed]
        steep = [w * g for w, g in zip(plain["weight"][0],
                 plain["gradient"][0], strict=True)]  # fmt: skip
        assert steep[0] > 10 * steep[-1]


def test_the_widget_shows_what_was_recorded() -> None:
    shown = json.loads(dp.RUNS_FILE.read_text("utf-8"))
    assert shown == dp.summary(record())
    changed = copy.deepcopy(record())
    changed["runs"][0]["test_error"][-1] += 0.001
    assert shown != dp.summary(changed)


# ---- Python and JavaScript compute the same ----


def drawn() -> list[list]:
    """Random records, each with a net and a moment."""
    rng = random.Random(56)
    cases = []
    for _ in range(CASES):
        depths = sorted(rng.sample([8, 14, 20, 32, 56, 80], rng.randint(1, 3)))
        epochs, seeds = rng.randint(1, 9), rng.randint(1, 5)
        moments = sorted(rng.sample(range(epochs + 1), rng.randint(1, 2)))

        def errors(seeds=seeds, epochs=epochs):
            most = rng.choice([20, 1000])
            return [
                [rng.randint(0, most) for _ in range(epochs)]
                for _ in range(seeds)
            ]

        nets = {
            f"{kind}-{depth}": {
                "train": errors(),
                "test": errors(),
                "steep": [
                    [rng.randint(-350, 320) for _ in range(depth - 1)]
                    for _ in moments
                ],
            }
            for kind in dp.KINDS
            for depth in depths
        }
        data = {"moments": moments, "decades": [-4, 4], "nets": nets}
        chosen = rng.choice(dp.KINDS), rng.choice(depths), rng.choice(moments)
        cases.append([data, *chosen])
    return cases


TWINS = {
    "dpPicture": (dp.picture, lambda c: c),
    "dpSentence": (dp.sentence, lambda c: c),
    "dpDepths": (dp.depths, lambda c: c[:1]),
    "dpMiddle": (dp.middle, lambda c: [(c[2] - 2) // 2]),
}


def differences(name: str, old: str = "", new: str = "") -> list:
    """The cases on which the two languages differ, a passage changed."""
    source = (FOLDER / "depth_explorer" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    twin, arguments = TWINS[name]
    cases = [arguments(case) for case in drawn()]
    assert len(cases) >= 1000
    with MiniRacer() as engine:
        engine.eval((FOLDER / "base.mjs").read_text("utf-8"))
        engine.eval(re.sub(r"^export default .*$", "", source, flags=re.M))
        text = json.dumps(cases)
        theirs = json.loads(
            engine.eval(f"JSON.stringify({text}.map((a) => {name}(...a)))")
        )
    ours = [json.loads(json.dumps(twin(*case))) for case in cases]
    pairs = zip(ours, theirs, strict=True)
    return [pair for pair in pairs if pair[0] != pair[1]]


@pytest.mark.parametrize("name", TWINS)
def test_both_languages_agree(name: str) -> None:
    assert differences(name) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("dpPicture", "i, last)} ${", "i, last)},${"),
        ("dpPicture", "others: dpMean(other.train)", "others: ''"),
        ("dpPicture", "100 * (high - low)", "100 * high"),
        ("dpPicture", "100 * high - value", "high - value"),
        ("dpPicture", "(blocks - k + 1)) / k", "(blocks - k)) / k"),
        ("dpPicture", "whole - wrong.reduce", "wrong.reduce"),
        ("dpPicture", "20_000 * part + whole", "20_000 * part"),
        ("dpSentence", "(2 * total + count)", "(2 * total)"),
        ("dpSentence", "ratio >= 9.95", "ratio >= 9"),
        ("dpSentence", "start >= end ?", "start < end ?"),
        ("dpSentence", "After ${moment} epoch", "After ${moment}"),
        ("dpDepths", "a - b", "b - a"),
        ("dpMiddle", "9 * 2 **", "8 * 2 **"),
    ],
)  # fmt: skip
def test_the_comparison_notices(name: str, old: str, new: str) -> None:
    assert differences(name, old, new)


# ---- Numbers ----


def test_the_middle_holds_nine_paths_in_ten() -> None:
    for blocks in range(1, 55):
        low, high = dp.middle(blocks)
        counts = [comb(blocks, k) for k in range(blocks + 1)]
        assert 10 * sum(counts[low : high + 1]) >= 9 * sum(counts)
        if high - low > 1:
            assert 10 * sum(counts[low + 1 : high]) < 9 * sum(counts)


@pytest.mark.parametrize(
    ("decades", "text"),
    [(0, "1.0"), (30, "2.0"), (99, "9.8"), (100, "10"), (345, "2,818")],
)
def test_ratios_are_written(decades: int, text: str) -> None:
    assert dp.times(decades) == text
    assert isclose(float(text.replace(",", "")), 10 ** (decades / 100),
                   rel_tol=0.03)  # fmt: skip


# ---- What stands in the page without a script ----


def test_the_same_widget_gives_the_same_page() -> None:
    one, other = (
        DepthExplorer("residual", 20, 5),
        DepthExplorer("residual", 20, 5),
    )
    assert repr(one) == "DepthExplorer(kind='residual', depth=20, moment=5)"
    assert one.to_html() == other.to_html() != DepthExplorer().to_html()
    assert len(one.to_html()) < 24_000


def test_the_table_has_all_nets() -> None:
    data = DepthExplorer().data
    rows = Cells(dp.table(data, "plain", 20)).rows[1:]
    assert [row[0] for row in rows] == [
        f"{depth} layers" for depth in dp.depths(data)
    ]
    plain = [run for run in record()["runs"]
             if (run["kind"], run["depth"]) == ("plain", 20)]  # fmt: skip
    mean = sum(run["test_error"][-1] for run in plain) / len(plain)
    assert abs(float(rows[1][2].split()[0]) - 100 * mean) <= 0.051


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kind": "dense"}, "no kind 'dense'; try 'plain', 'residual'"),
        ({"depth": 50}, "no depth 50; try 8, 20, 32, 44, 56"),
        ({"moment": 3}, "no moment 3; try 0, 1, 2, 5, 10, 20"),
    ],
)
def test_what_was_not_recorded_gets_a_sentence(settings, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        DepthExplorer(**settings)


# ---- By hand, in a browser ----


def said(*chosen) -> str:
    return dp.sentence(DepthExplorer().data, *chosen)


def lines(text: str) -> list[str]:
    """The paths of all charts, in order."""
    return re.findall(r' d="([^"]*)"', text)


@pytest.mark.parametrize("chosen", [("plain", 56, 0), ("residual", 8, 20)])
def test_the_script_draws_what_stood_there(show, chosen) -> None:
    widget = DepthExplorer(*chosen)
    page = show(widget)
    figure = page.locator("figure")
    assert lines(figure.inner_html()) == lines(widget._static())
    assert len(lines(widget._static())) == 7
    assert page.locator("figcaption").text_content() == said(*chosen)
    cells = page.locator("tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(c => c.textContent))"
    )
    assert cells == Cells(widget.to_html()).rows
    texts = page.locator("figure text").all_text_contents()
    still = re.findall(r"<text[^>]*>([^<]*)<", widget._static())
    assert texts == still
    assert page.locator(".dp-on").count() == 2


def test_by_mouse(show) -> None:
    page = show(DepthExplorer())
    words = page.locator("figcaption")
    page.get_by_label("Kind").select_option("residual")
    assert words.text_content() == said("residual", 56, 0)
    box = page.get_by_label("Depth").bounding_box()
    page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    assert words.text_content() == said("residual", 8, 0)
    on = page.locator(".dp-on").first.locator("xpath=..")
    assert on.locator("th").text_content() == "8 layers"


def test_by_keyboard(show) -> None:
    page = show(DepthExplorer())
    words = page.locator("figcaption")
    depth = page.get_by_label("Depth")
    depth.press("ArrowLeft")
    assert words.text_content() == said("plain", 44, 0)
    assert depth.get_attribute("aria-valuetext") == "44 layers"
    late = page.get_by_label("Gradients after")
    late.press("ArrowRight")
    assert words.text_content() == said("plain", 44, 1)
    assert late.get_attribute("aria-valuetext") == "1 epoch"
    late.press("End")
    assert late.get_attribute("aria-valuetext") == "20 epochs"
    live = page.locator(".cnn-live")
    page.wait_for_timeout(700)
    assert live.text_content() == words.text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_it_fits_and_axe_is_silent(show, width, scheme) -> None:
    page = show(
        DepthExplorer(),
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
    )
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    assert Axe().run(page)["violations"] == []


def test_it_stands_without_scripts(show) -> None:
    page = show(DepthExplorer(), java_script_enabled=False)
    assert page.locator("figure path").count() == 7
    assert page.locator("figcaption").text_content() == said("plain", 56, 0)
