"""The widgets' base, the conv explorer and the receptive field explorer."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from py_mini_racer import MiniRacer

import cnnbook.widgets
from cnnbook.geometry import Layer, output_size, receptive_fields
from cnnbook.widgets import (
    BookWidget,
    ConvExplorer,
    ReceptiveFieldExplorer,
)
from cnnbook.widgets import conv_explorer as conv
from cnnbook.widgets import receptive_field as fields
from website.extensions.scripts import module_of

ROOT = Path(__file__).parents[1]
WIDGETS = ROOT / "cnnbook" / "widgets"
SETTINGS = ("size", "kernel", "stride", "padding", "dilation", "rounding")


# ---- Python and JavaScript compute the same ----

TWINS = """
const attempt = (compute) => {
  try { return compute(); } catch (error) { return error.message; }
};
const twins = {
  output_size: (given) => attempt(() => outputSize(...given)),
  fields: (rows) => attempt(() => receptiveFields(rows)
    .map(({ size, jump, start }) => [size, jump, start])),
  conv: (settings) => attempt(() => {
    const { output, span, unused, unread_padding, overhang } =
      convWalk(settings);
    return [output, span, unused, unread_padding, overhang,
      convFormula(settings), convWords(settings), convRespond(settings)];
  }),
  stack: ([rows, selected, size]) => attempt(() => [
    fieldsOf(rows).map(({ size, jump, start }) => [size, jump, start]),
    fieldReads(rows),
    fieldWords(rows, selected, size),
    fieldsOf(rows).map((field) => fieldMiddle(field, size)),
  ]),
};
const answers = (name, cases) => JSON.stringify(cases.map(twins[name]));
"""


def in_javascript(
    name: str, cases: list, change: tuple[str, str] | None = None
) -> list:
    """Ask the widgets' scripts, with one passage changed on demand."""
    source = "\n".join(
        (WIDGETS / file).read_text(encoding="utf-8")
        for file in (
            "base.mjs",
            "conv_explorer/widget.mjs",
            "receptive_field/widget.mjs",
        )
    )
    source = re.sub(r"^function render\b", "function _", source, flags=re.M)
    source = re.sub(r"^export default .*$", "", source, flags=re.M)
    if change:
        assert source.count(change[0]) == 1, change[0]
        source = source.replace(*change)
    with MiniRacer() as engine:
        engine.eval(source + TWINS)
        return json.loads(engine.call("answers", name, cases))


def attempt(compute: Callable[[], Any]) -> Any:
    """Return the result, or the sentence of the error, as JSON would."""
    try:
        return json.loads(json.dumps(compute()))
    except (TypeError, ValueError) as error:
        return str(error)


def size_cases(count: int) -> list[list]:
    """Draw settings, about half of them impossible."""
    draw = random.Random(1998)
    whole = draw.randint
    return [
        [
            draw.choice([whole(-1, 30), whole(10, 300), 7.5]),
            whole(0, 11),
            whole(0, 5),
            draw.choice(
                [whole(-1, 4), whole(0, 4), [whole(0, 3), whole(0, 3)]]
            ),
            draw.choice([1, 1, whole(0, 3)]),
            draw.choice(["floor", "ceil", "exact", "exact", "round"]),
        ]
        for _ in range(count)
    ]


def size_here(case: list) -> Any:
    given = [tuple(v) if isinstance(v, list) else v for v in case]
    return attempt(lambda: output_size(*given))


def stack_cases(count: int) -> list[list]:
    draw = random.Random(2012)
    return [
        [
            [
                {
                    "kernel": draw.randint(0, 40) if draw.random() < 0.02
                    else draw.randint(1, 7),
                    "stride": draw.choice([1, 1, 1, 2, 3]),
                    "padding": draw.randint(0, 3),
                    "dilation": draw.choice([1, 1, 1, 2, 4]),
                    "name": draw.choice(["", "conv"]),
                }
                for _ in range(draw.randint(0, 9))
            ],
            draw.randint(0, 9),
            draw.randint(1, 256),
        ]
        for _ in range(count)
    ]  # fmt: skip


def stack_here(case: list) -> Any:
    rows, selected, size = case

    def compute() -> list:
        found = fields.fields(rows)
        return [
            found,
            fields.reads(rows),
            fields.words(rows, selected, size),
            [fields.middle(field, size) for field in found],
        ]

    return attempt(compute)


def conv_cases(count: int) -> list[dict]:
    draw = random.Random(2015)
    return [
        {
            **{n: draw.randint(*span) for n, span in conv.LIMITS.items()},
            "rounding": draw.choice(["floor", "ceil", "exact"]),
        }
        for _ in range(count)
    ]


def conv_here(case: dict) -> Any:
    given = [case[name] for name in SETTINGS]
    return attempt(
        lambda: [
            *conv.walk(*given),
            conv.formula(*given),
            conv.words(*given),
            conv.respond(*given),
        ]
    )


FAMILIES = {
    "output_size": (size_cases, size_here),
    "stack": (stack_cases, stack_here),
    "conv": (conv_cases, conv_here),
}


def differences(
    name: str, count: int, change: tuple[str, str] | None = None
) -> list:
    """Return the cases on which the two languages do not agree."""
    draw, here = FAMILIES[name]
    cases = draw(count)
    there = in_javascript(name, cases, change)
    return [
        (case, here(case), answer)
        for case, answer in zip(cases, there, strict=True)
        if here(case) != answer
    ]


@pytest.mark.parametrize("name", FAMILIES)
def test_both_languages_agree(name):
    assert differences(name, 2000) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("output_size", ("return Math.floor(room / stride) + 1;",
                         "return Math.floor(room / stride);")),
        ("output_size", (">= size + before) pl", "> size + before) pl")),
        ("output_size", ("strides.slice(0, 2)", "strides.slice(0, 1)")),
        ("output_size", ("is at least", "should be at least")),
        ("stack", ("(reach / 2 - before)", "(reach / 2)")),
        ("stack", ("heard.add(unit * stride +", "heard.add(unit +")),
        ("conv", ("Math.max(0, -rest)", "Math.max(0, 1 - rest)")),
        ("conv", ("read.has(i + padding)", "read.has(i)")),
        ("conv", ("2 * i - kernel + 1", "2 * i - kernel")),
    ],
)  # fmt: skip
def test_a_wrong_script_is_found(name, change):
    assert differences(name, 300, change)


def test_the_cases_hold_what_is_possible_and_what_is_not():
    answers = [size_here(case) for case in size_cases(2000)]
    sentences = [answer for answer in answers if isinstance(answer, str)]
    assert 500 < len(sentences) < 1500
    for part in (
        "at least 1", "at least 0", "whole number", "does not fit",
        "do not tile", "no rounding",
    ):  # fmt: skip
        assert any(part in sentence for sentence in sentences), part


def test_the_controls_offer_what_python_draws():
    with MiniRacer() as engine:
        source = (WIDGETS / "conv_explorer" / "widget.mjs").read_text("utf-8")
        engine.eval(source.replace("export default { render };", ""))
        offered = json.loads(engine.eval("JSON.stringify(CONV_CONTROLS)"))
    assert {name: tuple(span) for name, _, *span in offered} == conv.LIMITS


# ---- The base ----


class Twin(HTMLParser):
    """Reads a widget's place in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.place: dict[str, str | None] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        if "data-widget" in dict(attrs):
            self.place = dict(attrs)


def twin(widget: BookWidget) -> Twin:
    data, _ = widget._repr_mimebundle_()
    return Twin(data["text/html"])


@pytest.mark.parametrize("make", [ConvExplorer, ReceptiveFieldExplorer])
def test_an_output_carries_view_picture_and_state(make):
    data, _ = make()._repr_mimebundle_()
    again, _ = make()._repr_mimebundle_()
    view = "application/vnd.jupyter.widget-view+json"
    assert data.keys() == {"text/plain", "text/html", view}
    assert data["text/plain"] == again["text/plain"] == repr(make())
    assert data["text/html"] == again["text/html"]
    page = Twin(data["text/html"])
    assert page.place["data-widget"] == make._name
    assert json.loads(page.place["data-state"]) == make().state()
    assert {"figure", "svg", "figcaption"} <= set(page.tags)


def test_the_state_is_public_and_the_widgets_own():
    assert ConvExplorer().state() == {
        "dilation": 1, "kernel": 3, "message": "", "output_size": 4,
        "padding": 1, "position": 0, "rounding": "floor", "size": 7,
        "stride": 2, "unused": [],
    }  # fmt: skip


def test_a_name_cannot_leave_its_place():
    name = """</div><script>alert("it's & here")</script>"""
    widget = ReceptiveFieldExplorer([Layer(3, name=name)])
    page = twin(widget)
    assert "script" not in page.tags
    state = json.loads(page.place["data-state"])
    assert state["layers"][0]["name"] == name


def test_a_widget_without_a_picture_says_so():
    class Bare(BookWidget):
        pass

    with pytest.raises(NotImplementedError, match="Bare has no picture"):
        Bare().to_html()


def test_the_package_names_what_it_has():
    assert "ConvExplorer" in dir(cnnbook.widgets)
    with pytest.raises(AttributeError, match=r"no 'Conv'; it has .*ConvExpl"):
        cnnbook.widgets.Conv  # noqa: B018


def declared(source: str) -> Counter[str]:
    pattern = r"^(?:async )?(?:function|const|let|class) (\w+)"
    return Counter(re.findall(pattern, source, flags=re.M))


def faults(base: str, module: str) -> list[str]:
    """Say why a module would not run as a classic script."""
    names = declared(module) + Counter(declared(base).keys())
    found = [f"declares {n} again" for n, times in names.items() if times > 1]
    if re.findall(r"^export .*$", module, flags=re.M) != [
        "export default { render };"
    ]:
        found.append("exports something else")
    if re.search(r"^import\b|\bimport\(", base + module, flags=re.M):
        found.append("imports")
    return found


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in WIDGETS.glob("*/widget.mjs"))
)
def test_a_module_also_runs_as_a_script(name):
    base = (WIDGETS / "base.mjs").read_text("utf-8")
    assert not re.search(r"^export\b", base, flags=re.M)
    assert faults(base, module_of(name)) == []


def test_a_module_that_would_not_run_as_a_script_is_found():
    base = (WIDGETS / "base.mjs").read_text("utf-8")
    broken = (
        'import x from "./x.mjs";\nfunction slider() {}\n'
        "export default { render };\nexport const y = 1;\n"
        "function y() {}\nfunction y() {}\n"
    )
    assert faults(base, broken) == [
        "declares slider again",
        "declares y again",
        "exports something else",
        "imports",
    ]


# ---- The conv explorer ----


def test_it_says_what_falls_off_the_edge():
    assert conv.words(8, 3, 2, 0, 1, "floor") == (
        "The output is 3 × 3. Row and column 7 (counted from 0) fall off "
        "the edge: no window reads them."
    )
    assert conv.walk(10, 3, 4, 0, 1, "floor").unused == [3, 7, 8, 9]
    assert conv.walk(8, 3, 2, 0, 1, "ceil").overhang == 1
    assert conv.walk(8, 3, 2, 1, 1, "floor").unread_padding == 1


@pytest.mark.parametrize(
    ("settings", "formula"),
    [
        ((7, 3, 2, 1, 1, "floor"),
         "⌊(7 − 3 + 2·1) / 2⌋ + 1 = ⌊6 / 2⌋ + 1 = 3 + 1 = 4"),
        ((7, 3, 2, 0, 1, "exact"),
         "(7 − 3 + 2·0) / 2 + 1 = 4 / 2 + 1 = 2 + 1 = 3"),
        ((9, 3, 2, 0, 2, "ceil"),
         "⌈(9 − (2·(3 − 1) + 1) + 2·0) / 2⌉ + 1 = ⌈4 / 2⌉ + 1 = 2 + 1 = 3"),
        ((6, 1, 3, 1, 1, "ceil"),
         "⌈(6 − 1 + 2·1) / 3⌉ + 1 = ⌈7 / 3⌉ + 1 = 3 + 1 = 4, less the window "
         "that would start past the input: 3"),
    ],
)  # fmt: skip
def test_it_puts_the_numbers_into_the_formula(settings, formula):
    assert conv.formula(*settings) == formula


def test_it_computes_what_torch_computes():
    import torch
    from torch.nn import functional

    for case in conv_cases(200):
        if case["rounding"] != "floor" or isinstance(conv_here(case), str):
            continue
        given = [case[name] for name in SETTINGS]
        answer = functional.conv2d(
            torch.tensor([[conv.image(case["size"])]]),
            torch.tensor([[conv.weights(case["kernel"])]]),
            stride=case["stride"],
            padding=case["padding"],
            dilation=case["dilation"],
        )
        assert conv.respond(*given) == answer[0, 0].tolist()


def test_impossible_settings_are_a_message_and_no_error():
    widget = ConvExplorer(size=2, kernel=5, padding=0)
    assert widget.output_size is None
    assert "does not fit into 2 pixels" in widget.message
    page = twin(widget)
    assert "svg" not in page.tags
    widget.kernel = 2
    assert (widget.output_size, widget.message) == (1, "")
    assert "svg" in twin(widget).tags


def test_what_follows_is_read_only_and_observed():
    widget, seen = ConvExplorer(), []
    widget.observe(lambda change: seen.append(change.new), "output_size")
    widget.stride = 1
    assert seen == [7]
    with pytest.raises(Exception, match=r"output_size.*read-only"):
        widget.output_size = 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"size": 227}, r"draws a size from 1 to 16, not 227; .*output_size"),
        ({"padding": -1}, "draws a padding from 0 to 4, not -1"),
        ({"rounding": "up"}, "no rounding 'up'; try 'floor', 'ceil' or 'ex"),
    ],
)
def test_conv_refuses_what_it_cannot_draw(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        ConvExplorer(**settings)


# ---- The receptive field explorer ----


@pytest.mark.parametrize(
    ("name", "size", "jump"),
    [("lenet", 32, 4), ("alexnet", 195, 32), ("vgg16", 212, 32),
     ("dilated", 31, 1)],
)  # fmt: skip
def test_the_networks_see_what_they_should(name, size, jump):
    widget = ReceptiveFieldExplorer(name)
    assert widget.fields[-1][:2] == [size, jump]
    assert widget.selected == len(widget.layers) - 1
    assert f"{size} × {size} pixels" in widget.to_html()


def test_layers_come_in_four_forms():
    widget = ReceptiveFieldExplorer(
        [Layer(5, 2, name="c1"), {"kernel": 3}, (3, 2, 1), 3]
    )
    chain = [Layer(5, 2), Layer(3), Layer(3, 2, 1), Layer(3)]
    assert widget.fields == [list(f) for f in receptive_fields(chain)]
    assert widget.layers[0]["name"] == "c1"


def test_gaps_between_dilated_taps_are_counted():
    rows = [fields.as_row((3, 1, 0, 2)), fields.as_row((3, 1, 0, 2))]
    assert fields.reads(rows)[0] == [0, 2, 4, 6, 8]
    assert "Of its 9 rows and columns it reads only 5." in fields.words(
        rows, 1, 32
    )


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([Layer(3), {"kernel": 3, "stride": 0}], "stride is at least 1"),
        ([(3, 8)] * 12, "wider than 100,000 pixels; take a layer away"),
        ([2.5], "kernel is a whole number, not 2.5"),
    ],
)
def test_impossible_layers_are_a_message_and_no_error(layers, sentence):
    widget = ReceptiveFieldExplorer(layers)
    assert sentence in widget.message
    assert widget.fields == []
    assert "svg" not in twin(widget).tags


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ("resnet", "no network 'resnet' here; try lenet, alexnet"),
        ([{"stride": 2}], "A layer has a kernel, .*does not fit"),
        ([Layer(3)] * 33, "room for 32 layers, not 33"),
    ],
)
def test_stacks_that_cannot_be_understood_are_refused(layers, sentence):
    with pytest.raises(ValueError, match=sentence):
        ReceptiveFieldExplorer(layers)


def test_no_layer_at_all_is_a_pixel():
    widget = ReceptiveFieldExplorer([])
    assert "Without a layer, a unit is a pixel" in widget.to_html()


def test_the_digit_is_one_of_the_books():
    from cnnbook import data

    digits = data.load("digits")
    # Image 1007 is of class 2, and the eighth of its 400 for training.
    place = [i for i, n in enumerate(digits.train_labels) if n == 2][7]
    image = (digits.train_images[place, 0] * 255).round().int() // 16
    drawn = [
        [0 if level == "." else int(level, 16) for level in line]
        for line in fields.DIGIT.split()
    ]
    assert drawn == image.tolist()


# ---- In a browser, on a page without a kernel ----


@pytest.fixture
def show(browser, tmp_path):
    """Put widgets on a page of their own; return the page."""
    from website.extensions.scripts import as_classic

    contexts = []

    def on_a_page(*widgets: BookWidget, **options: Any):
        names = {widget._name for widget in widgets}
        host = (ROOT / "website" / "assets" / "host.js").read_text("utf-8")
        scripts = [(WIDGETS / "base.mjs").read_text("utf-8"), host]
        scripts += [
            as_classic(n, (WIDGETS / n / "widget.mjs").read_text("utf-8"))
            for n in names
        ]
        style = "".join(widget._css for widget in widgets)
        file = tmp_path / "page.html"
        file.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>Widgets</title><style>{style}</style>"
            f"<script>{''.join(scripts)}</script>"
            + "".join(widget.to_html() for widget in widgets),
            encoding="utf-8",
        )
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.goto(file.as_uri())
        page.wait_for_selector("[data-live=true]")
        return page

    yield on_a_page
    for context in contexts:
        context.close()


def test_the_kernel_walks_by_keyboard(show):
    page = show(ConvExplorer())
    window = page.locator("rect.ce-window")
    place = page.get_by_label("Window at")
    place.focus()
    for key, x, y in (
        ("ArrowRight", "20", "0"),
        ("ArrowDown", "20", "20"),
        ("ArrowLeft", "0", "20"),
        ("ArrowUp", "0", "0"),
        ("ArrowUp", "0", "0"),
    ):
        page.keyboard.press(key)
        assert (window.get_attribute("x"), window.get_attribute("y")) == (x, y)
    page.keyboard.press("End")
    assert place.get_attribute("aria-valuetext") == "row 3, column 3"
    page.get_by_label("Input W").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".ce-numbers").inner_text().startswith("⌊(8 − 3")
    page.get_by_label("Kernel F").focus()
    page.keyboard.press("End")
    page.get_by_label("Input W").focus()
    page.keyboard.press("Home")
    assert "does not fit into 1 pixel" in page.inner_text(".cnn-message")
    assert not page.locator("figure").is_visible()


def test_the_kernel_walks_by_pointer_and_by_itself(show):
    page = show(ConvExplorer())
    page.locator(".ce-output svg").click(position={"x": 40, "y": 40})
    assert page.locator("rect.ce-here").get_attribute("x") == "10"
    play = page.get_by_role("button", name="Play")
    play.click()
    page.wait_for_function(
        "document.querySelector('rect.ce-here').getAttribute('x') === '30'"
    )
    page.get_by_role("button", name="Pause").click()
    assert play.is_visible()


def test_without_motion_a_press_is_a_step(show):
    page = show(ConvExplorer(), reduced_motion="reduce")
    page.get_by_role("button", name="Step").press("Enter")
    page.wait_for_timeout(700)
    assert page.locator("rect.ce-here").get_attribute("x") == "10"


def test_layers_are_stacked_by_keyboard(show):
    page = show(ReceptiveFieldExplorer([Layer(3), Layer(3)]))
    words = page.locator("figcaption")
    page.get_by_role("button", name="Add a layer").press("Enter")
    assert "layer 3 sees 7 × 7 pixels" in words.inner_text()
    page.get_by_label("Stride").press("ArrowRight")
    page.get_by_role("button", name="layer 1").press("Enter")
    page.get_by_label("Kernel").press("ArrowRight")
    assert "layer 1 sees 4 × 4 pixels" in words.inner_text()
    for _ in range(3):
        page.get_by_role("button", name="Remove it").press("Enter")
    assert "a unit is a pixel" in words.inner_text()
    page.get_by_label("Network").select_option("vgg16")
    assert "212 × 212" in words.inner_text()
    assert page.locator("tbody tr").count() == 18


def small_targets(page) -> list[str]:
    """Return the controls that a thumb would miss."""
    return page.evaluate("""() => [...document.querySelectorAll(
      ".cnn-widget :is(button, input, select)")]
      .filter((control) => control.checkVisibility())
      .filter((control) => {
        const { width, height } = control.getBoundingClientRect();
        return Math.min(width, height) < 44;
      })
      .map((control) => control.outerHTML)""")


def test_a_thumb_finds_every_control(show):
    phone = {
        "has_touch": True,
        "is_mobile": True,
        "viewport": {"width": 320, "height": 700},
    }
    page = show(ConvExplorer(), ReceptiveFieldExplorer(), **phone)
    assert small_targets(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.evaluate(
        "document.querySelector('button').style = 'min-height: 40px'"
    )
    assert len(small_targets(page)) == 1


def test_the_result_is_said_once_the_hand_rests(show):
    page = show(ConvExplorer())
    page.get_by_label("Stride S").press("ArrowLeft")
    live = page.locator('[aria-live="polite"]')
    assert "7 × 7" not in live.inner_text()
    page.wait_for_function(
        "document.querySelector('.cnn-live').textContent.includes('7 × 7')"
    )
