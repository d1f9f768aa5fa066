"""Draw a digit: the paper in two languages, the net in the page, by hand."""

from __future__ import annotations

import copy
import gzip
import importlib
import json
import random
import re
import statistics
import sys
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from conftest import ROOT
from playwright.sync_api import expect
from py_mini_racer import MiniRacer
from test_browser import accessibility, overflow, visitor

from cnnbook import data, training
from cnnbook.nets import lenet_1998_digits
from cnnbook.widgets import DrawDigit
from cnnbook.widgets import draw_digit as dd

FOLDER = ROOT / "cnnbook" / "widgets"
RESULT = ROOT / "results" / "draw-digit.json"
CASES = 1000


def script() -> str:
    """The widget's arithmetic, after what all widgets share."""
    return "\n".join(
        (FOLDER / name).read_text("utf-8")
        for name in ("base.mjs", "draw_digit/core.mjs")
    )


# ---- Python and JavaScript compute the same ----


@cache
def drawings() -> list[tuple[dict, list[float] | None]]:
    """Random drawings, with the levels of the digit that lies below."""
    rng = random.Random(1998)
    kept = dd.DrawDigit().samples
    cases = []
    for _ in range(CASES):
        picture = rng.choice(["", "", rng.choice(kept)["picture"]])
        strokes = [
            [rng.choice([2, 4.5, 6, 12])]
            + [
                round(rng.uniform(-9, 137), 1)
                for _ in range(2 * rng.randint(1, 4))
            ]
            for _ in range(rng.choice([0, 1, 1, 2]))
        ]
        drawing = {
            "picture": picture,
            "strokes": strokes,
            "move": [rng.choice([0, rng.randint(-10, 10)]) for _ in "xy"],
            "centred": rng.random() < 0.7,
        }
        levels = dd.levels(picture).flatten().tolist() if picture else None
        cases.append((drawing, levels))
    return cases


READ = """
const ink = new Float64Array(128 * 128), field = new Float64Array(1024);
function twin(drawing, pixels) {
  ddInk(ink, drawing, pixels);
  ddRead(field, ink, drawing, pixels);
  return [...field].map((value) => Math.round(1e7 * value));
}
"""


def engine(old: str = "", new: str = "") -> MiniRacer:
    source = script()
    assert source.count(old) == 1 or not old, old
    made = MiniRacer()
    made.eval((source.replace(old, new) if old else source) + READ)
    return made


def far_fields(old: str = "", new: str = "", count: int = CASES) -> int:
    """How many drawings the two languages read differently."""
    cases = drawings()[:count]
    theirs = json.loads(
        engine(old, new).eval(
            f"JSON.stringify({json.dumps(cases)}.map((c) => twin(...c)))"
        )
    )
    ours = [dd.read(drawing).flatten() for drawing, _ in cases]
    return sum(
        np.abs(np.array(their) / 1e7 - our).max() > 1e-6
        for their, our in zip(theirs, ours, strict=True)
    )


def test_both_languages_read_the_same_field():
    assert far_fields() == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("radius + 0.5 - far", "radius - far"),
        ("(ddSide * 14.5) / 28", "(ddSide * 14) / 28"),
        ("if (here < 0.5) continue;", ""),
        ("x(i) = points", "x(i) = 1 + points"),
        ("(ddField / ddBox)", "1"),
        ("+= ink[row * ddPaper + column] / 16", "+= ink[at] / 16"),
        ("centred ? 0 : right", "right"),
    ],
    ids=lambda text: text[:16],
)
def test_the_comparison_of_fields_notices(old, new):
    if old == "x(i) = points":
        old, new = "points[i] + 4 * right", "points[i] + 3 * right"
    assert far_fields(old, new, 60)


def test_both_languages_say_the_same():
    rng = random.Random(5)
    cases = [
        [[rng.uniform(0, 300) for _ in range(10)], rng.uniform(0, 60)]
        for _ in range(CASES)
    ]
    said = engine().eval(
        f"JSON.stringify({json.dumps(cases)}.map((c) => ddSentence(...c)))"
    )
    assert json.loads(said) == [dd.sentence(*case) for case in cases]
    other = engine("label === 8", "label === 1").eval(
        f"JSON.stringify({json.dumps(cases)}.map((c) => ddSentence(...c)))"
    )
    assert json.loads(other) != json.loads(said)


# ---- The paper is that of the data set ----


def test_a_stored_digit_is_enlarged_as_in_training():
    images = data.load("digits").test_images[::50]
    fields = training.prepare(images)[:, 0].numpy()
    ours = 1.275 * dd.enlarge(images[:, 0].double().numpy(), 32) - 0.1
    assert np.abs(ours - fields).max() < 1e-5


def test_a_drawing_lies_where_stored_digits_lie():
    """Their height and centre of mass, which nobody wrote down for us."""
    images = data.load("digits").train_images[:, 0].double().numpy()
    middle = np.arange(20)
    down = [image.sum(axis=1) @ middle / image.sum() for image in images]
    across = [image.sum(axis=0) @ middle / image.sum() for image in images]
    for places in down, across:
        assert statistics.mean(places) == pytest.approx(
            dd.CENTRE - 0.5, abs=0.02
        )
    rng = random.Random(3)
    for _ in range(20):
        points = [rng.uniform(20, 108) for _ in range(8)]
        drawing = dd.EMPTY | {"strokes": [[6, *points]]}
        sheet = dd.ink(drawing)
        stored = dd.normalise(sheet, *dd.measure(sheet))
        rows, columns = ((stored > 0.02).any(axis=a).sum() for a in (1, 0))
        assert 15 <= max(rows, columns) <= 17
        if min(stored[0].max(), stored[-1].max()) == 0:
            assert stored.sum(axis=1) @ middle / stored.sum() == pytest.approx(
                dd.CENTRE - 0.5, abs=0.3
            )
    tall = [
        np.ptp((image > 0.02).any(axis=1).nonzero()) + 1 for image in images
    ]
    assert 15 <= statistics.median(tall) <= 16


def test_where_it_is_drawn_does_not_matter_if_centred():
    stroke = [6, 50, 40, 70, 60, 50, 80]
    moved = [6, *(point + 12 for point in stroke[1:])]
    one, other = (
        dd.read(dd.EMPTY | {"strokes": [path]}) for path in (stroke, moved)
    )
    assert np.abs(one - other).max() < 1e-9
    loose = {"centred": False}
    one, other = (
        dd.read(dd.EMPTY | loose | {"strokes": [path]})
        for path in (stroke, moved)
    )
    assert np.abs(one[:-3, :-3] - other[3:, 3:]).max() < 1e-9


# ---- The record ----


def record() -> dict:
    return json.loads(RESULT.read_text("utf-8"))


def faults(result: dict) -> list[str]:
    """What does not add up in the record."""
    wrong = [
        f"no {key}"
        for key in ("name", "command", "date", "data", "versions", "hardware")
        if not result.get(key)
    ]
    runs = result["train"]["runs"]
    if len({run["seed"] for run in runs}) < 3:
        wrong.append("fewer than three seeds")
    for measure in ("test_accuracy", "in_bytes"):
        values = [run[measure] for run in runs]
        for kind, reckon in (
            ("mean", statistics.mean),
            ("std", statistics.stdev),
        ):
            if (
                abs(result["train"][f"{measure}_{kind}"] - reckon(values))
                > 1e-4
            ):
                wrong.append(f"{measure} is not the {kind}")
    if 1000 * runs[0]["in_bytes"] != result["cases"]["right"]:
        wrong.append("the net that travels is not that of seed 0")
    return wrong


def test_the_record_adds_up():
    assert faults(record()) == []
    assert record()["name"] == RESULT.stem
    assert record()["train"]["parameters"] == 60_000


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("command"),
        lambda r: r["train"]["runs"].pop(),
        lambda r: r["train"].update(in_bytes_mean=0.5),
        lambda r: r["train"].update(test_accuracy_std=0.5),
        lambda r: r["cases"].update(right=999),
    ],
    ids=["command", "two seeds", "mean", "deviation", "another net"],
)
def test_a_spoilt_record_is_noticed(spoil):
    result = copy.deepcopy(record())
    spoil(result)
    assert faults(result)


@pytest.fixture
def benchmark(monkeypatch):
    """The command that made the record, in its own precision."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield importlib.import_module("draw_digit_lenet")
    torch.set_default_dtype(before)
    for name in ("draw_digit_lenet", "lenet_digits"):
        sys.modules.pop(name, None)


def test_the_record_is_what_the_stored_net_does(
    benchmark, monkeypatch, tmp_path
):
    kept = json.loads(dd.DIGITS_FILE.read_text("utf-8"))
    monkeypatch.setattr(dd, "DIGITS_FILE", tmp_path / "digits.json")
    assert benchmark.cases() == record()["cases"]
    assert json.loads(dd.DIGITS_FILE.read_text("utf-8")) == kept


def test_every_failure_is_told_with_its_figures():
    found = record()["cases"]
    told = {case["title"]: case["words"] for case in DrawDigit().cases}
    assert len(told) == 8
    for name, right in found["harmed"].items():
        assert f" {right} " in told[name.split()[0].capitalize()]
        assert right < 650 < 970 < found["right"]
    assert f" {found['right']} " in told["Moved"]
    assert 90 <= found["harmed"]["inverted"] <= 120  # as many as by chance
    by_title = {case["title"]: case for case in found["cases"]}
    letter, cross = by_title["A letter"], by_title["An X"]
    assert letter["answer"] == 5 and letter["distance"] < found["median"]
    assert cross["distance"] > found["limit"] > letter["distance"]
    assert by_title["Nothing"]["distance"] > found["limit"]
    assert by_title["Two digits"]["distance"] > found["limit"]
    for one in (letter, cross, by_title["Nothing"], by_title["Two digits"]):
        assert f"at distance {one['distance']:.1f}" in told[one["title"]]


def test_a_3_whose_bows_are_closed_becomes_an_8(benchmark):
    """The first thing to try on the page."""
    strokes = []
    for digit, *arcs in (
        (3, (60, 43, 22, 20, 200, 450), (60, 84, 24, 21, -90, 160)),
        (9, (60, 43, 22, 20, 90, 200)),
        (8, (60, 84, 24, 21, 160, 270)),
    ):
        path = [point for one in arcs for point in benchmark.arc(*one)]
        strokes.append([6, *path])
        field = dd.read(dd.EMPTY | {"strokes": strokes})
        assert dd.answers(field)["output"].argmin() == digit


def test_the_samples_are_what_they_say():
    digits = data.load("digits")
    samples = DrawDigit().samples
    net = lenet_1998_digits.load_trained()
    for sample in samples:
        image = digits.test_images[sample["digit"]]
        levels = dd.levels(sample["picture"])
        assert np.abs(levels - image[0].numpy()).max() < 1e-6
        assert digits.test_labels[sample["digit"]] == sample["label"]
        assert training.predict(net, image[None]) == sample["read"]
    wrong = [one for one in samples if one["read"] != one["label"]]
    assert len(samples) >= 12 and len(wrong) >= 3


# ---- The widget and its picture ----


def test_the_picture_says_what_it_shows():
    paper = DrawDigit(sample=3)
    assert repr(paper) == "DrawDigit(14 samples, 8 failures, c3.4.5.5)"
    page = paper.to_html()
    assert page == DrawDigit(sample=3).to_html()
    assert page.count("<image ") == 1 + 5 + 1 + 10
    assert "It reads a 3, at distance" in page
    with torch.no_grad():
        net = lenet_1998_digits.load_trained()
        distances = net(paper.field())[0]
    for distance in distances.tolist():
        assert f"<td>{distance:.1f}</td>" in page
    for case in paper.cases:
        assert f"<b>{case['title']}</b>" in page
    assert len(paper._static()) < 25_000


def test_weights_are_light():
    state = DrawDigit().state()["net"]
    assert len(gzip.compress(json.dumps(state).encode())) <= 70_000


def test_a_wrong_argument_gets_a_sentence():
    with pytest.raises(ValueError, match="no sample 99; try 0 to 13"):
        DrawDigit(sample=99)
    paper = DrawDigit(unit="f6.83.0.0")
    for unit in ("c3.16.0.0", "c9.0.0.0", "c3.1", "c3.1.0.-1", "s4.0.5.0"):
        with pytest.raises(ValueError, match=f"no unit '{unit}'; name a lay"):
            paper.unit = unit
    with pytest.raises(ValueError, match="A drawing has picture, strokes, "):
        paper.drawing = {"strokes": [[6, 64, 20, 64, 108]]}


def test_own_drawings_reach_a_network():
    paper = DrawDigit()
    paper.drawing = dd.EMPTY | {"strokes": [[6, 64, 20, 64, 108]]}
    net = lenet_1998_digits.load_trained()
    with torch.no_grad():
        assert net(paper.field()).argmin() == 1


def test_changed_weights_are_refused(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(lenet_1998_digits.TRAINED_FILE.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged or of another version"):
        lenet_1998_digits.load_trained(path)


# ---- In the page: the network ----


@pytest.fixture(scope="module")
def desk(browser, tmp_path_factory) -> Iterator:
    """The widget on a page of its own, as the site shows it, once for all."""
    from website.extensions.scripts import as_classic, module_of

    widget = DrawDigit(sample=3)
    host = (ROOT / "website" / "assets" / "host.js").read_text("utf-8")
    code = (FOLDER / "base.mjs").read_text("utf-8") + host
    code += as_classic("draw_digit", module_of("draw_digit"))
    core = (FOLDER / "draw_digit" / "core.mjs").read_text("utf-8")
    file = tmp_path_factory.mktemp("draw") / "page.html"
    file.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Draw</title><style>{widget._css} main {{max-width: 44rem}}"
        f"</style><script>{code}</script><script>{core}</script>"
        f"<main><h1>Draw</h1>{widget.to_html()}<p>{'<br>' * 60}</p></main>",
        encoding="utf-8",
    )
    with visitor(browser) as page:
        page.file = file.as_uri()
        yield page


@pytest.fixture
def page(desk):
    """The page as it is at first."""
    desk.go(desk.file)
    desk.locator("[data-live]").wait_for()
    yield desk
    assert desk.seen == {"foreign": [], "errors": []}


ANSWER = """fields => {
  const place = document.querySelector(".cnn-widget");
  const layers = ddLayers(JSON.parse(place.dataset.state).net);
  const field = new Float64Array(1024);
  return fields.map((levels) => {
    const pixels = Float64Array.from(levels, (level) => level / 255);
    const drawing = { picture: "yes", strokes: [], move: [0, 0],
      centred: true };
    ddRead(field, null, drawing, pixels);
    return [...ddForward(layers, field)];
  });
}"""


@cache
def torch_distances() -> torch.Tensor:
    """What torch answers to the test digits, in float64."""
    images = data.load("digits").test_images.double()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            net = lenet_1998_digits.load_trained().double()
            return net(training.prepare(images))
    finally:
        torch.set_default_dtype(before)


def levels() -> list[list[int]]:
    images = data.load("digits").test_images
    return (255 * images).round().int().flatten(1).tolist()


def test_the_page_answers_as_torch_does(page):
    theirs = torch.tensor(page.evaluate(ANSWER, levels()))
    assert theirs.shape == (1000, 10)
    assert (theirs - torch_distances()).abs().max() < 1e-4
    assert (theirs.argmin(dim=1) == torch_distances().argmin(dim=1)).all()
    right = theirs.argmin(dim=1) == data.load("digits").test_labels
    assert int(right.sum()) == record()["cases"]["right"]


def test_the_comparison_with_torch_notices(page):
    spoilt = ANSWER.replace("const field", "layers[1].bias[3] += 1e-4; $&")
    spoilt = spoilt.replace("$&", "const field")
    theirs = torch.tensor(page.evaluate(spoilt, levels()[::50]))
    assert (theirs - torch_distances()[::50]).abs().max() > 1e-4


def shown(page) -> list[float]:
    texts = page.locator(".dd-distances span").all_text_contents()
    return [float(text) for text in texts]


def test_the_samples_show_what_torch_says(page):
    thumbs = page.locator(".dd-thumb")
    for place, sample in enumerate(DrawDigit().samples):
        thumbs.nth(place).click()
        expected = torch_distances()[sample["digit"]].tolist()
        for ours, theirs in zip(shown(page), expected, strict=True):
            assert ours == pytest.approx(
                theirs, abs=0.051 if theirs < 99 else 0.51
            )
        words = page.locator(".dd-answer span").inner_text()
        assert words == dd.sentence(expected, DrawDigit().limit)
        assert thumbs.nth(place).get_attribute("aria-pressed") == "true"


def test_every_unit_is_the_sum_that_is_written(page):
    """Each layer's units, from their inputs, weights and bias, by hand."""
    worst = page.evaluate(
        """() => {
        const place = document.querySelector(".cnn-widget");
        const layers = ddLayers(JSON.parse(place.dataset.state).net);
        const field = Float64Array.from({ length: 1024 },
          (_, i) => Math.sin(i * i));
        ddForward(layers, field);
        let worst = 0, count = 0;
        layers.forEach(({ maps, to, kind, bias, out }, level) => {
          for (let at = 0; at < out.length; at += 1) {
            const unit = [level, Math.floor(at / to / to),
              Math.floor(at / to) % to, at % to];
            const sum = ddInputs(layers, field, unit)
              .reduce((all, one) => all + one.sum, 0);
            const value = kind === "rbf" ? sum
              : 1.7159 * Math.tanh(2 / 3 * (sum + bias[unit[1]]));
            worst = Math.max(worst, Math.abs(value - out[at]));
            count += 1;
          }
        });
        return [worst, count]; }"""
    )
    assert worst[0] < 1e-9
    assert worst[1] == sum(maps * side**2 for maps, side in dd.LAYERS.values())


def test_a_unit_sees_what_its_frame_shows(page):
    """Noise outside the frame changes nothing; inside it does."""
    inside, outside = page.evaluate(
        """() => {
        const place = document.querySelector(".cnn-widget");
        const layers = ddLayers(JSON.parse(place.dataset.state).net);
        const seen = [];
        for (const wanted of [true, false]) {
          let least = Infinity, most = 0;
          for (const [level, row, column] of
            [[0, 3, 9], [1, 0, 13], [1, 6, 2], [2, 9, 4], [3, 4, 1]]) {
            const [top, left, side] = ddSees(level, row, column);
            const field = new Float64Array(1024);
            const at = row * layers[level].to + column;
            ddForward(layers, field);
            const before = layers[level].out[at];
            for (let i = 0; i < 1024; i += 1) {
              const [y, x] = [Math.floor(i / 32), i % 32];
              const within = y >= top && y < top + side && x >= left
                && x < left + side;
              if (within === wanted) field[i] = Math.sin(i + 1);
            }
            ddForward(layers, field);
            const moved = Math.abs(layers[level].out[at] - before);
            least = Math.min(least, moved);
            most = Math.max(most, moved);
          }
          seen.push([least, most]);
        }
        return seen; }"""
    )
    assert inside[0] > 1e-3 and outside[1] == 0


# ---- In the page: a person ----


def words(page) -> str:
    return page.locator(".dd-answer span").inner_text()


def stroke(page, *points: tuple[float, float]) -> None:
    """Draw with the mouse; the paper is 1 wide and 1 high."""
    box = page.locator(".dd-paper").bounding_box()
    places = [
        (box["x"] + x * box["width"], box["y"] + y * box["height"])
        for x, y in points
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def test_by_mouse(page):
    undo = page.get_by_role("button", name="Undo")
    assert undo.is_disabled() and words(page).startswith("It reads a 3")
    stroke(page, (0.5, 0.2), (0.5, 0.8))  # takes the place of the 3
    assert words(page).startswith("It reads a 1, at distance")
    assert page.locator(".dd-paper polyline").count() == 1
    undo.click()
    undo.click()
    assert undo.is_disabled() and words(page).startswith("It reads a 3")
    page.locator(".dd-thumb").nth(3).click()  # but one that was chosen stays
    stroke(page, (0.1, 0.5), (0.1, 0.9))
    assert not words(page).startswith("It reads a 1, at distance 0.")
    page.get_by_role("button", name="Clear").click()
    assert words(page).startswith("It reads a 1, at distance 24.9")
    assert page.locator(".dd-hint").is_visible()
    stroke(page, (0.3, 0.25), (0.7, 0.25), (0.45, 0.85))
    assert words(page).startswith("It reads a 7")
    assert not page.locator(".dd-hint").is_visible()
    assert page.locator(".dd-paper polyline").count() == 1
    undo.click()
    assert page.locator(".dd-paper polyline").count() == 0
    stroke(page, (0.5, 0.2), (0.5, 0.8))
    assert words(page).startswith("It reads a 1, at distance")
    expect(page.locator(".cnn-live")).to_have_text(words(page))
    page.go(page.file)  # nothing is kept
    assert words(page).startswith("It reads a 3")


def test_off_centre_it_fails_and_centring_mends_it(page):
    page.get_by_role("button", name="Clear").click()
    stroke(page, (0.05, 0.05), (0.35, 0.05), (0.15, 0.45))
    assert words(page).startswith("It reads a 7")
    page.get_by_label("Scale and centre").uncheck()
    assert not words(page).startswith("It reads a 7")
    page.get_by_label("Scale and centre").check()
    slider = page.get_by_label("Move right")
    for _ in range(9):
        slider.press("ArrowRight")
    assert words(page).startswith("It reads a 7")


def test_by_keyboard(page):
    keys = page.keyboard
    for _ in range(60):
        keys.press("Tab")
        if page.evaluate("document.activeElement.className") == "dd-paper":
            break
    keys.press("Delete")
    assert page.locator(".dd-pen").is_visible()
    keys.press("Space")
    for _ in range(18):
        keys.press("ArrowDown")
    assert words(page).startswith("It reads a 1, at distance")
    keys.press("Space")
    assert page.locator(".dd-paper polyline").count() == 1
    keys.press("ArrowLeft")
    live = page.locator(".cnn-live")
    expect(live).to_contain_text("Pen at 47 across")
    keys.press("Control+z")
    assert page.locator(".dd-paper polyline").count() == 0
    for _ in range(9):
        keys.press("Tab")
        if "dd-maps" in page.evaluate("document.activeElement.className"):
            break
    title = page.locator(".dd-title")
    for key, expected in (
        ("ArrowRight", "C3, map 4, row 5, column 6"),
        ("Shift+ArrowLeft", "C3, map 3, row 5, column 6"),
        ("ArrowDown", "C3, map 3, row 6, column 6"),
        ("PageUp", "S2, map 1, row 9, column 9"),
        ("PageUp", "C1, map 1, row 19, column 19"),
        ("PageUp", "C1, map 1, row 19, column 19"),
        ("Shift+ArrowLeft", "C1, map 0, row 19, column 19"),
        ("Shift+ArrowLeft", "C1, map 0, row 19, column 19"),
        ("PageDown", "S2, map 0, row 9, column 9"),
        ("PageDown", "C3, map 1, row 6, column 6"),
        ("PageDown", "S4, map 1, row 3, column 3"),
        ("PageDown", "C5, unit 11"),
        ("ArrowDown", "C5, unit 41"),
        ("PageDown", "F6, unit 29"),
        ("PageDown", "Distance to the 3"),
        ("ArrowLeft", "Distance to the 2"),
    ):
        keys.press(key)
        assert title.inner_text() == expected, key
        assert page.locator(".dd-maps[tabindex='0']").count() == 1
    expect(live).to_contain_text("Distance to the 2: ")


def test_a_map_of_c3_is_looked_into(page):
    """Point at map 15, which sees all six maps of S2."""
    sheet = page.locator(".dd-c3 .dd-maps")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    at = (box["x"] + 0.95 * box["width"], box["y"] + 0.75 * box["height"])
    page.mouse.move(*at)
    title = page.locator(".dd-title")
    assert title.inner_text().startswith("C3, map 15, row")
    assert (
        "S2, maps 0, 1, 2, 3, 4, 5, and"
        in page.locator(".dd-unit").inner_text()
    )
    assert page.locator(".dd-table .dd-lit").count() == 6
    frames = page.locator(".dd-s2 rect.dd-seen:visible")
    assert frames.count() == 6
    assert page.locator(".dd-c3 rect.dd-own:visible").count() == 1
    page.get_by_text("Every term of the sum").evaluate("s => s.click()")
    terms = page.locator(".dd-terms p")
    assert terms.count() == 6
    numbers = [
        float(text.rpartition("= ")[2].replace("\u2212", "-"))
        for text in terms.all_text_contents()
    ]
    lines = page.locator(".dd-lines").inner_text().replace("\u2212", "-")
    total = float(re.search(r"a = (-?[\d.]+) ", lines)[1])
    assert total == pytest.approx(sum(numbers), abs=0.04)
    value = float(lines.split("= ")[-1])
    answer = float(re.search(r"\(b\) = (-?[\d.]+)", lines)[1])
    squashed = 1.7159 * np.tanh(2 / 3 * answer)
    assert value == pytest.approx(squashed, abs=0.011)
    page.mouse.move(5, 5)  # the mouse goes: the held unit is back
    assert title.inner_text() == "C3, map 4, row 5, column 5"
    page.mouse.click(*at)
    page.mouse.move(5, 5)
    assert title.inner_text().startswith("C3, map 15")


def test_the_frame_on_the_paper_follows_the_drawing(page):
    """It frames the same ink on the paper as in the field."""
    rect = page.locator(".dd-paper rect.dd-seen")
    page.get_by_role("button", name="Clear").click()
    stroke(page, (0.1, 0.1), (0.1, 0.3))  # small, in a corner
    small = float(rect.get_attribute("width"))
    page.get_by_role("button", name="Clear").click()
    stroke(page, (0.5, 0.1), (0.5, 0.9))
    assert float(rect.get_attribute("width")) > 2.5 * small
    page.get_by_label("Scale and centre").uncheck()
    assert float(rect.get_attribute("width")) == 14 * 4


def test_every_failure_is_a_button(page):
    for one in DrawDigit().cases:
        chosen = page.get_by_role("button", name=one["title"], exact=True)
        chosen.click()
        assert words(page).startswith(f"It reads {dd.named(one['answer'])},")
        assert f"at distance {one['distance']:.1f};" in words(page)
        assert page.locator(".dd-why").inner_text() == one["words"]
        assert chosen.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Undo").click()
    assert page.locator(".dd-why").text_content() != one["words"]
    page.get_by_role("button", name="Nothing").click()
    said = page.locator(".cnn-live")  # the answer and the failure
    expect(said).to_contain_text("It reads a 1, at distance")
    expect(said).to_contain_text("Empty paper is read as a 1")


def test_by_touch(browser, desk):
    """A finger draws on the paper, and moves the page beside it."""
    with visitor(browser, 375, has_touch=True, is_mobile=True) as page:
        page.go(desk.file)
        page.locator("[data-live]").wait_for()
        page.get_by_role("button", name="Clear").tap()
        client = page.context.new_cdp_session(page)

        def swipe(points: list[tuple[float, float]]) -> None:
            for kind, some in (
                ("touchStart", points[:1]),
                *(("touchMove", [point]) for point in points[1:]),
                ("touchEnd", []),
            ):
                places = [{"x": x, "y": y} for x, y in some]
                client.send(
                    "Input.dispatchTouchEvent",
                    {"type": kind, "touchPoints": places},
                )

        paper = page.locator(".dd-paper")
        paper.scroll_into_view_if_needed()
        box = paper.bounding_box()
        before = page.evaluate("scrollY")
        middle = box["x"] + box["width"] / 2
        high = box["y"] + 0.8 * box["height"]
        swipe([(middle, high - 8 * n) for n in range(24)])
        assert page.evaluate("scrollY") == before
        assert page.locator(".dd-paper polyline").count() == 1
        assert words(page).startswith("It reads a 1, at distance")
        maps = page.locator(".dd-c1 .dd-maps")
        maps.scroll_into_view_if_needed()
        title = page.locator(".dd-title")
        for _ in range(4):  # a busy machine takes a tap for a long press
            maps.tap()
            page.wait_for_timeout(100)
            if title.inner_text().startswith("C1, map"):
                break
        expect(title).to_contain_text("C1, map")
        before = page.evaluate("scrollY")
        box = maps.bounding_box()
        swipe([(middle, box["y"] + 20 - 8 * n) for n in range(24)])
        page.wait_for_timeout(100)
        assert page.evaluate("scrollY") > before
        assert overflow(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_is_silent(page, scheme):
    page.emulate_media(color_scheme=scheme)
    if scheme == "dark":
        page.evaluate("document.documentElement.setAttribute('theme', 'dark')")
        page.add_style_tag(content="body { background: #14181d }")
    page.get_by_text("Every term of the sum").click()
    page.get_by_role("button", name="Moved").click()
    assert accessibility(page, ".cnn-widget") == []


def test_it_follows_the_page_into_the_dark(page):
    read = """canvas => [...canvas.getContext("2d").getImageData(
      0, 0, canvas.width, canvas.height).data]
      .filter((_, i, all) => all[4 * (i >> 2) + 3] > 99).slice(0, 3)"""
    canvas = page.locator(".dd-f6 canvas")
    light = canvas.evaluate(read)
    page.evaluate("document.documentElement.setAttribute('theme', 'dark')")
    page.evaluate(
        "document.documentElement.setAttribute('data-theme', 'dark')"
    )
    page.wait_for_timeout(50)
    assert sum(canvas.evaluate(read)) > sum(light) + 200


# ---- The page of the book ----


def test_the_page_is_light(browser, built_site, site_server):
    """All requests of the drawing page, as gzip sends them."""
    with visitor(browser) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.go(f"{site_server}/chapters/draw_a_digit.html")
        page.locator("[data-live]").wait_for()
        assert page.seen == {"foreign": [], "errors": []}
    paths = {url.split("?")[0].removeprefix(site_server) for url in asked}
    sizes = {
        path: len(gzip.compress((built_site / path[1:]).read_bytes(), 6))
        for path in paths
    }
    assert sum(sizes.values()) <= 350_000, sizes
    assert len(sizes) <= 28, sizes
