"""The C3 connections and the anatomy explorer: numbers, pictures, hands."""

from __future__ import annotations

import gzip
import json
import random
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from py_mini_racer import MiniRacer
from test_browser import accessibility
from torch import nn
from traitlets import TraitError

from cnnbook.anatomy import Anatomy, Row, trace
from cnnbook.nets import lenet5, resnet, vgg
from cnnbook.nets.lenet import C3_TABLE, connections
from cnnbook.widgets import AnatomyExplorer, C3Connections, anatomy
from cnnbook.widgets import c3_connections as c3

ROOT = Path(__file__).parents[1]
WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1000


# ---- Python and JavaScript compute the same ----


def script(widget: str, old: str = "", new: str = "") -> MiniRacer:
    """Load a widget's functions, with one passage changed on demand."""
    source = (WIDGETS / widget / "widget.mjs").read_text("utf-8")
    assert source.count(old) or not old, f"{widget} has no {old!r}"
    source = source.replace(old, new) if old else source
    engine = MiniRacer()
    engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
    engine.eval(re.sub(r"^export default .*$", "", source, flags=re.M))
    return engine


def both(engine: MiniRacer, name: str, cases: list[list]) -> list:
    """Call a JavaScript function on all cases at once."""
    text = json.dumps(cases)
    answer = engine.eval(f"JSON.stringify({text}.map((a) => {name}(...a)))")
    return json.loads(answer)


def differences(engine: MiniRacer, name: str, twin, cases: list) -> list:
    assert len(cases) >= CASES
    theirs = both(engine, name, cases)
    ours = [json.loads(json.dumps(twin(*case))) for case in cases]
    return [
        (case, ours, theirs)
        for case, ours, theirs in zip(cases, ours, theirs, strict=True)
        if ours != theirs
    ]


@cache
def tables() -> list[list]:
    """Random tables, each with a selected map, a kernel and a map's size."""
    rng = random.Random(2)
    cases = []
    while len(cases) < CASES:
        inputs, outputs = rng.randint(1, 20), rng.randint(1, 40)
        table = [
            sorted(rng.sample(range(inputs), rng.randint(1, inputs)))
            for _ in range(outputs)
        ]
        seen = sorted({i for row in table for i in row})
        selected = rng.choice(
            ["", f"c3.{rng.randrange(outputs)}", f"s2.{rng.choice(seen)}"]
        )
        cases.append([table, selected, rng.randint(1, 11), rng.randint(1, 99)])
    return cases


def count_cases() -> list:
    return [[table, kernel, size] for table, _, kernel, size in tables()]


def test_c3_counts_agree():
    engine = script("c3_connections")
    assert not differences(engine, "c3Count", c3.count, count_cases())


def test_c3_sentences_agree():
    engine = script("c3_connections")
    assert not differences(engine, "c3Sentence", c3.sentence, tables())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("row.length * kernel ** 2 + 1;", "row.length * kernel ** 2;"),
        ("running: total", "running: parameters"),
        ("connections: total * size ** 2", "connections: total * size"),
    ],
)
def test_c3_comparison_notices(old, new):
    engine = script("c3_connections", old, new)
    assert differences(engine, "c3Count", c3.count, count_cases())


@cache
def nets() -> list[dict]:
    """Random networks, packed as the widget holds them."""
    rng = random.Random(3)
    kinds = ["Conv2d", "Linear", "ReLU", "MaxPool2d", "SparseConv2d"]
    parts = ["features", "layer1", "0", "1", "conv", "classifier"]

    def number() -> int:
        return rng.choice([0, rng.randint(1, 9), rng.randint(0, 10**10)])

    result = []
    for _ in range(CASES):
        names = sorted(
            ".".join(rng.choices(parts, k=rng.randint(1, 4)))
            for _ in range(rng.randint(1, 30))
        )
        result.append(
            {
                "name": "Net",
                "input": "3×8×8",
                "kinds": kinds,
                "shapes": ["8×4×4", "10"],
                "rows": [
                    [name, rng.randrange(5), rng.randrange(2)]
                    + [number() for _ in range(3)]
                    for name in names
                ],
            }
        )
    return result


def net_cases(seed: int = 4) -> list[dict]:
    rng = random.Random(seed)
    return [
        {
            "data": data,
            "depth": rng.randrange(4),
            "sort": rng.choice(["order", *anatomy.MEASURES]),
            "descending": rng.random() < 0.5,
            "measure": rng.choice(list(anatomy.MEASURES)),
            "selected": rng.randrange(-1, len(data["rows"])),
            "opened": groups_of(data, rng),
        }
        for data in nets()
    ]


def groups_of(data: dict, rng: random.Random) -> list[str]:
    """Beginnings of some layers' names."""
    names = [row[0].split(".") for row in rng.choices(data["rows"], k=3)]
    return [".".join(name[: rng.randint(1, len(name))]) for name in names]


def numbers() -> list[int]:
    rng = random.Random(5)
    return [rng.randint(0, 10 ** rng.randint(1, 11)) for _ in range(CASES)]


def anatomy_cases(name: str) -> tuple:
    """The Python twin of a JavaScript function, and cases for both."""
    cases, rng = net_cases(), random.Random(6)
    keys = ("data", "depth", "opened")
    items = [anatomy.bars(*(case[k] for k in keys)) for case in cases]
    return {
        "anBars": (
            anatomy.bars,
            [[case[key] for key in keys] for case in cases],
        ),
        "anTotals": (anatomy.totals, [[data] for data in nets()]),
        "anOrder": (
            anatomy.order,
            [
                [bars, case["sort"], case["descending"]]
                for bars, case in zip(items, cases, strict=True)
            ],
        ),
        "anSentence": (
            anatomy.sentence,
            [
                [
                    case[key]
                    for key in (
                        "data",
                        "depth",
                        "measure",
                        "selected",
                        "opened",
                    )
                ]
                for case in cases
            ],
        ),
        "anLabels": (anatomy.labels, [[bars] for bars in items]),
        "anShare": (
            anatomy.share,
            [[n // rng.choice([1, 7, 1000, 10**5]), n] for n in numbers()],
        ),
        "anTicks": (
            anatomy.ticks,
            [[n, rng.choice(["linear", "log"])] for n in numbers()],
        ),
        "anShort": (
            anatomy.short,
            [
                [tick]
                for n in numbers()
                for scale in ("linear", "log")
                for tick in anatomy.ticks(n, scale)
            ],
        ),
        "grouped": ("{:,}".format, [[n] for n in numbers()]),
    }[name]


FUNCTIONS = [
    "anBars",
    "anTotals",
    "anOrder",
    "anSentence",
    "anLabels",
    "anShare",
    "anTicks",
    "anShort",
    "grouped",
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_anatomy_agrees(name):
    twin, cases = anatomy_cases(name)
    assert not differences(script("anatomy"), name, twin, cases)


def test_anatomy_heights_agree():
    cases = [
        [n // 3, n, scale] for n in numbers() for scale in ("linear", "log")
    ]
    theirs = both(script("anatomy"), "anHeight", cases)
    assert theirs == pytest.approx([anatomy.height(*c) for c in cases])


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("anBars", "last.macs += macs", "last.macs = macs"),
        ("anBars", "length < parts.length &&", "length < depth &&"),
        ("anOrder", "descending ? -1 : 1", "descending ? 1 : -1"),
        ("anShare", "2000 * value + total", "2000 * value"),
        ("anTotals", "parameters: sum(3)", "parameters: sum(4)"),
        ("anSentence", "row < first + count", "row <= first + count"),
    ],
)
def test_anatomy_comparison_notices(name, old, new):
    twin, cases = anatomy_cases(name)
    assert differences(script("anatomy", old, new), name, twin, cases)


# ---- What the pictures say without a script ----


class Cells(HTMLParser):
    """The rows of a table, as texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows, self.inside = [], False
        self.feed(text)

    def handle_starttag(self, tag: str, _: list) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def number_in(cell: str) -> int:
    return int(cell.replace(",", ""))


def c3_complaints(page: str) -> list[str]:
    """What the table of connections gets wrong, re-derived from its cells."""
    _, *body, sparse, dense = Cells(page).rows
    complaints, running = [], 0
    for m, row in enumerate(body):
        seen = tuple(i for i, cell in enumerate(row[1:7]) if cell)
        kernels, parameters, so_far = map(number_in, row[7:])
        running += parameters
        expected = (C3_TABLE[m], len(seen), 25 * len(seen) + 1, running)
        if (seen, kernels, parameters, so_far) != expected:
            complaints.append(f"row {m}: {row}")
    for row, expected in ((sparse, [60, 1516]), (dense, [96, 2416])):
        if [number_in(cell) for cell in row[1:]] != expected:
            complaints.append(f"total: {row}")
    return complaints


def test_c3_picture_is_right():
    page = C3Connections().to_html()
    assert not c3_complaints(page)
    assert page.count("<line") == 60
    words = page[page.index("<figcaption") :]
    for number in ("1,516", "2,416", "151,600", "241,600", "60", "96"):
        assert re.search(rf"\b{number}\b", words), number


def test_c3_counts_what_the_net_has():
    net, counts = lenet5("1998"), c3.count(C3_TABLE)
    row = trace(net, (1, 32, 32)).rows[2]
    assert (row.name, row.parameters) == ("c3", counts["parameters"])
    assert connections(net)["c3"] == counts["connections"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<td>557</td>", "<td>558</td>"),
        ('colspan="2">1,516<', 'colspan="2">1,561<'),
        ("<span>seen</span>", ""),
    ],
)
def test_c3_check_notices(old, new):
    page = C3Connections().to_html()
    assert old in page
    assert c3_complaints(page.replace(old, new, 1))


def anatomy_complaints(page: str) -> list[str]:
    """What the anatomy's table gets wrong, re-derived from its cells."""
    _, *body, total = Cells(page).rows
    sums = [sum(number_in(row[c]) for row in body) for c in (2, 3, 4)]
    complaints = []
    if [number_in(cell) for cell in total[2:5]] != sums:
        complaints.append(f"total: {total}, not {sums}")
    for row in body:
        part = 100 * number_in(row[2]) / sums[0]
        shown = float(row[5].replace("<", "").replace("%", ""))
        if abs(part - shown) > 0.1:
            complaints.append(f"share: {row}")
    return complaints


@pytest.mark.parametrize("variant", ["1998", "modern"])
def test_anatomy_picture_is_right(variant):
    traced = trace(lenet5(variant), (1, 32, 32))
    page = AnatomyExplorer(traced).to_html()
    assert not anatomy_complaints(page)
    total = {"1998": "60,000", "modern": "61,706"}[variant]
    assert f"{total} parameters" in page
    assert f"{traced.total_macs:,} MACs" in page
    assert page.count('class="an-bar') == len(traced.rows)


@pytest.mark.parametrize(
    ("old", "new"), [("61,706</td>", "61,760</td>"), ("78.0 %", "87.0 %")]
)
def test_anatomy_check_notices(old, new):
    page = AnatomyExplorer(lenet5("modern"), (1, 32, 32)).to_html()
    assert old in page
    assert anatomy_complaints(page.replace(old, new))


def test_names_cannot_break_the_page():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("<b>'&\"", nn.Linear(2, 2))

        def forward(self, x):
            return self._modules["<b>'&\""](x)

    page = AnatomyExplorer(Odd(), (2,)).to_html()
    assert "<b>" not in page
    state = re.search(r"data-state='([^']*)'", page)
    assert "&#39;&amp;" in state[1]


# ---- True widgets, the same on every run ----


def test_representations_are_stable():
    made = [
        (C3Connections(), AnatomyExplorer(lenet5("modern"), (1, 32, 32)))
        for _ in range(2)
    ]
    for one, other in zip(*made, strict=True):
        assert repr(one) == repr(other)
        assert one.to_html() == other.to_html()
    table, explorer = made[0]
    assert repr(table) == "C3Connections(16 maps, 60 kernels, " + (
        "1,516 parameters)"
    )
    assert repr(explorer) == (
        "AnatomyExplorer(LeNet5, 7 layers, 61,706 parameters, 416,520 MACs)"
    )


def test_traits_are_seen_and_checked():
    heard = []
    table = C3Connections()
    table.observe(lambda change: heard.append(change["new"]), "selected")
    table.selected = "c3.15"
    explorer = AnatomyExplorer(lenet5("modern"), (1, 32, 32), sort="macs")
    explorer.observe(lambda change: heard.append(change["new"]), "measure")
    explorer.measure = "macs"
    assert heard == ["c3.15", "macs"]
    assert "6 maps of S2" in table.to_html()
    with pytest.raises(ValueError, match=r"no map 'c3\.16'.*'c3\.15'"):
        table.selected = "c3.16"
    with pytest.raises(ValueError, match="no layer 7; the rows are 0 to 6"):
        explorer.selected = 7
    with pytest.raises(TraitError):
        explorer.measure = "flops"


def test_the_selected_layer_shows_without_a_script():
    explorer = AnatomyExplorer(
        lenet5("modern"),
        (1, 32, 32),
        sort="parameters",
        descending=True,
        selected=4,
    )
    page = explorer.to_html()
    assert "c5 (Conv2d) gives 120×1×1: 48,120 parameters (78.0 %)" in page
    first = Cells(page).rows[1]
    assert first[0].startswith("c5 ")
    assert '<tr class="an-on"><th scope="row">c5' in page


def test_wrong_arguments_get_a_sentence():
    net = lenet5("modern")
    with pytest.raises(ValueError, match=r"try|such as"):
        AnatomyExplorer(net)
    with pytest.raises(TypeError, match="not str; try trace"):
        AnatomyExplorer("lenet")
    with pytest.raises(ValueError, match="leave out input_size"):
        AnatomyExplorer(trace(net, (1, 32, 32)), (1, 32, 32))
    with pytest.raises(ValueError, match="no layer to show"):
        AnatomyExplorer(Anatomy("Empty", (1,), (), (), ()))


def deep_anatomy(blocks: int = 24) -> Anatomy:
    """As many rows as ResNet-50 has, and as long names."""
    rows = tuple(
        Row(
            f"layer{b % 4 + 1}.{b}.{name}",
            kind,
            (256, 56, 56),
            (64 + b, 56, 56),
            36_864 + b,
            115_605_504 + b,
            200_704 + b,
            483,
            32,
            (),
            "",
        )
        for b in range(blocks)
        for name, kind in (
            ("conv1", "Conv2d"),
            ("bn1", "BatchNorm2d"),
            ("conv2", "Conv2d"),
            ("bn2", "BatchNorm2d"),
            ("conv3", "Conv2d"),
            ("bn3", "BatchNorm2d"),
            ("relu", "ReLU"),
        )
    )
    return Anatomy("Deep", (3, 224, 224), rows, (), ())


def test_what_adds_nothing_is_no_row_but_is_named():
    with torch.device("meta"):
        explorer = AnatomyExplorer(vgg("D").eval(), (3, 224, 224))
    names = [row[0] for row in explorer.data["rows"]]
    assert len(names) == 13 + 5 + 3 and not any("relu" in n for n in names)
    assert explorer.data["left_out"] == "15 × ReLU, 2 × Dropout"
    assert "or MACs: 15 × ReLU, 2 × Dropout.</p>" in explorer.to_html()
    plain = AnatomyExplorer(lenet5("modern"), (1, 32, 32))
    assert "left_out" not in plain.data and "an-note" not in plain.to_html()


def test_groups_open_one_by_one():
    traced = resnet_152()
    explorer = AnatomyExplorer(traced, depth=1, opened=["stage3", "stage3.7"])
    page = explorer.to_html()
    assert not anatomy_complaints(page)
    names = [row[0].split()[0] for row in Cells(page).rows[1:-1]]
    assert names[:4] == ["conv1", "norm1", "pool1", "stage2"]
    assert names[4:11] == [f"stage3.{i}" for i in range(7)]
    assert names[11:13] == ["stage3.7.conv1", "stage3.7.norm1"]
    assert names[-3:] == ["stage4", "stage5", "fc"]
    with pytest.raises(ValueError, match=r"begins with 'stage9'; try 'conv1'"):
        explorer.opened = ["stage9"]


@cache
def resnet_152() -> Anatomy:
    with torch.device("meta"):
        return trace(resnet(152).eval(), (3, 224, 224))


def test_a_long_network_is_short_at_first_and_light():
    explorer = AnatomyExplorer(resnet_152())
    assert explorer.depth == 1 and "stage4 <small>" in explorer.to_html()
    assert len(explorer.data["rows"]) == 2 * 155 + 1 + 1
    assert len(json.dumps(explorer.state())) <= 16_000
    assert len(gzip.compress(explorer.to_html().encode())) <= 5_000


def test_state_stays_small():
    explorer = AnatomyExplorer(deep_anatomy())
    assert len(explorer.data["rows"]) == 168
    assert len(json.dumps(explorer.state())) <= 15_000


# ---- By hand, in a browser ----


@pytest.fixture
def show(page, tmp_path):
    """Put widgets on a page of their own, as the site does, and open it."""

    def opened(*widgets):
        host = (ROOT / "website" / "assets" / "host.js").read_text("utf-8")
        script = (WIDGETS / "base.mjs").read_text("utf-8") + host
        style = (WIDGETS / "base.css").read_text("utf-8")
        for name in sorted({widget._name for widget in widgets}):
            module = (WIDGETS / name / "widget.mjs").read_text("utf-8")
            module = module.replace("export default ", "return ")
            script += f"\ncnnWidgets.{name} = (() => {{\n{module}\n}})();"
            style += (WIDGETS / name / "widget.css").read_text("utf-8")
        pictures = "\n".join(widget.to_html() for widget in widgets)
        path = tmp_path / "page.html"
        path.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            f"<title>Widgets</title><style>{style}</style>"
            f"<script>{script}</script><main>{pictures}</main></html>",
            encoding="utf-8",
        )
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        page.locator("[data-live]").last.wait_for()
        assert not errors
        return page

    return opened


def test_c3_by_mouse(show):
    page = show(C3Connections())
    words = page.locator(".c3-words")
    assert "C3 has 1,516 parameters" in words.inner_text()
    page.locator("button[data-map='c3.15']").hover()
    assert page.locator(".c3-line.c3-on").count() == 6
    assert page.locator(".c3-seen.c3-on").count() == 6
    assert "151 parameters" in words.inner_text()
    page.locator("button[data-map='s2.0']").click()
    page.mouse.move(1, 1)
    assert page.locator(".c3-line.c3-on").count() == 10
    pressed = page.locator("[aria-pressed='true']")
    assert pressed.get_attribute("data-map") == "s2.0"
    page.locator("button[data-map='s2.0']").click()
    assert pressed.count() == 0


def test_c3_by_keyboard(show):
    page = show(C3Connections())
    words = page.locator(".c3-words")
    page.keyboard.press("Tab")
    assert "C3 map 0 sees" in words.inner_text()
    for key, expected in (
        ("ArrowDown", "C3 map 1 sees"),
        ("End", "C3 map 15 sees"),
        ("ArrowLeft", "S2 map 5 is"),
        ("Home", "S2 map 0 is"),
        ("ArrowRight", "C3 map 1 sees"),
        ("ArrowUp", "C3 map 0 sees"),
        ("ArrowUp", "C3 map 0 sees"),
        ("Space", "C3 map 0 sees"),
        ("Escape", "C3 has 1,516"),
    ):
        page.keyboard.press(key)
        assert words.inner_text().startswith(expected), key
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.dataset.map")


def layers(page) -> list[str]:
    return page.locator(".an-table tbody th").evaluate_all(
        "all => all.map(th => (th.querySelector('button') ?? th)"
        ".firstChild.data.trim())"
    )


def test_anatomy_sorts_and_measures(show):
    page = show(AnatomyExplorer(lenet5("modern"), (1, 32, 32)))
    head = page.locator("th[data-sort='macs']")
    first = ["c1", "s2", "c3", "s4", "c5", "f6", "output"]
    assert layers(page) == first
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert layers(page)[:3] == ["c3", "c1", "c5"]
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert layers(page)[:2] == ["s2", "s4"]
    page.locator("th[data-sort='order'] button").click()
    assert layers(page) == first
    assert page.locator("[aria-sort]").count() == 1
    tall = page.locator(".an-bar").nth(2)
    before = tall.get_attribute("height")
    page.locator("input[value='macs']").check(force=True)
    assert tall.get_attribute("height") == "100.000%" != before
    page.locator("input[value='log']").check(force=True)
    assert (
        float(page.locator(".an-bar").first.get_attribute("height")[:-1]) > 90
    )
    assert "57.6 %" in page.locator(".an-table tbody tr").nth(2).inner_text()


def test_anatomy_joins_row_and_bar(show):
    page = show(AnatomyExplorer(lenet5("modern"), (1, 32, 32)))
    bars, rows = page.locator(".an-bar"), page.locator(".an-table tbody tr")
    lit = "all => all.map(a => a.classList.contains('an-on')).indexOf(true)"
    rows.nth(5).hover()
    assert bars.evaluate_all(lit) == rows.evaluate_all(lit) == 5
    area = page.locator(".an-chart").bounding_box()
    x = area["x"] + 0.5 * area["width"] / 7
    page.mouse.move(x, area["y"] + 5)
    assert bars.evaluate_all(lit) == rows.evaluate_all(lit) == 0
    page.mouse.move(1, 1)
    assert bars.evaluate_all(lit) == -1
    slider = page.locator("input[type=range]")
    slider.press("ArrowRight")
    assert bars.evaluate_all(lit) == rows.evaluate_all(lit) == 1
    assert slider.get_attribute("aria-valuetext") == "s2"
    page.keyboard.press("Escape")
    assert bars.evaluate_all(lit) == -1


def test_long_anatomy_groups_and_scrolls(show):
    page = show(AnatomyExplorer(deep_anatomy()))
    assert len(layers(page)) == 24
    assert "7 layers" in page.locator(".an-table tbody tr").first.inner_text()
    page.locator("select").select_option("0")
    assert len(layers(page)) == 168
    box = page.locator(".an-box")
    page.locator("input[type=range]").press("End")
    assert box.evaluate("b => b.scrollTop + b.clientHeight") == box.evaluate(
        "b => b.scrollHeight"
    )
    head = page.locator(".an-table thead th").first.bounding_box()
    assert head["y"] == pytest.approx(box.bounding_box()["y"], abs=2)


def test_groups_open_and_close_by_keyboard(show):
    page = show(AnatomyExplorer(resnet_152(), depth=2))
    closers = page.locator(".an-closers")
    assert len(layers(page)) == 54 and closers.is_hidden()
    group = page.get_by_role("button", name="stage3.0", exact=True)
    group.focus()
    group.press("Enter")
    names = layers(page)
    assert names[6:9] == ["stage3.0.conv1", "stage3.0.norm1", "stage3.0.conv2"]
    assert group.count() == 0
    close = page.get_by_role("button", name="Close stage3.0")
    assert close.evaluate("c => c === document.activeElement")
    page.keyboard.press("Enter")
    assert len(layers(page)) == 54 and closers.is_hidden()
    assert group.evaluate("g => g === document.activeElement")
    page.get_by_label("Show").select_option("1")
    page.get_by_role("button", name="stage4", exact=True).click()
    page.get_by_role("button", name="stage4.35", exact=True).click()
    page.get_by_role("button", name="stage4.34", exact=True).press("Space")
    assert closers.locator("button").count() == 3
    assert "stage4.35.conv3" in layers(page)
    assert complaints(page) == []
    page.get_by_role("button", name="Close stage4", exact=True).click()
    assert closers.is_hidden() and "stage4" in layers(page)


def complaints(page) -> list[str]:
    """What axe finds wrong with the widget."""
    return accessibility(page, ".cnn-widget")


def test_axe_notices(show):
    page = show(AnatomyExplorer(lenet5("modern"), (1, 32, 32)))
    assert complaints(page) == []
    slider = page.locator("input[type=range]")
    slider.evaluate("input => input.closest('label').after(input)")
    assert "label" in complaints(page)[0]
