"""The registry of claims: every row recomputed, every rule seen to bite."""

from __future__ import annotations

import copy
import re
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from cnnbook import claims, records
from cnnbook.claims import check, counts, figure
from cnnbook.claims.table import HEADS

REGISTRY = claims.load(ROOT / "chapters" / "claims.yml")
PAPERS = set(
    re.findall(
        r"^@\w+\{(\w+),", (ROOT / "references.bib").read_text("utf-8"), re.M
    )
)


def one_sentence(text: str) -> bool:
    return text.endswith(".") and ". " not in text and "\n" not in text


# ---- The book's own registry ----


@pytest.mark.parametrize("name", [claim.id for claim in REGISTRY])
def test_the_claim_is_what_it_says(name: str) -> None:
    assert REGISTRY.faults(REGISTRY[name]) == []


def unknown_papers(sources: dict, papers: set[str]) -> list[str]:
    """Name the papers that the bibliography does not have."""
    kinds = {name: source["kind"] for name, source in sources.items()}
    return [
        n for n, kind in kinds.items() if kind == "paper" and n not in papers
    ]


def test_papers_are_in_the_bibliography() -> None:
    assert unknown_papers(REGISTRY.sources, PAPERS) == []
    assert unknown_papers({"nobody1066": {"kind": "paper"}}, PAPERS)


def test_reasons_are_plain() -> None:
    """A reason is short: the page shows it in a cell."""
    assert [c.id for c in REGISTRY if len(c.reason) > 300] == []


# ---- How a figure is read ----


@pytest.mark.parametrize(
    ("text", "number", "step"),
    [
        ("34K", 34_000, 1000),
        ("0.6M", 600_000, 100_000),
        ("55", 55, 1),
        ("7.3 %", Fraction(73, 1000), Fraction(1, 1000)),
        ("~16M", 16_000_000, 10**6),
        ("≈ 35K", 35_000, 1000),
        ("60,000K", 60_000_000, 1000),
        ("1.327M", 1_327_000, 1000),
        ("96 MB", 96_000_000, 10**6),
        ("58.1 MiB", Fraction(581, 10) * 2**20, Fraction(2**20, 10)),
        ("253,440", 253_440, 1),
        ("5 million", 5_000_000, 10**6),
        ("12×", 12, 1),
        ("12x", 12, 1),
        ("3.6×10^9", 3_600_000_000, 10**8),
        ("1.8×10⁹", 1_800_000_000, 10**8),
        ("1e-2", Fraction(1, 100), Fraction(1, 100)),
        ("−1.5", Fraction(-3, 2), Fraction(1, 10)),
        ("2k", 2000, 1000),
        ("0", 0, 1),
    ],
)
def test_figures_are_read(text: str, number: object, step: object) -> None:
    found = figure.parse(text)
    assert (found.numbers, found.steps) == ((number,), (step,))


@pytest.mark.parametrize("text", ["55×55×96", "55x55x96", "[55 × 55 × 96]"])
def test_shapes_are_read(text: str) -> None:
    assert figure.parse(text).numbers == (55, 55, 96)


@pytest.mark.parametrize(
    "text",
    ["", "many", "5 apples", "102.760.448", "1,72", "3×3 %", "12 M 4", "1e"],
)
def test_what_is_no_figure_gets_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 34K") as error:
        figure.parse(text)
    # the examples in it hold points of their own
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "value", "finding"),
    [
        ("60K", 60_000, "confirmed"),
        ("34K", 34_848, "disagrees"),
        ("35K", 34_848, "rounds to"),
        ("15.4", 15.44, "rounds to"),
        ("15.4", 15.46, "disagrees"),
        ("138M", 138_357_544, "rounds to"),
        ("60,000K", 60_965_224, "disagrees"),
        ("60,000K", 60_000_499, "rounds to"),
        ("1.327M", 1_327_104, "rounds to"),
        ("~16M", 14_714_688, "disagrees"),
        ("96 MB", 95_600_000, "rounds to"),
        ("93 MiB", 96_000_000, "disagrees"),
        ("7.3 %", 0.073, "confirmed"),
        ("7.3 %", 7.3, "disagrees"),
        ("55×55×96", (55, 55, 96), "confirmed"),
        ("55×55×96", [55, 55, 95], "disagrees"),
        ("0.3", 0.1 + 0.2, "confirmed"),
        # a half goes either way, and no further
        ("2", 2.5, "rounds to"),
        ("3", 2.5, "rounds to"),
        ("3", 2.49, "disagrees"),
        ("4", 2.5, "disagrees"),
        ("−2", -2.5, "rounds to"),
    ],
)
def test_digits_decide_what_rounds(
    text: str, value: object, finding: str
) -> None:
    assert figure.parse(text).against(value) == finding


@pytest.mark.parametrize(
    ("text", "value", "shown", "difference"),
    [
        ("34K", 34_848, "34,848", "+848 (+2.5 %)"),
        ("24M", 15_237_608, "15,237,608", "−8,762,392 (−37 %)"),
        ("60K", 60_000, "60,000", "none"),
        ("12×", 8.711, "8.711", "−3.289 (−27 %)"),
        ("96 MB", 60_950_432, "60.95 MB", "−35.05 MB (−37 %)"),
        ("89.4 %", 0.89365, "89.365 %", "−0.035 %"),
        ("56×56×64", (112, 112, 64), "112×112×64", "+56, +56, +0"),
        ("1,500", 1234.56, "1,234.6", "−265.4 (−18 %)"),
        ("0", 4, "4", "+4"),
    ],
)
def test_values_are_written_beside_their_figures(
    text: str, value: object, shown: str, difference: str
) -> None:
    found = figure.parse(text)
    assert (found.show(value), found.difference(value)) == (shown, difference)


@pytest.mark.parametrize(
    ("text", "step", "value", "finding"),
    [
        ("800K", "10K", 802_816, "rounds to"),
        ("800K", "10K", 800_000, "confirmed"),
        ("800K", "10K", 805_001, "disagrees"),
        ("150K", "10K", 150_528, "rounds to"),
    ],
)
def test_zeros_may_only_hold_places(
    text: str, step: str, value: int, finding: str
) -> None:
    assert figure.parse(text).against(802_816) == "disagrees"
    assert figure.parse(text).exact_to(step).against(value) == finding
    row = {"figure": text, "exact_to": step, "expression": f"{value} + 0"}
    claim = claims.read(written(changed("size", **row)))["size"]
    assert claim.finding == finding


@pytest.mark.parametrize(
    ("text", "step"),
    [("800K", "1K"), ("810K", "100K"), ("55×55", "10"), ("0.8M", "10K")],
)
def test_digits_that_are_printed_count(text: str, step: str) -> None:
    with pytest.raises(ValueError, match="cannot be exact to") as error:
        figure.parse(text).exact_to(step)
    assert one_sentence(str(error.value))


@pytest.mark.parametrize(
    "value", ["34K", None, True, float("nan"), float("inf"), {"a": 1}]
)
def test_values_are_numbers(value: object) -> None:
    with pytest.raises(TypeError, match="a number or a shape, not") as error:
        figure.parse("34K").against(value)
    assert one_sentence(str(error.value))


# ---- What expressions may say ----


def test_networks_are_named() -> None:
    assert counts.parameters("vgg D") == 138_357_544
    assert counts.parameters("vgg name=D", "fc6") == 102_764_544
    assert counts.weights("vgg D", "fc6") == 102_760_448
    assert counts.parameters("resnet 34 shortcut=A") == 21_623_848
    assert counts.macs("resnet 50 v1.5") == 4_089_184_256
    assert counts.field("resnet 50", "stage5") == 483
    assert counts.shape("alexnet 2012", "conv1") == (55, 55, 96)
    assert counts.shape("googlenet 2014", "inception3a") == (28, 28, 256)
    assert counts.shape("resnet 50", "conv1", size=256) == (128, 128, 64)
    assert counts.shape("vgg D", "input") == (224, 224, 3)
    assert counts.activations("alexnet ungrouped", "conv1") == 290_400
    both = counts.parameters("alexnet ungrouped", "conv1", "conv2")
    assert both == 34_944 + 614_656
    kinds = [row.kind for row in counts.rows("lenet5 modern")]
    assert kinds.count("Conv2d") == 3
    assert counts.net("vgg D") is counts.net("vgg D")
    assert counts.net("vgg D").features.conv1_1.weight.is_meta


def test_a_block_of_zeros_is_the_identity(monkeypatch) -> None:
    assert counts.kept() == 1.0
    monkeypatch.setattr(counts.nets.residual, "shortcut", lambda *_: None)
    assert counts.kept() < 1


def test_the_beginning_of_a_name_goes_first() -> None:
    """Blocks have layers of the stem's names; the stem is meant."""
    assert counts.weights("resnet 50", "conv1") == 3 * 64 * 7 * 7


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ('parameters("vgggg D")', "begins with a factory .* such as 'vgg'"),
        ('parameters("__name__")', "no network '__name__'"),
        ('parameters("")', "no network ''"),
        ('parameters("vgg D", "conv9")', "no layer 'conv9' here; it has fe"),
        ('parameters("vgg D E F G")', r"'E', which vgg\(\) does not take"),
        ('parameters("vgg size=3")', "does not take; it takes name"),
        ("conv_parameter(3, 96, 11)", "NameError: name 'conv_parameter' is"),
        ('open("x")', "NameError: name 'open' is not"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("output_size(3, 5)", "does not fit into 3 pixels"),
    ],
)
def test_an_expression_that_raises_gets_a_sentence(
    expression: str, sentence: str
) -> None:
    row = {**ROWS["size"], "expression": expression}
    claim = claims.read(written([row]))["size"]
    with pytest.raises(ValueError, match=sentence) as error:
        claim.finding  # noqa: B018
    assert str(error.value).endswith(".") and "\n" not in str(error.value)
    assert "of the claim size raises" in str(error.value)


# ---- The rules of a row, each broken once ----

SOURCES = {
    "notes-1": {"kind": "notes", "title": "Notes"},
    "lecun1998": {"kind": "paper"},
}
ROWS = {
    "size": {
        "id": "size",
        "network": "convolution",
        "source": "notes-1",
        "place": "slide 3",
        "claim": "side of the maps",
        "figure": "55",
        "unit": "pixels",
        "qualifiers": ["no padding"],
        "expression": "output_size(227, 11, 4)",
        "verdict": "confirmed",
    },
    "weights": {
        "id": "weights",
        "network": "alexnet",
        "source": "notes-1",
        "place": "slide 4",
        "claim": "weights of the first layer",
        "figure": "34K",
        "unit": "parameters",
        "expression": "conv_parameters(3, 96, 11, bias=False)",
        "verdict": "disagrees",
        "reason": "It was cut, not rounded.",
        "explained_by": "34_848 // 1000 * 1000",
    },
    "error": {
        "id": "error",
        "network": "lenet",
        "source": "notes-1",
        "place": "slide 5",
        "claim": "error on the test set",
        "figure": "0.8 %",
        "unit": "error",
        "verdict": "reported",
        "reason": "A measurement on another data set.",
        "same_as": "papers-error",
    },
    "papers-error": {
        "id": "papers-error",
        "network": "lenet",
        "source": "lecun1998",
        "place": "Table 1",
        "claim": "error on the test set",
        "figure": "0.80 %",
        "unit": "error",
        "verdict": "reported",
        "reason": "A measurement on another data set.",
        "table": "lecun-1",
        "row": "LeNet-5",
        "column": "error",
    },
    "ratio": {
        "id": "ratio",
        "network": "googlenet",
        "source": "lecun1998",
        "place": "Table 1",
        "claim": "how many times fewer",
        "figure": "9×",
        "unit": "times",
        "expression": "17 / 2",
        "verdict": "rounds to",
        "table": "lecun-1",
        "row": "<ratio>",
        "column": "times",
    },
}


def written(rows: list[dict], sources: dict = SOURCES) -> str:
    """A registry's text."""
    data = {"sources": sources, "claims": rows}
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def changed(name: str, **fields: object) -> list[dict]:
    """The small registry with one row changed; None takes a field away."""
    rows = copy.deepcopy(ROWS)
    rows[name].update(fields)
    return [
        {key: value for key, value in row.items() if value is not None}
        for row in rows.values()
    ]


def test_the_small_registry_is_in_order() -> None:
    registry = claims.read(written(list(ROWS.values())))
    assert [f for claim in registry for f in registry.faults(claim)] == []
    assert check.faults({"sources": SOURCES, "claims": [*ROWS.values()]}) == []


@pytest.mark.parametrize(
    ("row", "fields", "sentence"),
    [
        ("size", {"verdit": "x"}, "no field 'verdit'; try 'verdict'"),
        ("size", {"place": None}, "size lacks the field 'place'"),
        ("size", {"verdict": None}, "size lacks the field 'verdict'"),
        ("size", {"id": None}, "place 1 has no id that is text"),
        ("size", {"id": "weights"}, "id weights is given to two claims"),
        ("size", {"id": "Size"}, "id 'Size' is not lower case with hyph"),
        ("size", {"figure": 55}, "figure of size reads as 55.*into quotes"),
        ("size", {"figure": "many"}, "In the claim size: The figure 'many'"),
        ("size", {"exact_to": "10"}, "The figure 55 cannot be exact to 10"),
        ("size", {"exact_to": "ten"}, "In the claim size: The figure 'ten'"),
        ("size", {"place": True}, "place of size reads as True"),
        ("size", {"unit": " "}, "unit of size is empty or has spaces"),
        ("size", {"expression": 55}, "expression of size reads as 55"),
        ("size", {"expression": "55"}, "size is 55, which computes nothing"),
        ("size", {"expression": "f("}, "size is no Python expression"),
        ("size", {"expression": None}, "size confirmed without an expression"),
        ("size", {"qualifiers": "one"}, "qualifiers of size are not a list"),
        ("size", {"qualifiers": [1]}, "qualifiers of size are not a list"),
        ("size", {"network": "vgg16"}, "network 'vgg16'; try 'vgg'"),
        ("size", {"verdict": "right"}, "the verdict 'right'; try"),
        ("size", {"source": "notes-9"}, "source 'notes-9'; try 'notes-1'"),
        ("size", {"same_as": "error"}, "not only reported and has same_as"),
        ("size", {"explained_by": "1 + 1"}, "does not disagree and is expl"),
        ("weights", {"explained_by": 34_000}, "reads as 34000"),
        ("weights", {"reason": None}, "weights disagrees without a reason"),
        ("weights", {"reason": "It was cut"}, "not a sentence with a full"),
        ("error", {"reason": None}, "error reported without a reason"),
        ("error", {"expression": "1 + 1"}, "only reported and has an"),
        ("error", {"same_as": "errors"}, "the same as 'errors'; try 'error'"),
        ("error", {"same_as": "error"}, "the same as 'error'; try 'error'"),
        ("ratio", {"column": None}, "names a part of table, row and column"),
        ("ratio", {"row": "LeNet-5", "column": "error"}, "repeats a cell"),
    ],
)
def test_a_broken_row_gets_a_sentence(
    row: str, fields: dict, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        claims.read(written(changed(row, **fields)))
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"kind": "blog"}, "has no kind out of notes, paper, code"),
        ("notes", "has no kind out of notes, paper, code"),
        ({"kind": "notes"}, "The source notes-1 has no title"),
        ({"kind": "notes", "title": 1}, "title of the source .* is not text"),
        ({"kind": "paper", "year": "1998"}, "more than its kind and its ti"),
    ],
)
def test_a_broken_source_gets_a_sentence(
    source: object, sentence: str
) -> None:
    sources = {**SOURCES, "notes-1": source}
    with pytest.raises(ValueError, match=sentence):
        claims.read(written([ROWS["size"]], sources))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("claims: []", "has two parts, sources and claims"),
        ("[]", "has two parts, sources and claims"),
        ("sources: {}\nclaims: {}", "the claims a list of rows"),
        ("sources: {a: {kind: paper}}\nclaims: [1]", "place 1 has no id"),
        ("sources: [", "is no YAML at line 1: expected"),
        ("sources: {}\nsources: {}\nclaims: []", "says 'sources' twice"),
        ("a: {b: 1, b: 2}", "says 'b' twice"),
    ],
)
def test_a_broken_file_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        claims.read(text)
    assert one_sentence(str(error.value))


def test_all_faults_are_told_at_once() -> None:
    rows = [*changed("size", figure="x"), {**ROWS["size"], "place": 3}]
    assert len(check.faults({"sources": SOURCES, "claims": rows})) == 3


# ---- What no longer holds is found ----


@pytest.mark.parametrize(
    ("row", "fields", "sentence"),
    [
        (
            "size",
            {"figure": "54"},
            "The claim size says 'confirmed', and with 55 for 54 it is "
            "'disagrees'.",
        ),
        (
            "size",
            {"verdict": "rounds to"},
            "The claim size says 'rounds to', and with 55 for 55 it is "
            "'confirmed'.",
        ),
        (
            "size",
            {"expression": "output_size(224, 11, 4)"},
            "The claim size says 'confirmed', and with 54 for 55 it is "
            "'disagrees'.",
        ),
        (
            "weights",
            {"explained_by": "34_848 + 96"},
            "The explanation of weights gives 34,944, which is not 34K.",
        ),
        (
            "error",
            {"figure": "0.7 %"},
            "The claim error says 0.7 % where papers-error says 0.80 %.",
        ),
    ],
)
def test_a_verdict_that_does_not_hold_is_found(
    row: str, fields: dict, sentence: str
) -> None:
    registry = claims.read(written(changed(row, **fields)))
    assert registry.faults(registry[row]) == [sentence]
    others = [claim for claim in registry if claim.id != row]
    assert [f for claim in others for f in registry.faults(claim)] == []


def test_a_shape_is_no_number() -> None:
    registry = claims.read(written(changed("size", figure="55×55")))
    with pytest.raises(ValueError, match=r"has 2 numbers, .* 55 has 1"):
        registry.faults(registry["size"])


# ---- Reading, choosing, showing ----


def small() -> claims.Registry:
    return claims.read(written(list(ROWS.values())))


def test_claims_are_selected() -> None:
    registry = small()
    assert len(registry) == 5 and registry["ratio"].value == 8.5
    assert repr(registry) == "Registry(5 claims from 2 sources)"
    found = registry.select(network="lenet", source="lecun1998")
    assert [claim.id for claim in found] == ["papers-error"]
    assert [c.id for c in registry.select(verdict="disagrees")] == ["weights"]
    assert registry.select(network="vgg") == ()
    assert registry.title("lecun1998") == "Lecun 1998"
    assert registry.title("notes-1") == "Notes"


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        (lambda r: r["sizes"], LookupError, "no claim 'sizes'; try 'size'"),
        (lambda r: r.select(network="vg"), ValueError, "'vg'; try 'vgg'"),
        (lambda r: r.select(nets="vgg"), TypeError, "selected by 'nets'; try"),
        (lambda r: r.table("lecun-2"), ValueError, "'lecun-2'; try 'lecun-1'"),
    ],
)
def test_what_is_not_there_gets_a_sentence(act, error, sentence) -> None:
    with pytest.raises(error, match=sentence) as caught:
        act(small())
    assert one_sentence(str(caught.value))


def test_values_are_lazy_and_kept(monkeypatch) -> None:
    calls = []
    evaluate = counts.evaluate
    monkeypatch.setattr(
        counts, "evaluate", lambda text: calls.append(text) or evaluate(text)
    )
    registry = small()
    assert calls == []
    assert registry["size"].value == registry["size"].value == 55
    assert calls == ["output_size(227, 11, 4)"]


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("34K", True),
        ("~34 K", True),
        ("34,848", True),
        ("34.8K", True),
        ("35K", True),
        ("34,000", False),
        ("36K", False),
        ("0.03M", False),
        ("0.8 %", True),
        ("0.008", False),
        ("34,848 MB", False),
        ("9×", True),
        ("8.5", True),
        ("55×55", False),
        ("no figure", False),
    ],
)
def test_the_gate_knows_what_is_covered(text: str, covered: bool) -> None:
    assert small().covers(text) is covered


def test_a_shape_is_covered() -> None:
    shape = {"figure": "55×55×96", "expression": "(55, 55, 96)"}
    registry = claims.read(written(changed("size", **shape)))
    assert registry.covers("55 × 55 × 96") and registry.covers("[55x55x96]")
    assert not registry.covers("55×55×95")


def test_a_table_is_executed() -> None:
    table = small().table("lecun-1")
    caption, _, heads, rule, *lines = table.to_text().splitlines()
    assert caption == (
        "Lecun 1998, Table 1: 1 equal once rounded (≈), 1 reported only."
    )
    assert heads.split() == list(HEADS) and set(rule) == {"─"}
    assert [re.split("  +", line) for line in lines] == [
        ["LeNet-5, error", "0.80 %", "–", "–", ROWS["papers-error"]["reason"]],
        ["<ratio>, times", "9×", "≈ 8.5", "−0.5 (−5.6 %)"],
    ]
    assert lines[0].index("–") == lines[1].index("8.5") + 2
    page = table._repr_html_()
    assert page.count("<tr>") == 3 and page.count('scope="col"') == 5
    assert page.count('scope="row"') == 2 and page.count("<caption>") == 1
    assert "&lt;ratio&gt;, times" in page and "<ratio>" not in page
    assert repr(table).startswith("Table(Lecun 1998, Table 1: ")


# ---- Where the registry is found ----


def test_the_copy_around_the_library_is_found() -> None:
    assert claims.find() == ROOT / "chapters" / "claims.yml"
    assert len(claims.load()) == len(REGISTRY)


def test_an_installed_library_has_its_own_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Colab: no book around the library."""
    library = tmp_path / "site-packages" / "cnnbook"
    (library / "chapters").mkdir(parents=True)
    monkeypatch.setattr(records, "LIBRARY", library)
    with pytest.raises(FileNotFoundError, match="install the library again"):
        claims.load()
    shutil.copy(ROOT / "chapters" / "claims.yml", library / "chapters")
    assert claims.find() == library / "chapters" / "claims.yml"
    assert len(claims.load()) == len(REGISTRY)
    with pytest.raises(FileNotFoundError, match=r"cannot be read .*No such"):
        claims.load(tmp_path / "none.yml")
