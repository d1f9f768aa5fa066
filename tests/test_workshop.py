"""The workshop: one arithmetic in two languages, equal to torch's."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import random
import re
import sys
import time
import warnings
from collections.abc import Iterator
from functools import partial

import pytest
import torch
from conftest import ROOT
from py_mini_racer import MiniRacer
from random_networks import NOISE, damaged, network

from cnnbook import nets, workshop
from cnnbook.anatomy import trace
from cnnbook.workshop import counting, reading

WIDGETS = ROOT / "cnnbook" / "widgets"
GOLDEN = ROOT / "tests" / "golden" / "workshop-problems.json"
SCRIPT = (WIDGETS / "base.mjs").read_text("utf-8") + (
    WIDGETS / "workshop" / "core.mjs"
).read_text("utf-8")


@contextlib.contextmanager
def running(script: str) -> Iterator[MiniRacer]:
    """An engine with the script and a function that answers in JSON."""
    with MiniRacer() as engine:
        engine.eval(script)
        engine.eval(
            """function answers(texts) {
              return JSON.stringify(texts.map((text) => [
                wsParse(text), wsToPytorch(text), wsToAddress(text)]));
            }
            function networks(texts) {
              return JSON.stringify(texts.map((text) => wsParse(text)));
            }"""
        )
        yield engine


@pytest.fixture(scope="module")
def engine() -> Iterator[MiniRacer]:
    """The script as it is."""
    with running(SCRIPT) as engine:
        yield engine


def called(engine: MiniRacer, function: str, given: object) -> object:
    """Call a function that answers in JSON."""
    return json.loads(engine.eval(f"{function}({json.dumps(given)})"))


def ours(text: str) -> list:
    """What the Python twin answers."""
    net = workshop.parse(text)
    code = "" if net.errors else net.to_pytorch()
    return [net.to_json(), code, workshop.to_address(text)]


def differences(engine: MiniRacer, texts: list[str]) -> list[str]:
    """The texts for which the two languages do not agree."""
    theirs = called(engine, "answers", texts)
    return [
        text
        for text, answer in zip(texts, theirs, strict=True)
        if answer != ours(text)
    ]


# ---- JavaScript and Python ----


@pytest.mark.parametrize("start", range(0, 5000, 1000))
def test_both_languages_agree(engine: MiniRacer, start: int) -> None:
    """Rows, totals, problems with their places, code, address: all equal."""
    seeds = range(start, start + 500)
    texts = [*map(network, seeds), *map(damaged, seeds)]
    assert differences(engine, texts) == []


def test_the_comparison_sees_a_difference() -> None:
    """One sign less in the script, and hundreds of networks differ."""
    broken = SCRIPT.replace("axis.jump * stride", "axis.jump")
    broken = broken.replace("jump * stride, whole", "jump, whole")
    assert broken != SCRIPT
    with running(broken) as engine:
        assert len(differences(engine, [network(i) for i in range(60)])) > 5


def test_random_texts_are_of_all_kinds() -> None:
    """Many are right, many are wrong, and forks are among them."""
    found = [workshop.parse(network(seed)) for seed in range(100)]
    right = [net for net in found if not net.errors]
    assert 40 < len(right) < 90
    assert sum(any(row.path for row in net.rows) for net in right) > 10
    wrong = [workshop.parse(damaged(seed)) for seed in range(100)]
    assert sum(bool(net.errors) for net in wrong) > 50


# ---- Python and torch ----


def pair(value: object) -> tuple:
    """A field along both axes."""
    return value if isinstance(value, tuple) else (value, value)


def torch_rows(module: torch.nn.Module, shape: tuple[int, ...]) -> list:
    """The rows of the traced module, totals last; ReLU costs nothing."""
    found = trace(module, shape)
    rows = [
        (
            row.output_shape,
            row.parameters,
            row.macs,
            row.activations,
            pair(row.receptive_field),
            pair(row.jump),
        )
        for row in found.rows
        if row.kind not in ("ReLU", "Identity", "Flatten")
    ]
    totals = found.total_parameters, found.total_macs
    return [*rows, (*totals, found.total_activations)]


def our_rows(net: workshop.Network) -> list:
    """The same, as the notation's arithmetic has it."""
    rows = [
        (
            row.shape,
            row.parameters,
            row.macs,
            row.activations,
            row.field,
            row.jump,
        )
        for row in net.rows
        if row.op not in ("add", "concat", "global", "relu", "flatten")
    ]
    totals = net.totals
    return [*rows, (totals.parameters, totals.macs, totals.activations)]


def test_torch_agrees() -> None:
    """What the code builds has the rows that the arithmetic says."""
    compared = 0
    for seed in range(10_000, 10_520):
        net = workshop.parse(network(seed))
        if net.errors or not net.rows:
            continue
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an even kernel
            found = torch_rows(net.to_module(), net.input_shape)
        assert found == our_rows(net), net.text
        compared += 1
    assert compared >= 300


ROWS = {
    "LeNet-5": partial(nets.lenet5, "modern"),
    "AlexNet": nets.alexnet,
    "AlexNet without groups": partial(nets.alexnet, "ungrouped"),
    "AlexNet without padding": partial(nets.alexnet, "unpadded"),
    "ZFNet": nets.zfnet,
    "VGG A": partial(nets.vgg, "A"),
    "VGG B": partial(nets.vgg, "B"),
    "VGG C": partial(nets.vgg, "C"),
    "VGG D (VGG-16)": partial(nets.vgg, "D"),
    "VGG E (VGG-19)": partial(nets.vgg, "E"),
    "Network in Network": nets.nin,
    "Network in Network for CIFAR": partial(nets.nin, "cifar"),
    "GoogLeNet": nets.googlenet,
    "ResNet-18": partial(nets.resnet, 18),
    "ResNet-34": partial(nets.resnet, 34),
    "ResNet-50": partial(nets.resnet, 50),
    "ResNet-101": partial(nets.resnet, 101),
    "ResNet-152": partial(nets.resnet, 152),
    "ResNet-20 for CIFAR": nets.cifar_resnet,
}
OTHERS = {"LeNet-5 of 1998, nearly", "MobileNet"}


def test_every_network_is_compared() -> None:
    """No network of the list goes without a check."""
    assert {*ROWS, *OTHERS} == {*workshop.BOOK}


@pytest.mark.parametrize("title", workshop.BOOK)
def test_the_book_in_the_notation(engine: MiniRacer, title: str) -> None:
    """No problem, the same in both languages, as its code says."""
    net = workshop.parse(workshop.BOOK[title])
    assert net.problems == []
    assert differences(engine, [net.text]) == []
    with torch.device("meta"):
        found = torch_rows(net.to_module(), net.input_shape)
    assert found == our_rows(net)


@pytest.mark.parametrize("title", ROWS)
def test_the_book_s_own_networks(title: str) -> None:
    """Row by row and in all, the notation is the network of the book."""
    net = workshop.parse(workshop.BOOK[title])
    with torch.device("meta"):
        module = ROWS[title]()
    assert torch_rows(module, net.input_shape) == our_rows(net)


def test_what_the_notation_cannot_say_of_1998() -> None:
    """The text says how it differs from the paper; this is by how much."""
    net = workshop.parse(workshop.BOOK["LeNet-5 of 1998, nearly"])
    paper = trace(nets.lenet5("1998"), (1, 32, 32)).total_parameters
    sparse, poolings, output = 2416 - 1516, 12 + 32, 850
    assert net.totals.parameters == paper + sparse - poolings + output


def test_depth_is_the_number_in_the_name() -> None:
    """Along the longest path; projections beside it do not count."""
    depths = {
        title: workshop.parse(text).totals.depth
        for title, text in workshop.BOOK.items()
    }
    for title, depth in depths.items():
        if found := re.search(r"(?:ResNet|VGG)-([0-9]+)", title):
            assert depth == int(found[1])
    assert depths["GoogLeNet"] == 22
    assert depths["AlexNet"] == 8


def test_the_code_runs_alone() -> None:
    """As a program, it says what it is."""
    code = workshop.parse(workshop.BOOK["LeNet-5"]).to_pytorch()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {"__name__": "__main__"})
    assert said.getvalue() == "61706 parameters\ntorch.Size([1, 10])\n"


def test_repeats_stay_repeats_in_the_code() -> None:
    """Fifty blocks are a loop, not two thousand lines."""
    code = workshop.parse(workshop.BOOK["ResNet-152"]).to_pytorch()
    assert "for _ in range(35)" in code
    assert len(code.splitlines()) < 250


def test_errors_have_no_code() -> None:
    """It says which line to mend."""
    net = workshop.parse("input 3x8x8\nconv 8 9x9")
    with pytest.raises(ValueError, match=r"mend line 2 first: 8 high, .*\.$"):
        net.to_pytorch()
    with pytest.raises(TypeError, match=r"as text, not bytes; .*\.$"):
        workshop.parse(b"input 3x8x8")


# ---- What lecture notes print ----

STACK = """\
[227×227×3] {input}
[55×55×96] CONV1: 96 11×11 {filters} {at} {stride} 4, pad 0
[27×27×96] MAX POOL1: 3×3 {filters} {at} {stride} 2
[27×27×96] NORM1: {norm}
[27×27×256] CONV2: 256 5×5 {filters} {at} {stride} 1, pad 2
[13×13×256] MAX POOL2: 3×3 {filters} {at} {stride} 2
[13×13×256] NORM2: {norm}
[13×13×384] CONV3: 384 3×3 {filters} {at} {stride} 1, pad 1
[13×13×384] CONV4: 384 3×3 {filters} {at} {stride} 1, pad 1
[13×13×256] CONV5: 256 3×3 {filters} {at} {stride} 1, pad 1
[6×6×256] MAX POOL3: 3×3 {filters} {at} {stride} 2
[4096] FC6: 4096 {units} [4096] FC7: 4096 {units}
[1000] FC8: 1000 {units} (class scores)
"""
WORDINGS = {
    "English": dict(
        input="INPUT",
        filters="filters",
        at="at",
        stride="stride",
        norm="Normalization layer",
        units="neurons",
    ),
    "Portuguese": dict(
        input="Entrada",
        filters="filtros",
        at="com",
        stride="passo",
        norm="camada de normalização",
        units="neurônios",
    ),
}


@pytest.mark.parametrize("language", WORDINGS)
def test_alexnet_as_notes_print_it(language: str) -> None:
    """Shapes in front, names with colons, two layers on one line."""
    net = workshop.parse(STACK.format(**WORDINGS[language]))
    assert net.problems == []
    assert net.totals.parameters == 62_378_344
    assert net.rows[0].name == "CONV1"
    assert net.rows[-1].name == "FC8"


def test_alexnet_with_224_pixels() -> None:
    """Told once, where it begins, with what would fit."""
    text = STACK.format(**WORDINGS["English"]).replace("227", "224")
    (note,) = workshop.parse(text).problems
    assert (note.kind, note.line, note.column) == ("note", 2, 0)
    assert note.says == (
        "This line prints 55×55×96, but the network gives 54×54×96; "
        "an input of 227×227 would fit."
    )


def ledger() -> str:
    """VGG-16 as its ledger is printed: shapes, memory, parameters."""
    lines = [
        "INPUT: [224x224x3] memory: 224*224*3=150K params: 0 "
        "(not counting biases)"
    ]
    maps, side = 3, 224
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            values = f"{side}*{side}*{width}={side * side * width}"
            lines.append(
                f"CONV3-{width}: [{side}x{side}x{width}] memory: {values} "
                f"params: (3*3*{maps})*{width} = {9 * maps * width:,}"
            )
            maps = width
        side //= 2
        lines.append(f"POOL2: [{side}x{side}x{width}] params: 0")
    return "\n".join(
        [
            *lines,
            "FC: [1x1x4096] memory: 4096 params: 7*7*512*4096 = 102,760,448",
            "FC: [1x1x4096] memory: 4096 params: 4096*4096 = 16,777,216",
            "FC: [1x1x1000] memory: 1000 params: 4096*1000 = 4,096,000",
            "TOTAL params: 138M parameters",
        ]
    )


def test_the_vgg_ledger_as_it_is_printed() -> None:
    """On lines of its own or all on one; weights alone are no mistake."""
    net = workshop.parse(ledger())
    assert net.problems == []
    assert net.totals.parameters == 138_357_544
    net = workshop.parse(
        ledger().replace("\n", " ").replace("TOTAL", "\nTOTAL")
    )
    assert net.problems == []
    assert net.totals.parameters == 138_357_544


def test_the_ledger_s_own_mistakes_are_told() -> None:
    """The 24M values; a product that is not its result; a wrong count."""
    total = "TOTAL memory: 24M * 4 bytes ~= 96MB / image (only forward!)"
    net = workshop.parse(
        ledger()
        .replace("(3*3*64)*64", "(3*3*3)*64")
        .replace("73,728", "73,729")
        + f"\n{total}"
    )
    assert [(p.kind, p.line, p.says) for p in net.problems] == [
        (
            "note",
            3,
            "This line prints a product that is 1,728, "
            "but the network has 36,864 parameters.",
        ),
        (
            "note",
            5,
            "This line prints 73,729 parameters, but the network has "
            "73,856, or 73,728 without biases.",
        ),
        (
            "note",
            24,
            "This line prints 24M values, but the network has 15,237,608.",
        ),
    ]


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("96 11x11 s4 p0", "conv 96 11x11 s4"),
        ("11×11 conv, 96, /4", "conv 96 11x11 s4"),
        ("Conv1: $K = 96, F = 11$ $S = 4, P = 0$", "conv 96 11x11 s4"),
        ("conv3-64", "64 3x3 p1"),
        ("CONV1-64", "64 1x1"),
        ("conv3-64 LRN", "64 3x3 p1; norm"),
        ("MAX-POOL = 2x2, s = 2", "pool"),
        ("maxpool", "max pool 2x2 s2"),
        ("3x3 max pool, stride 2", "pool 3x3 s2"),
        ("FC-4096", "dense 4096"),
        ("1000-d fc", "dense 1000"),
        ("32 filters, 1×1×3", "32 1x1"),
        ("[3x3, 3; 3x3, 3] ×2", "x2 +{ 3 3x3 p1 bn; 3 3x3 p1 bn }"),
        (
            "[1x1, 8; 3x3, 8; 1x1, 16] x 2 s2",
            "+{ 8 1x1 s2 bn; 8 3x3 p1 bn; 16 1x1 bn | 16 1x1 s2 bn }\n"
            "+{ 8 1x1 bn; 8 3x3 p1 bn; 16 1x1 bn }",
        ),
        ("dw 3x3 s2", "conv 3 3x3 s2 g3"),
        ("conv 8 3", "8 3x3"),
        ("x2 { conv3-64 }", "conv3-64\nconv3-64"),
        ("conv 8 3x3\nbn\nrelu", "8 3x3 bn"),
        ("+{ 3 3x3 same }", "+{ same | 3 3x3 same }"),
        ("8 3x3; pool → 8 3x3", "8 3x3\npool\n8 3x3"),
    ],
)
def test_other_words_for_the_same(line: str, same: str) -> None:
    """Whatever the wording, the network is the same."""
    one, other = (
        workshop.parse(f"input 3x227x227\n{text}\ndense 10")
        for text in (line, same)
    )
    assert one.problems == [] == other.problems
    assert our_rows(one) == our_rows(other)
    assert one.shape == other.shape


# ---- Problems ----

# Each text with its problems in the golden file; together they reach every
# sentence there is.
TEXTS = (
    "conv 8 3x3",
    "input",
    "input 3x8x8\ninput 3x9x9",
    "input 3x8x8\nconv 8 9x9",
    "input 3x8x8\nconv 8 3x3 d4 s2",
    "input 3x8x8\npool 9x3",
    "input 3x8x8\nconv 8 3x3 g2",
    "input 8x8x12\n12 3x3 g5",
    "input 3x8x8\ndw 8 3x3",
    "input 3x8x8\nconv 8 3x3 strid 2",
    "input 3x8x8\nconv 8 3x3 stride",
    "input 3x8x8\nconv 8 3x3 s",
    "input 3x8x8\nconv 8 3x3 s0; 8 3x3 g0",
    "input 3x8x8\nzyxwvu 3",
    "input 3x8x8\nconv 64",
    "input 3x8x8\nconv 3x3",
    "input 3x8x8\nconv 0 3x3",
    "input 3x8x8\n3x3",
    "input 3x8x8\n64",
    "input 3x8x8\nc1:",
    "input 3x8x8\nconv 8 3x3 7",
    "input 3x8x8\nconv 8 0x3",
    "input 3x8x8\nconv 8 3x3 5x5",
    "input 3x8x8\nconv 8 3x3x3x3",
    "input 3x8x8\nconv 8 1x1x1x1x1x1x1x1x1",
    "input 3x8x8\nconv 8 5x5x4",
    "input 3x8x8\nconv 8 3x3 s1x1x1 p2",
    "input 3x8x8\nconv 8 3x3 s = 1x1x1",
    "input 3x8x8\nconv 8 4x4 s2 same",
    "input 3x8x8\nconv 8 3x3 ceil",
    "input 3x8x8\nconv 1000001 3x3",
    "input 3x8x8\nconv 8.5 3x3",
    "input 3x8x8\nconv 8 3x3 no pool",
    "input 3x8x8\nconv 8 3x3 no same",
    "input 3x8x8\nconv 8 3x3 dropout 7",
    "input 3x8x8\nconv 8 3x3 pool",
    "input 3x8x8\npool 3x3 p2",
    "input 3x8x8\npool g2 d2",
    "input 3x8x8\npool 64 2x2",
    "input 3x8x8\ndense",
    "input 3x8x8\ndense 0",
    "input 3x8x8\ndense 100 10",
    "input 3x8x8\ndense 3x3 s2",
    "input 3x8x8\ndense 10; conv 8 3x3",
    "input 3x8x8\ndense 10; norm",
    "input 3x8x8\nsame 2 s2",
    "input 3x8x8\n@",
    "input 3x8x8\n\u0660",
    "input 3x8x8\nconv 8 3x3 ]",
    "input 3x8x8\nconv 8 3x3 +",
    "input 3x8x8\nconv 8 3x3 [",
    "input 3x8x8\nconv 8 3x3 [a]",
    "input 3x8x8\n[pool; 3x3, 8]",
    "input 3x8x8\nx0 conv 8 3x3",
    "input 3x8x8\n8 3x3 | 8 1x1",
    "input 3x8x8\n8 3x3 }",
    "input 3x8x8\n{ 8 3x3",
    "input 3x8x8\n8 3x3 { 8 1x1 }",
    "input 3x8x8\nx2 { 8 1x1 } 8 1x1",
    "input 3x8x8\n{ 8 3x3 | 8 1x1 }",
    "input 3x8x8\n{ 8 1x1 | 8 3x3 p0 }",
    "input 3x8x8\n{ 8 1x1 | pool 5x5 s3 }",
    "input 3x8x8\n{ 8 1x1 | global avg }",
    "input 3x8x8\n+{ 8 3x3 p1 }",
    "input 3x8x8\n+{ 8 3x3 s2 p1 | same }",
    "input 3x8x8\n+{ 8 3x3 | 8 1x1 }",
    "[3x8x8] INPUT\n[8x8x9] conv 8 3x3 same",
    "[3x8x8] INPUT\nconv 8 3x3 params: 7",
    "[3x8x8] INPUT\nconv 8 3x3 memory: 7K",
    "[3x8x8] INPUT\nconv 8 3x3 params: (3*3)*8 = 216",
    "input 3x8x8\ntotal",
    "input 3x8x8\nTOTAL params: 7",
    "input 3x1000000x1000000\nconv 1000000 1x1",
    "input 3x8x8\nx100 { same | same }",
    "input 3x8x8\nx1000000 conv3-3",
    "input 3x8x8\n" + "{ " * 17,
    "input 3x8x8\n{ " + "| " * 64,
    "\n" * 500 + "input 3x8x8",
    "x" * 10_001,
)


def found_problems() -> dict[str, list]:
    """The problems of each text; long ones by their beginning and length."""
    return {
        text if len(text) < 80 else f"{text[:20]}… {len(text)}": [
            [p.kind, p.line, p.column, p.length, p.says, p.fits]
            for p in workshop.parse(text).problems
        ]
        for text in TEXTS
    }


def test_problems_are_as_they_were_read(
    request: pytest.FixtureRequest,
) -> None:
    """Every sentence was read by a person before it was committed."""
    found = found_problems()
    if request.config.getoption("--renew-golden"):
        written = json.dumps(found, indent=1, ensure_ascii=False)
        GOLDEN.write_text(written + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text("utf-8"))


def test_both_languages_find_them(engine: MiniRacer) -> None:
    """The golden texts in JavaScript."""
    assert differences(engine, list(TEXTS)) == []


def places(module: object) -> set[tuple[str, int]]:
    """Where a module calls problem, note or stop."""
    source = (ROOT / "cnnbook" / "workshop" / f"{module}.py").read_text()
    return {
        (module, node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("problem", "note", "stop")
        and ast.unparse(node.func.value) != "self"
    }


def reached(texts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> set:
    """The places that these texts reach."""
    seen = set()
    for name in ("problem", "note", "stop"):
        kept = getattr(reading.Reader, name)

        def noting(self, *args, kept=kept, **options):
            frame = sys._getframe(1)
            module = frame.f_globals["__name__"].rpartition(".")[2]
            lines = frame.f_code.co_positions()
            call = list(lines)[frame.f_lasti // 2][0]
            seen.add((module, call))
            return kept(self, *args, **options)

        monkeypatch.setattr(reading.Reader, name, noting)
    for text in texts:
        workshop.parse(text)
    return seen


def test_every_sentence_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sentence of the two modules stands there without a text."""
    wanted = places("reading") | places("counting")
    assert len(wanted) > 50
    assert wanted - reached(TEXTS, monkeypatch) == set()


def test_a_sentence_without_a_text_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The check above can fail."""
    wanted = places("reading") | places("counting")
    assert len(wanted - reached(TEXTS[:9], monkeypatch)) > 20


def test_sentences_and_repairs() -> None:
    """One sentence each; a repair, put in its place, mends that line."""
    repaired = 0
    for seed in range(200):
        text = damaged(seed)
        for problem in workshop.parse(text).problems:
            assert problem.says.endswith(".")
            assert problem.says[:-1].count(". ") == 0
            assert len(problem.says) < 200
            lines = text.split("\n")
            line = lines[problem.line - 1] if lines else ""
            assert problem.column + problem.length <= len(
                line.encode("utf-16")
            )
            repaired += bool(problem.fits)
    assert repaired > 100


@pytest.mark.parametrize(
    "text",
    [
        "conv 8 3x3",
        "input 3x8x8\nconv 8 9x9",
        "input 3x8x8\nconv 8 3x3 d4",
        "input 8x8x12\n12 3x3 g5",
        "input 3x8x8\ndw 8 3x3",
        "input 3x8x8\n8 3x3 strid 2",
        "input 3x8x8\npool 3x3 p2",
        "input 3x8x8\n3x3",
        "input 3x8x8\n64",
        "input 3x8x8\nconv 64",
        "input 3x8x8\ndense",
        "input 3x8x8\n8 4x4 s2 same",
        "input 3x8x8\n8 3x3 pool",
        "input 3x8x8\n+{ 8 3x3 p1 }",
        "input 3x8x8\n+{ 8 3x3 s2 p1 | same }",
        "input 3x8x8\n{ 8 1x1 | 8 3x3 p0 }",
        "input 3x8x8\n{ 8 1x1 | 8 3x3 }",
        "[8x8x3] INPUT\n[8x8x9] 8 3x3 same",
        "[8x8x3] INPUT\n8 3x3 params: 7",
    ],
)
def test_a_repair_repairs(text: str) -> None:
    """Put in the marked place, it leaves no problem."""
    (problem,) = workshop.parse(text).problems
    assert problem.fits
    lines = text.split("\n")
    line, at = lines[problem.line - 1], problem.column
    lines[problem.line - 1] = (
        line[:at] + problem.fits + line[at + problem.length :]
    )
    assert workshop.parse("\n".join(lines)).problems == []


def test_the_rest_is_computed_where_it_can_be() -> None:
    """Behind a kernel that does not fit, maps are known, sizes are not."""
    net = workshop.parse("input 3x8x8\n8 9x9\n16 3x3\nglobal avg\ndense 10")
    assert [row.shape for row in net.rows] == [
        (8, None, None),
        (16, None, None),
        (16,),
        (10,),
    ]
    assert [row.parameters for row in net.rows] == [1952, 1168, 0, 170]
    assert net.rows[1].macs is None
    assert net.totals.parameters == 1952 + 1168 + 170
    assert not net.totals.complete


# ---- Attacks ----


def engine_times(engine: MiniRacer, call: str, count: int) -> list[float]:
    """Milliseconds of the processor for each call, the shortest first.

    Not of the clock: a busy machine lets everyone wait.
    """
    times = []
    for _ in range(count):
        start = time.process_time()
        engine.eval(f"{call}; 0")
        times.append(1000 * (time.process_time() - start))
    return sorted(times)


ATTACKS = {
    "a million layers": "input 3x8x8\nx1000000 conv 3 3x3 same",
    "a million of nothing": "input 3x8x8\n" + "x1000000 { " * 9 + "}" * 9,
    "the lines": "input 3x8x8\n" + "8 3x3 p1\n" * 600,
    "nesting": "input 3x8x8\n" + "{" * 100_000,
    "nesting that fits the length": "input 3x8x8\n" + "{" * 9900,
    "a long text": "conv 8 3x3\n" * 1_000_000,
    "many branches": "input 3x8x8\n{" + "8 1x1 |" * 1200 + "}",
    "doubling": "input 3x8x8\nx1000 { same | same }",
    "a huge number": "input 3x8x8\nconv 8 3x3 p" + "9" * 9900,
    "huge sizes": "input 999999x999999x999999\n"
    + "999999 999999x999999 same\n" * 30,
    "huge strides": "input 3x8x8\nx500 conv 3 1x1 s999999",
    "NUL": "input 3x8x8\n" + "\x00" * 4900,
    "other digits": "input ٣x٣x٣\nconv ８ ３x３",
    "astral letters": "input 3x8x8\n" + "🙂" * 4900,
    "sizes without end": "input 3x8x8\nconv " + "1x" * 4900,
    "numbers without end": "input 3x8x8\nconv " + "1," * 4900,
    "thousands": "input 3x8x8\nparams: " + "1,111" * 1900,
    "a product without end": "input 3x8x8\nconv 8 3x3 params: " + "(1*" * 3000,
    "claims without end": "input 3x8x8\n" + "params: ((((" * 800,
    "words without end": "input 3x8x8\nconv " + "a-" * 4900,
    "names without end": "input 3x8x8\n" + "a: " * 3000,
    "brackets": "input 3x8x8\nconv " + "[" * 9000,
    "closed brackets": "input 3x8x8\nconv 8 3x3 " + "[8]" * 3000,
    "round brackets": "input 3x8x8\nconv 8 3x3 " + "(" * 9000,
    "spaces": "input 3x8x8\nconv 8" + " " * 9000 + "3x3",
    "unknown words": "input 3x8x8\n" + "abcdefg hijklm\n" * 600,
    "suffixes": "input 3x8x8\nconv 8 3x3" + " bn" * 3000,
    "lone surrogates": "input 3x8x8\n\ud800\udc00 \udfff",
    "script": "input 3x8x8\n</script><img src=x onerror=alert(1)>",
    "a prototype": "input 3x8x8\n__proto__ constructor toString 3x3",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_end_in_a_sentence(engine: MiniRacer, name: str) -> None:
    """Soon, in both languages, with the same words."""
    text = ATTACKS[name]
    engine.eval(f"globalThis.attack = {json.dumps(text)}; 0")
    times = []
    for _ in range(5):
        start = time.process_time()
        net = workshop.parse(text)
        times.append(1000 * (time.process_time() - start))
    scripts = engine_times(engine, "wsParse(attack)", 5)
    print(f"{name}: Python {min(times):.1f} ms, script {scripts[0]:.1f} ms")
    assert min(times) < 150
    assert scripts[0] < 50
    assert len(net.rows) <= workshop.LIMITS["rows"] + 8
    assert len(net.problems) <= workshop.LIMITS["problems"]
    found = json.loads(engine.eval("JSON.stringify(wsParse(attack))"))
    assert found == net.to_json()


def test_resnet_152_is_read_within_a_frame(engine: MiniRacer) -> None:
    """Parsing and arithmetic: 95 of 100 times in at most 10 ms."""
    engine.eval(f"globalThis.t = {json.dumps(workshop.BOOK['ResNet-152'])}; 0")
    times = engine_times(engine, "wsParse(t)", 120)
    print(f"ResNet-152: p50 {times[60]:.1f} ms, p95 {times[114]:.1f} ms")
    assert times[114] <= 10


# ---- Addresses ----


def test_addresses_give_the_text_back(engine: MiniRacer) -> None:
    """Both languages write the same and read what they wrote."""
    texts = [damaged(seed) for seed in range(400)]
    texts += [*workshop.BOOK.values(), "", "\x00 %41 $ ~ _ é × 🙂 '\"<>&`"]
    script = f"""JSON.stringify({json.dumps(texts)}.map((text) => {{
      const address = wsToAddress(text);
      return [address, wsFromAddress("#" + address) === text,
        wsFromAddress("#" + encodeURIComponent(address)) === text];
    }}))"""
    for text, (address, back, encoded) in zip(
        texts, json.loads(engine.eval(script)), strict=True
    ):
        assert address == workshop.to_address(text)
        assert re.fullmatch(r"net=[A-Za-z0-9.:,;/=+\-_~()!@'$]*\.end", address)
        assert back and encoded
        assert workshop.from_address(f"#{address}") == text


def test_addresses_are_short() -> None:
    """ResNet-152 fits into a message."""
    length = len(workshop.to_address(workshop.BOOK["ResNet-152"]))
    print(f"ResNet-152's address: {length} characters")
    assert length < 300


def test_damaged_addresses_are_refused(engine: MiniRacer) -> None:
    """Cut off, foreign, too long, hostile: null, and the same in Python."""
    r = random.Random(5)
    whole = workshop.to_address(workshop.BOOK["GoogLeNet"])
    hashes = [
        "",
        "#",
        "#net=",
        "#net=.end",
        "#top",
        "#net=a%",
        "#net=%zz.end",
        "#net=%ff.end",
        "#net=%c3%a9.end",
        "#net=%E2%82%AC.end",
        "#net=$110000..end",
        "#net=$d83d.$de42..end",
        "#net=<img src=x onerror=alert(1)>.end",
        "#net=" + "a" * 35_000 + ".end",
        "#net=" + "$61." * 7000 + ".end",
        "#net=" + "a" * 10_001 + ".end",
        "net=" + "%25" * 4900 + ".end",
        *(whole[:i] for i in range(0, len(whole), 40)),
    ]
    for _ in range(400):
        i = r.randrange(len(whole))
        noise = r.choice((*NOISE, "%41", "%e9", "$", "$3a.", ".end"))
        noise = noise.replace("\ud800", "")
        hashes.append(whole[:i] + noise + whole[i + r.randrange(3) :])
    script = f"JSON.stringify({json.dumps(hashes)}.map(wsFromAddress))"
    theirs = json.loads(engine.eval(script))
    assert theirs == [workshop.from_address(h) for h in hashes]
    assert theirs[:3] == [None, None, None]
    assert theirs[3] == ""
    assert sum(text is None for text in theirs) > 100


# ---- Small things ----


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("input 3x227x227", (3, 227, 227)),
        ("input 227x227x3", (3, 227, 227)),
        ("input 227x227", (3, 227, 227)),
        ("input 227", (3, 227, 227)),
        ("input 28x28 grey", (1, 28, 28)),
        ("input 28x28x1", (1, 28, 28)),
        ("INPUT: [224x224x3]", (3, 224, 224)),
        ("[224x224x3] INPUT", (3, 224, 224)),
        ("input (224 × 224 RGB image)", (3, 224, 224)),
        ("input 300x224x3", (3, 300, 224)),
        ("input 3x300x224", (3, 300, 224)),
        ("input 512x7x7", (512, 7, 7)),
        ("input 7x7x512", (7, 7, 512)),
        ("input 14x14x32", (32, 14, 14)),
    ],
)
def test_the_input_is_read(line: str, shape: tuple[int, ...]) -> None:
    """Maps first or last, or left out."""
    assert workshop.parse(line).input_shape == shape


def test_names_tell_where_a_layer_stands() -> None:
    """Numbers, labels, groups, repeats; none twice."""
    net = workshop.parse(
        "input 8x8x8\n8 3x3 p1 bn\nstem: 8 1x1\n"
        "a: x2 { 8 1x1; b: +{ 8 3x3 p1 } }\nstem: 8 1x1"
    )
    assert [row.name for row in net.rows] == [
        "conv1",
        "conv1.bn",
        "stem",
        "a.1.conv1",
        "a.1.b.conv1",
        "a.1.b",
        "a.2.conv1",
        "a.2.b.conv1",
        "a.2.b",
        "stem (2)",
    ]
    assert [row.path for row in net.rows if row.path] == [(1, 0), (2, 0)]
    assert net.rows[5].inputs == (4, 3)


def test_where_relu_stands() -> None:
    """After layers and sums, not before softmax, not at the end."""

    def acts(text: str) -> str:
        rows = workshop.parse(f"input 8x8x8\n{text}").rows
        return " ".join(row.op + "!" * row.relu for row in rows)

    assert acts("8 1x1\n8 1x1") == "conv! conv"
    assert acts("8 1x1 bn\n8 1x1 relu") == "conv bn! conv!"
    assert acts("8 1x1 no relu\npool") == "conv pool"
    assert acts("8 1x1\nsoftmax") == "conv softmax"
    assert acts("8 1x1 tanh\npool") == "conv tanh pool"
    assert acts("+{ 8 1x1; 8 1x1 }\npool") == "conv! conv add! pool"
    assert acts("+{ 8 1x1 } no relu\npool") == "conv add pool"
    assert acts("{ 8 1x1 | 8 1x1 }\npool") == "conv! conv! concat pool"
    assert acts("+{ bn relu; 8 1x1 }\npool") == "bn! conv add! pool"
    assert acts("relu\n8 1x1") == "relu conv"


def test_a_relu_that_others_wait_for_is_not_in_place() -> None:
    """At the start of a branch it must leave its input alone."""
    net = workshop.parse("input 8x8x8\n8 1x1\n+{ relu; 8 1x1 }\npool")
    code = net.to_pytorch()
    assert code.count("nn.ReLU()") == 1
    assert code.count("nn.ReLU(inplace=True)") == 2
    module = net.to_module()
    x = torch.randn(1, 8, 8, 8)
    before = x.clone()
    module(x).sum().backward()
    assert torch.equal(x, before)


def test_counting_knows_every_layer() -> None:
    """What can be read can be counted."""
    ops = {*reading.OPS, "same"} - {"input"}
    assert ops == {*counting.LAYERS}
