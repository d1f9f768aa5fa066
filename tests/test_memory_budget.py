"""The memory budget: equal to what torch holds, and to its script."""

from __future__ import annotations

import itertools
import json
import random
import re
import weakref
from contextlib import nullcontext
from functools import cache
from html.parser import HTMLParser

import pytest
import torch
from conftest import ROOT
from py_mini_racer import MiniRacer
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from traitlets import TraitError

from cnnbook.nets.vgg import TABLE, VGG
from cnnbook.widgets import MemoryBudget
from cnnbook.widgets import memory_budget as mb
from cnnbook.widgets.memory_budget import Settings

WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1500


# ---- What torch holds: shapes without values, every array once ----


class Alive(TorchDispatchMode):
    """Watches the arrays that a pass makes, for as long as they live.

    What has a weight's shape (a half copy, a gradient) is kept apart from
    the maps.
    """

    def __init__(self, net: nn.Module, images: torch.Tensor) -> None:
        super().__init__()
        shapes = [self.bare(p) for p in net.parameters()]
        self.shapes = {*shapes, *(shape[::-1] for shape in shapes), ()}
        self.own = {p.untyped_storage()._cdata for p in net.parameters()}
        self.maps: list[weakref.ref] = []
        self.weights: list[weakref.ref] = []
        self.known: dict[int, weakref.ref] = {}
        self.peak = 0
        self.note(images)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.note(leaf)
        self.peak = max(self.peak, self.now(self.maps))
        return out

    def note(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage, if it is new."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self.known.get(key)
        if key in self.own or (known and known()):
            return
        self.known[key] = weakref.ref(storage)
        alike = self.bare(tensor) in self.shapes
        (self.weights if alike else self.maps).append(self.known[key])

    @staticmethod
    def bare(tensor: torch.Tensor) -> tuple[int, ...]:
        """The shape without its ones."""
        return tuple(n for n in tensor.shape if n != 1)

    @staticmethod
    def now(group: list[weakref.ref]) -> int:
        """The bytes of those that live."""
        return sum(s.nbytes() for s in (ref() for ref in group) if s)


class Pass:
    """A network as the settings want it, its images, and their passes."""

    def __init__(self, settings: Settings, relu: type = nn.ReLU) -> None:
        self.settings = settings
        half = settings.precision == "half"
        self.mixed = half and settings.use == "training"
        # Autocast works on real devices, so it gets a fake one.
        self.mode = FakeTensorMode() if self.mixed else nullcontext()
        kind = torch.bfloat16 if half and not self.mixed else torch.float32
        side, batch = settings.size, settings.batch
        with self.mode, torch.device("cpu" if self.mixed else "meta"):
            net = VGG(TABLE[settings.network], side=side)
            if settings.head == "mean":
                net.classifier = nn.Sequential(
                    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)
                )
            self.images = torch.empty(batch, 3, side, side, dtype=kind)
        if kind is torch.bfloat16:
            net.bfloat16()
        net.train(settings.use == "training")
        self.net, self.blocks = net, [nn.Sequential()]
        for name, layer in net.features.named_children():
            if name.startswith("relu") and relu is not nn.ReLU:
                layer = relu()
            self.blocks[-1].append(layer)
            if name.startswith("pool") and name != "pool5":
                self.blocks.append(nn.Sequential())

    def forward(self) -> torch.Tensor:
        """The logits, block by block, with checkpoints if they are set."""
        x = self.images
        with (
            torch.autocast("cpu", torch.bfloat16)
            if self.mixed
            else nullcontext()
        ):
            for block in self.blocks:
                if self.settings.checkpoints == "block":
                    x = checkpoint(block, x, use_reentrant=False)
                else:
                    x = block(x)
            if self.settings.head == "dense":
                x = x.flatten(1)
            return self.net.classifier(x)

    def kept(self) -> tuple[int, int]:
        """Bytes that autograd keeps: of maps and images, and of weights."""
        own = {p.untyped_storage()._cdata for p in self.net.parameters()}
        shapes = {tuple(p.shape) for p in self.net.parameters()}
        shapes |= {shape[::-1] for shape in shapes}
        kept: dict[int, tuple[torch.UntypedStorage, bool]] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in own:
                alike = tuple(tensor.shape) in shapes
                kept.setdefault(storage._cdata, (storage, alike))
            return tensor

        keep(self.images)
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t)
        with self.mode, hooks:
            self.forward()
        sizes = [(storage.nbytes(), alike) for storage, alike in kept.values()]
        return (
            sum(size for size, alike in sizes if not alike),
            sum(size for size, alike in sizes if alike),
        )

    def peak(self) -> int:
        """The most bytes of maps that live at once in a whole step."""
        if self.settings.use == "inference":
            with torch.no_grad(), Alive(self.net, self.images) as alive:
                self.net(self.images)
            return alive.peak
        with self.mode, Alive(self.net, self.images) as alive:
            self.forward().sum().backward()
        return alive.peak


def predicted(settings: Settings) -> int:
    """The bytes of all that grows with the batch."""
    return settings.batch * sum(mb.budget(settings).each.values())


TRAINED = [
    Settings(network, size, batch, head, precision=precision)
    for network, (size, batch), head, precision in [
        *itertools.product("ABCDE", [(224, 3)], ["dense"], ["fp32"]),
        *itertools.product(
            "AD", [(32, 1), (96, 5)], mb.CHOICES["head"], ["fp32"]
        ),
        *itertools.product(
            "ACE", [(32, 2), (128, 1)], mb.CHOICES["head"], ["half"]
        ),
    ]
]


def label(settings: Settings) -> str:
    return "-".join(map(str, settings[:8]))


@pytest.mark.parametrize("settings", TRAINED, ids=label)
def test_what_is_kept_is_what_autograd_keeps(settings: Settings) -> None:
    watched = Pass(settings)
    maps, copies = watched.kept()
    assert maps == predicted(settings)
    # Autocast copies the biases too, and forgets these when it ends.
    weights = sum(p.numel() for p in watched.net.parameters() if p.dim() > 1)
    half = settings.precision == "half"
    assert copies == 2 * weights * half
    every = mb.budget(settings).parameters
    assert every == sum(p.numel() for p in watched.net.parameters())


def test_layers_that_keep_more_are_noticed() -> None:
    settings = Settings(size=32, batch=2)
    assert Pass(settings, relu=nn.SiLU).kept()[0] > predicted(settings)
    settings = Settings(size=32, batch=2, checkpoints="block")
    assert Pass(settings, relu=nn.SiLU).peak() > predicted(settings)


SIZES = {
    "A": (32, 3),
    "B": (224, 2),
    "C": (64, 2),
    "D": (224, 2),
    "E": (32, 2),
}
HELD = [
    Settings(n, *SIZES[n], use=use, precision=precision, checkpoints=points)
    for (use, points), precision, n in itertools.product(
        [("training", "block"), ("inference", "none")],
        mb.CHOICES["precision"],
        SIZES,
    )
]


@pytest.mark.parametrize("settings", HELD, ids=label)
def test_what_is_held_at_most_is_the_peak_of_a_step(settings) -> None:
    peak = Pass(settings).peak()
    assert peak == predicted(settings)


@pytest.mark.parametrize("precision", mb.CHOICES["precision"])
@pytest.mark.parametrize("network", "ABCDE")
def test_gradients_of_maps_come_as_kept_maps_go(network, precision) -> None:
    """Without checkpoints, they add less than a fiftieth to what is kept."""
    settings = Settings(network, batch=2, precision=precision)
    peak = Pass(settings).peak()
    assert 1 <= peak / predicted(settings) < 1.02


# ---- Python and JavaScript compute the same ----


@cache
def cases() -> list[Settings]:
    draw = random.Random(2014)
    chosen = [
        Settings(
            **{
                name: draw.choice([*keys]) for name, keys in mb.CHOICES.items()
            },
            **{
                name: draw.randrange(least, most + 1, step)
                for name, (least, most, step) in mb.RANGES.items()
            },
        )
        for _ in range(CASES // 2)
    ]
    # Small batches and limits are where a reader looks, and words change.
    return chosen + [
        case._replace(batch=draw.randint(1, 9), limit=draw.randint(1, 16))
        for case in chosen
    ]


def here(case: Settings) -> list:
    found = mb.budget(case)
    return [
        found.parameters,
        list(found.parts(case.batch).items()),
        list(found.each.items()),
        found.largest(case.limit * 10**9),
        mb.words(case),
        mb.note(case),
        [mb.short(part) for part in found.fixed.values()],
        [mb.share(part, found.total(1)) for part in found.each.values()],
    ]


@cache
def ours() -> list:
    """What Python says to all cases, as JSON would hold it."""
    return json.loads(json.dumps([here(case) for case in cases()]))


TWIN = """
const answers = (columns, cases) => JSON.stringify(cases.map((settings) => {
  const column = columns[settings.network];
  const found = mbBudget(column, settings);
  const { batch, limit } = settings;
  return [
    found.parameters,
    Object.entries(mbParts(found, batch)),
    Object.entries(found.each),
    mbLargest(found, limit * 1e9),
    mbWords(column, settings),
    mbNote(settings),
    Object.values(found.fixed).map(mbShort),
    Object.values(found.each).map((n) => mbShare(n, mbTotal(found, 1))),
  ];
}));
"""


def differences(old: str = "", new: str = "") -> list:
    """The cases on which the two do not agree, one passage changed."""
    source = (WIDGETS / "memory_budget" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    source = re.sub(r"^export default .*$", "", source, flags=re.M)
    with MiniRacer() as engine:
        engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
        engine.eval(source + TWIN)
        given = [case._asdict() for case in cases()]
        theirs = json.loads(engine.call("answers", mb.COLUMNS, given))
    pairs = zip(cases(), ours(), theirs, strict=True)
    return [(case, our, their) for case, our, their in pairs if our != their]


def test_both_languages_agree() -> None:
    assert differences() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('entry.includes("x") ? 1 : 9', "9"),
        ("each.images += 3", "each.images += 1"),
        ("(asked ? pooled : 0)", "pooled"),
        ("6 * MB_HIDDEN : 512", "2 * MB_HIDDEN : 512"),
        ("[2 * one * value, 0]", "[one * value, 0]"),
        ("[5 * pooled * value, 8 * pooled]", "[5 * pooled * value, 0]"),
        ("Math.floor((limit", "Math.ceil((limit"),
        ("(2 * count + unit)", "(2 * count)"),
        ("total <= limit * 1e9 ?", "total < 1e9 ?"),
        ("part && !tenths", "!tenths"),
        ('use === "training"', 'use === "inference"'),
    ],
)
def test_a_wrong_script_is_found(old: str, new: str) -> None:
    assert differences(old, new)


def test_the_cases_hold_what_fits_and_what_does_not() -> None:
    said = [mb.words(case) for case in cases()]
    assert len(set(cases())) >= 1000
    for part in ("It fits", "It does not", "one image alone", "whatever"):
        assert 20 < sum(part in text for text in said) < CASES - 20, part


@pytest.mark.parametrize("case", cases()[::100], ids=label)
def test_the_largest_batch_fits_and_one_more_does_not(case) -> None:
    found, limit = mb.budget(case), case.limit * 10**9
    largest = found.largest(limit)
    assert found.total(largest + 1) > limit
    assert largest == 0 or found.total(largest) <= limit


# ---- In words ----


def test_it_says_what_the_chapter_computes() -> None:
    """The ledger's values, the places of the maxima, and two dropouts."""
    found = mb.budget(Settings())
    assert sum(found.each.values()) == (
        4 * (15_237_608 - 1000) + 8 * 1_530_368 + 4 * 4 * 4096
    )
    assert found.fixed == {
        "weights": 553_430_176,
        "half copies": 0,
        "gradients": 553_430_176,
        "optimiser": 553_430_176,
    }


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "20.41 GB = 19.01 GiB. It does not fit into 16 GB; the largest "
             "batch that would is 195. The largest part: block 1, 36.2 %. "
             "fc6 looks at 7 × 7 places: 102,764,544 of the 138,357,544 "
             "parameters."),
        ({"limit": 1}, "one image alone needs 1.7 GB. "),
        ({"head": "mean"}, "has 15,227,688 parameters, whatever the input"),
        ({"size": 512}, "fc6 looks at 16 × 16 places: 536,875,008 of"),
    ],
)  # fmt: skip
def test_it_says_what_fits(changes: dict, sentence: str) -> None:
    assert sentence in mb.words(Settings(**changes))


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999 B"), (1000, "1.0 kB"), (1049, "1.0 kB"), (1050, "1.1 kB"),
     (12_850_000, "12.9 MB"), (1_234_567_890_000, "1,234.6 GB")],
)  # fmt: skip
def test_bytes_are_rounded(count: int, text: str) -> None:
    assert mb.short(count) == text
    assert mb.gigabytes(2**30) == "1.07 GB = 1.00 GiB"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"network": "A-LRN"}, "no network 'A-LRN'; try 'A', 'B', 'C', 'D'"),
        ({"precision": "int8"}, "no precision 'int8'; try 'fp32', 'half'"),
        ({"size": 225}, "size from 32 to 512 in steps of 32, not 225"),
        ({"batch": 0}, "batch from 1 to 1024, not 0"),
        ({"limit": 81}, "limit from 1 to 80, not 81"),
    ],
)
def test_wrong_settings_get_a_sentence(settings, sentence) -> None:
    with pytest.raises((ValueError, TraitError), match=sentence):
        MemoryBudget(**settings)


# ---- What stands in the page without a script ----


class Cells(HTMLParser):
    """The rows of a table, as texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
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


def test_the_picture_says_it_all() -> None:
    widget = MemoryBudget(network="A", batch=8, limit=24)
    page = widget.to_html()
    head, *rows, together = Cells(page).rows
    assert head == ["Part", "An image", "In all", "Share"]
    assert [row[0] for row in rows] == [*widget.budget.parts(1)]
    assert rows[0] == ["weights", "–", "531.5 MB", "26.8 %"]
    assert together[2] == mb.short(widget.budget.total(8))
    verdict, rest = mb.words(widget._settings).split("; ")
    assert f"<strong>{verdict}</strong>; {rest}</p>" in page
    widths = re.findall(r'class="mb-part[^>]* width="([\d.]+)%"', page)
    filled = 100 * widget.budget.total(8) / 24e9
    assert sum(map(float, widths)) == pytest.approx(filled, abs=0.01)
    state = re.search(r"data-state='([^']*)'", page)
    assert json.loads(state[1]) == widget.state()
    assert len(state[1]) < 1500


def test_the_widget_is_the_same_on_every_run() -> None:
    one, other = MemoryBudget(limit=24), MemoryBudget(limit=24)
    assert one.to_html() == other.to_html()
    assert repr(one) == repr(other)
    assert repr(one).startswith("MemoryBudget(network='D', size=224, batch=")
    assert one.largest_batch == mb.budget(Settings()).largest(24 * 10**9)


# ---- By hand, in a browser ----


def rows_of(page) -> list[list[str]]:
    return page.locator(".mb-table tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(c => c.textContent))"
    )


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings("A", 512, 3, "mean", "inference", "half", limit=2)],
    ids=label,
)
def test_the_script_draws_what_stood_there(show, settings) -> None:
    widget = MemoryBudget(**settings._asdict())
    page = show(widget)
    assert rows_of(page) == Cells(widget.to_html()).rows
    assert page.locator(".mb-words").inner_text() == mb.words(settings)
    assert page.locator("figcaption").inner_text() == mb.note(settings)
    shown = page.locator(".mb-bar text:not(.mb-none)").all_text_contents()
    still = re.findall(r"<text[^>]*>([^<]*)<", mb.picture(settings))
    assert shown == still


def test_the_budget_by_mouse(show) -> None:
    page = show(MemoryBudget())
    words = page.locator(".mb-words")
    settings = Settings()
    for title, name, value in (
        ("Network", "network", "E"),
        ("Precision", "precision", "half"),
        ("Optimiser", "optimiser", "adam"),
        ("Checkpoints", "checkpoints", "block"),
        ("Head", "head", "mean"),
        ("For", "use", "inference"),
    ):
        page.get_by_role("combobox", name=title).select_option(value)
        settings = settings._replace(**{name: value})
        assert words.inner_text() == mb.words(settings), name
    assert page.get_by_label("Optimiser").is_disabled()
    assert page.get_by_label("Checkpoints").is_disabled()


def test_the_budget_by_keyboard(show) -> None:
    page = show(MemoryBudget())
    words = page.locator(".mb-words")
    page.get_by_label("Batch").press("ArrowLeft")
    assert words.inner_text() == mb.words(Settings(batch=128))
    assert page.locator("figure[data-fits=true]").count() == 1
    page.get_by_label("Input size").press("End")
    settings = Settings(batch=128, size=512)
    assert words.inner_text() == mb.words(settings)
    button = page.get_by_role("button", name="largest batch")
    button.press("Enter")
    largest = mb.budget(settings).largest(16 * 10**9)
    settings = settings._replace(batch=largest)
    assert words.inner_text() == mb.words(settings)
    batch = page.get_by_label("Batch")
    assert batch.get_attribute("aria-valuetext") == str(largest)
    assert page.locator("figure[data-fits=true]").count() == 1
    page.get_by_role("slider", name="Limit").press("Home")
    assert button.is_disabled()
    page.locator("[aria-live=polite]").get_by_text("one image alone").wait_for(
        state="attached", timeout=3000
    )


def test_a_thumb_finds_every_control(show) -> None:
    page = show(
        MemoryBudget(),
        has_touch=True,
        is_mobile=True,
        viewport={"width": 320, "height": 700},
    )
    small = page.locator(
        ".cnn-widget :is(button, input, select)"
    ).evaluate_all(
        "all => all.map(c => c.getBoundingClientRect())"
        ".filter(box => Math.min(box.width, box.height) < 44).length"
    )
    assert small == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
