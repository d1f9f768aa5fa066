"""The neuron viewer: its data, its two languages, by mouse and keyboard."""

from __future__ import annotations

import base64
import io
import json
import random
import re
from functools import cache

import pytest
import torch
from axe_core_python.sync_playwright import Axe
from conftest import ROOT
from PIL import Image
from py_mini_racer import MiniRacer

from cnnbook import data, deconvnet, training
from cnnbook.nets import zfnet_digits
from cnnbook.widgets import NeuronViewer
from cnnbook.widgets import neuron_viewer as nv

FOLDER = ROOT / "cnnbook" / "widgets"
CASES = 1000


# ---- Python and JavaScript compute the same ----


@cache
def drawn() -> list[dict]:
    """Random data of the viewer's form, a unit and a box with each."""
    rng = random.Random(2013)

    def signs(count: int) -> str:
        return "".join(rng.choices("0123456789abcde", k=count))

    cases = []
    for _ in range(CASES):
        side, step = rng.choice([(4, 2), (6, 2), (6, 3), (8, 1)])
        box = [rng.randrange(side), rng.randrange(side)]
        box += [rng.randint(1, side - at) for at in box]
        seen = [
            {
                "digit": str(rng.randrange(1000)),
                "label": rng.randrange(10),
                "value": f"{rng.uniform(0, 99):.2f}",
                "box": box,
                "worst": [rng.randrange(32), rng.randrange(32),
                          rng.randint(0, 100)],
            }
            for _ in range(rng.randint(1, 4))
        ]  # fmt: skip
        layers = [
            {
                "name": f"conv{n}",
                "field": rng.randint(1, 50),
                "units": [
                    {"channel": channel, "seen": seen}
                    for channel in rng.sample(range(99), 2)
                ],
            }
            for n in range(rng.randint(1, 3))
        ]
        world = {"side": side, "cover": rng.randint(1, 9), "step": step}
        world |= {"layers": layers}
        cases.append(
            {
                "data": world,
                "unit": rng.choice(nv.units(world)),
                "digit": signs(side**2),
                "packed": nv.pack(
                    "".join(
                        sign * rng.choice([1, 2, 3, 22, 23, 24, 90])
                        for sign in signs(9)
                    )
                ),
                "left": signs((side // step) ** 2),
            }
        )
    return cases


TWINS = {
    "nvUnpack": (nv.unpack, lambda c: [c["packed"]]),
    "nvCut": (
        nv.cut,
        lambda c: [
            c["digit"],
            c["data"]["side"],
            c["data"]["layers"][0]["units"][0]["seen"][0]["box"],
        ],
    ),
    "nvGrey": (nv.grey, lambda c: [c["digit"]]),
    "nvSigned": (nv.signed, lambda c: [c["digit"], c["digit"][::-1]]),
    "nvHeat": (
        nv.heat,
        lambda c: [
            c["left"],
            c["digit"],
            c["data"]["side"],
            c["data"]["step"],
        ],
    ),
    "nvSentence": (nv.sentence, lambda c: [c["data"], c["unit"]]),
    "nvLabels": (
        nv.labels,
        lambda c: [c["data"]["layers"][0]["units"][0]["seen"][0]],
    ),
}


def differences(name: str, old: str = "", new: str = "") -> list:
    """The cases on which the two languages differ, a passage changed."""
    source = (FOLDER / "neuron_viewer" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    engine = MiniRacer()
    engine.eval((FOLDER / "base.mjs").read_text("utf-8"))
    engine.eval(re.sub(r"^export default .*$", "", source, flags=re.M))
    twin, arguments = TWINS[name]
    cases = [arguments(case) for case in drawn()]
    theirs = json.loads(
        engine.eval(
            f"JSON.stringify({json.dumps(cases)}.map((a) => {name}(...a)))"
        )
    )
    assert len(cases) == len(theirs) == CASES
    ours = [json.loads(json.dumps(twin(*case))) for case in cases]
    return [pair for pair in zip(ours, theirs, strict=True) if len({*map(
        json.dumps, pair)}) > 1]  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_both_languages_agree(name):
    assert differences(name) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("nvUnpack", "charCodeAt(0) - 99", "charCodeAt(0) - 98"),
        ("nvCut", "r < row + height", "r <= row"),
        ("nvGrey", "Math.floor((255 *", "Math.round((255 *"),
        ("nvSigned", "level > 0", "level < 0"),
        ("nvSigned", "255 - 5 *", "255 - 4 *"),
        ("nvHeat", "shade) / (2 * nvTop)", "shade) / nvTop"),
        ("nvHeat", "at % side) / step", "at % side) / side"),
        ("nvSentence", "label === 8", "label === 1"),
        ("nvSentence", "seen[0].worst", "seen.at(-1).worst"),
        ("nvLabels", "column ${column}`", "column ${row}`"),
    ],
)
def test_the_comparison_notices(name, old, new):
    assert differences(name, old, new)


# ---- The data are what the net saw ----


@cache
def recorded() -> dict:
    return json.loads(nv.DIGITS_FILE.read_text("utf-8"))


def far(text: str, other: str) -> int:
    """The largest difference of two pictures, in levels."""
    text, other = nv.unpack(text), nv.unpack(other)
    assert len(text) == len(other)
    return max(
        abs(int(a, 16) - int(b, 16)) for a, b in zip(text, other, strict=True)
    )


def test_the_record_is_what_the_stored_net_sees():
    net = zfnet_digits.load_trained().double()
    digits = data.load("digits")
    images = training.prepare(digits.test_images).double()
    channels = {
        layer["name"]: [unit["channel"] for unit in layer["units"]][:1]
        for layer in recorded()["layers"]
    }
    fresh = nv.look(net, images, digits.test_labels, channels)
    assert fresh["side"] == recorded()["side"] == 32
    for key, text in fresh["digits"].items():
        assert far(text, recorded()["digits"][key]) <= 1
    pairs = zip(fresh["layers"], recorded()["layers"], strict=True)
    for new, old in pairs:
        assert new["field"] == old["field"]
        (ours,), (theirs, *_) = new["units"], old["units"]
        for one, other in zip(ours["seen"], theirs["seen"], strict=True):
            for key in ("digit", "label", "box"):
                assert one[key] == other[key]
            assert float(one["value"]) == pytest.approx(
                float(other["value"]), abs=0.011
            )
            assert far(one["picture"], other["picture"]) <= 1
            assert far(one["left"], other["left"]) <= 1
            assert abs(one["worst"][2] - other["worst"][2]) <= 1


def test_a_spoilt_record_is_noticed():
    old = recorded()["layers"][1]["units"][0]["seen"]
    assert far(old[0]["picture"], old[1]["picture"]) > 1


def test_the_record_adds_up():
    seen_digits = set()
    for layer in recorded()["layers"]:
        assert len(layer["units"]) == 4
        for unit in layer["units"]:
            values = [float(one["value"]) for one in unit["seen"]]
            assert values == sorted(values, reverse=True) and values[-1] > 0
            for one in unit["seen"]:
                _, _, height, width = one["box"]
                assert len(nv.unpack(one["picture"])) == height * width
                assert max(height, width) <= layer["field"]
                assert len(nv.unpack(one["left"])) == 16**2
                seen_digits.add(one["digit"])
    assert seen_digits == set(recorded()["digits"])
    assert nv.DIGITS_FILE.stat().st_size <= 50_000
    digits = map(nv.unpack, recorded()["digits"].values())
    assert {len(digit) for digit in digits} == {32**2}


def test_packed_pictures_come_back():
    assert nv.pack("0000") == "0g" and nv.pack("770") == "770"
    assert nv.pack("e" * 23) == "ez" and nv.pack("e" * 26) == "ezef"
    for case in drawn():
        assert nv.unpack(nv.pack(case["digit"])) == case["digit"]
        assert nv.pack(nv.unpack(case["packed"])) == case["packed"]


def test_encode_keeps_the_middle_in_the_middle():
    picture = torch.tensor([-2.0, -1.1, 0, 1.2, 2, 9])
    assert nv.encode(picture, -2, 2) == "037bee"
    assert nv.grey("07e") == [255, 128, 0]


def test_what_says_more_is_purple_and_what_says_less_orange():
    assert nv.signed("7", "0") == [[255, 255, 255]]
    assert nv.signed("7", "e") == [[185, 185, 185]]  # the faint digit
    assert nv.signed("e0", "0e") == [list(nv.MORE), list(nv.LESS)]


def test_heat_is_white_where_nothing_is_lost():
    assert nv.heat("e", "0", 1, 1) == [[255, 255, 255]]
    assert nv.heat("0", "0", 1, 1) == [[222, 104, 20]]
    assert nv.heat("e", "e", 1, 1) == [[127, 127, 127]]


def test_silent_maps_are_refused():
    net = zfnet_digits.load_trained()
    digits = data.load("digits")
    images = training.prepare(digits.test_images)
    maps, _ = deconvnet.climb(net, images, "conv5")
    dead = int((maps.amax(dim=(0, 2, 3)) == 0).nonzero()[0])
    with pytest.raises(ValueError, match=f"map {dead} of conv5 answer; cho"):
        nv.look(net, images, digits.test_labels, {"conv5": [dead]})


# ---- The widget and its picture ----


def test_the_picture_says_what_it_shows():
    viewer = NeuronViewer(unit="conv3.29")
    assert repr(viewer) == "NeuronViewer(20 units, conv3.29)"
    page = viewer.to_html()
    assert page == NeuronViewer(unit="conv3.29").to_html()
    assert "conv3, map 29: a unit can see 25" in page
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 12
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(code))).size
        for code in pictures
    ]
    assert sizes[0] == sizes[3] == (32, 32) and max(sizes[1]) <= 25
    assert page.count("alt=") == 12 and 'alt=""' not in page
    assert len(viewer._static()) < 15_000


def test_unknown_units_get_a_sentence():
    viewer = NeuronViewer()
    with pytest.raises(ValueError, match=r"no unit 'conv3\.0'; it has conv1"):
        viewer.unit = "conv3.0"
    with pytest.raises(ValueError, match="no unit 'fc6'"):
        NeuronViewer(unit="fc6")


@pytest.fixture
def shown(show):
    """Open the viewer on a page of its own, as the site does."""

    def opened(**options):
        return show(NeuronViewer(unit="conv2.14"), **options)

    return opened


PIXELS = """canvas => [...canvas.getContext("2d").getImageData(
  0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 < 3)"""


def drawn_pixels(page, place: int) -> list[int]:
    return page.locator("canvas").nth(place).evaluate(PIXELS)


def test_by_mouse(shown):
    page = shown()
    words = page.locator("figcaption")
    assert words.inner_text().startswith("conv2, map 14:")
    assert page.locator("canvas").count() == 12
    page.locator("input[value='conv3']").click()
    assert words.inner_text().startswith("conv3, map 24:")  # the second too
    page.locator("input[value='41']").click()
    assert words.text_content() == nv.sentence(recorded(), "conv3.41")
    _, unit = nv.find(recorded(), "conv3.41")
    one = unit["seen"][0]
    digit = nv.unpack(recorded()["digits"][one["digit"]])
    picture, left = nv.unpack(one["picture"]), nv.unpack(one["left"])
    expected = {
        0: [g for g in nv.grey(digit) for _ in range(3)],
        1: [g for g in nv.grey(nv.cut(digit, 32, one["box"])) for _ in "rgb"],
        2: [
            value
            for colour in nv.signed(picture, nv.cut(digit, 32, one["box"]))
            for value in colour
        ],
        3: [
            value for colour in nv.heat(left, digit, 32, 2) for value in colour
        ],
    }
    for place, colours in expected.items():
        assert drawn_pixels(page, place) == colours
    row, column, height, width = one["box"]
    rect = page.locator(".nv-cell rect").first
    assert [rect.get_attribute(n) for n in ("x", "y", "width", "height")] == [
        str(n) for n in (column, row, width, height)
    ]


def test_by_keyboard(shown):
    page = shown()
    words = page.locator("figcaption")
    page.keyboard.press("Tab")
    for key, expected in (
        ("ArrowRight", "conv3, map 24:"),
        ("ArrowLeft", "conv2, map 14:"),
        ("ArrowLeft", "conv1, map 4:"),
        ("Tab", "conv1, map 4:"),
        ("ArrowRight", "conv1, map 5:"),
        ("ArrowDown", "conv1, map 10:"),
    ):
        page.keyboard.press(key)
        page.wait_for_timeout(50)
        assert words.inner_text().startswith(expected), key
    live = page.locator(".cnn-live")
    page.wait_for_timeout(700)
    assert live.text_content() == words.text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_it_fits_and_axe_is_silent(shown, width, scheme):
    page = shown(viewport={"width": width, "height": 900}, color_scheme=scheme)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    result = Axe().run(page)
    assert result["violations"] == []


def test_it_stands_without_scripts(shown):
    page = shown(java_script_enabled=False)
    pictures = page.locator("img")
    assert pictures.count() == 12
    for picture in pictures.all():
        box = picture.bounding_box()
        assert box["width"] == pytest.approx(box["height"], abs=1) and (
            box["width"] > 40
        )
    assert "conv2, map 14" in page.locator("figcaption").inner_text()
