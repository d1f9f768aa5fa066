"""The prose gate: every page passes, and each rule is seen to bite."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from cnnbook import claims
from tools import numerals, prose
from tools.notebooks import name_of, toc

PAGES = prose.pages()
BROKEN = ROOT / "tests" / "broken" / "prose"

# Each fixture, what the gate says of it, and the one change that it accepts.
REFUSED = {
    "alt-text.ipynb": (
        "alt text of code cell code: ",
        "to 61,706",
        "to 61,707",
    ),
    "asserted.ipynb": ("nothing covers 61,706", "61_707", "61_706"),
    "asserted-never.ipynb": (
        "nothing covers 61,706",
        "def test():",
        "for count in counts:",
    ),
    "asserted-of-itself.ipynb": (
        "nothing covers 61,706",
        "assert (61_706, 2)",
        "assert (count, 2)",
    ),
    "asserted-unequal.ipynb": ("nothing covers 61,706", "!=", "=="),
    "circle.md": ("nothing covers 61,706", "61,706 · 1", "(61·10^3 + 706)"),
    "cited.md": ("nothing covers 0.95 %", ". Its error", ": its error"),
    "cited-before.md": ("line 7: nothing covers 0.95 %", "`.", "`:"),
    "cited-head.md": ("nothing covers 1.24 %", "1.24 %", ""),
    "cited-item.md": ("line 3: nothing covers 0.95 %", "\n- It is", " It is"),
    "cited-row.md": ("nothing covers 0.23 %", "| |\n", "| {cite}`two` |\n"),
    "code-span.md": ("nothing covers 2000", "2000", "20"),
    "described.md": ("nothing covers 61,706", " to 61,706", ""),
    "directive.md": ("line 12: nothing covers 61,706", "- **61,706**", ""),
    "factor.md": ("nothing covers 12×", "12× smaller", "a twelfth as large"),
    "glossary.md": ("line 4: nothing covers 290,400", "96 has", "96 ="),
    "heading.md": ("nothing covers 61,706", " 61,706", ""),
    "hidden-state.ipynb": ("nothing covers 61,706", "61,707", "61,706"),
    "name.md": ("nothing covers 1202", "ResNet 1202", "ResNet-1202"),
    "other-unit.ipynb": ("nothing covers 24 MB", "24M values", "24 MB"),
    "printed.ipynb": ("text cell words: nothing", "61,707", "61,706"),
    "registered.md": ("nothing covers 36K", "36K", "35K"),
    "rounded.ipynb": ("nothing covers 61.8K", "61.8K", "61.7K"),
    "rounded-in-silence.ipynb": ("nothing covers 61,700", "has", "has about"),
    "share.ipynb": ("nothing covers 98.9 %", "98.9 %", "98.8 %"),
    "share-of-whole.ipynb": ("nothing covers 98.7 %", "98.7 %", "98.8 %"),
    "small-count.ipynb": ("nothing covers 12 %", '"12 wrong', '"12% wrong'),
    "sum.md": ("5 · 5 · 6 + 1 = 152 is not true", "152", "151"),
    "sum-elsewhere.md": ("nothing covers 4,708", "4,708", "4,704"),
    "sum-in-formula.md": (" + 1 = 54 is not true", "= 54.", "= 55."),
    "term.md": ("nothing covers 1025", "1025", "(32 · 32 + 1)"),
    "tick.ipynb": ("nothing covers 61,706", "61,707", "61,706"),
    "title.md": ("nothing covers 61,706", "61,706 and more", "A count"),
    "too-exact.ipynb": ("nothing covers 61,700", "61,700", "61.7K"),
    "unit-in-head.md": ("nothing covers 9.5%", "error (%)", "rank"),
    "year.md": ("nothing covers 2048", "2048", "2024"),
    "year-in-formula.md": ("nothing covers 1998", "$1998$", "$12$"),
}


def registered(text: str) -> bool:
    """A registry of one claim."""
    return text == "35K"


def test_each_fixture_has_its_place() -> None:
    assert {path.name for path in BROKEN.iterdir()} == set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_the_gate_bites(name: str, tmp_path: Path) -> None:
    says, wrong, right = REFUSED[name]
    faults = prose.check(BROKEN / name, registered)
    assert len(faults) == 1, faults
    assert says in faults[0]
    text = (BROKEN / name).read_text("utf-8")
    assert text.count(wrong) == 1
    neighbour = tmp_path / name
    neighbour.write_text(text.replace(wrong, right), "utf-8")
    assert prose.check(neighbour, registered) == []


# The book's own pages


@pytest.fixture(scope="module")
def registry() -> claims.Registry:
    """The book's registry, its values computed once."""
    return claims.load()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_number_of_the_page_is_merely_typed(
    path: Path, registry: claims.Registry
) -> None:
    assert prose.check(path, registry.covers) == []


def test_a_lab_names_its_sources_in_words() -> None:
    assert prose.named_source("He and others report 8.75 % (2015, Table 6).")
    assert prose.named_source("The paper reports 11 %.")
    assert not prose.named_source("It has 61,706 parameters, as in 1998.")
    assert not prose.named_source("Newspapers say 11 %.")


def test_every_page_is_read() -> None:
    names = [
        path.relative_to(ROOT).with_suffix("").as_posix() for path in PAGES
    ]
    labs = {name for name in names if name.endswith("/solution")}
    assert sorted(names) == sorted({*toc(), *labs})
    assert labs


def test_the_command_says_what_nothing_covers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = SimpleNamespace(covers=registered)
    monkeypatch.setattr(claims, "load", lambda: fake)
    typed = BROKEN / "printed.ipynb"
    monkeypatch.setattr(prose, "pages", lambda: [typed])
    assert prose.main(["printed"]) == 1
    assert capsys.readouterr().out == (
        "tests/broken/prose/printed.ipynb, text cell words: nothing covers "
        "61,706 in “The network has 61,706 parameters.”: "
        f"{prose.CURES}.\n"
    )
    with pytest.raises(SystemExit):
        prose.main(["prnted"])
    assert "there is no page 'prnted'" in capsys.readouterr().err
    (glossary,) = [path for path in PAGES if path.stem == "glossary"]
    monkeypatch.setattr(prose, "pages", lambda: [glossary])
    assert prose.main([]) == 0
    assert capsys.readouterr().out == "Pages read and covered: 1.\n"


# What is read as a figure


def figures(markdown: str) -> list[str]:
    """The figures of a Markdown text."""
    return [
        one.text
        for sentence in prose.sentences(markdown)
        for one in numerals.numbers(sentence.text)
        if one.is_figure
    ]


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        ("1,516 and 61\u2009706 and 61\u202f706", 3),
        ("$1{,}516$, $61\\,706$ and $4096$", 3),
        ("4096-4096-1000 and 4096–4096–1000", 6),
        ("0.0005, 1.7159 and 0.6585", 3),
        ("35K, 0.6 M, 3.6G, 1.5B, 442Ki", 4),
        ("7 %, 7.3 per cent, $4.9\\,\\%$, 34%", 4),
        ("58.1 MiB, 96 MB, 247 kB, 16 GB", 4),
        ("60 million, 3.8 billion, 60 thousand", 3),
        ("3.8 GFLOPs, 724 MMACs, 5 ms, 5 µs, 5 s, 2 h", 6),
        ("12× less, 12 ×, 12x, 12-fold, 8 times as many", 5),
        ("$12\\times$ less, $60\\text{M}$ and $3.8\\mathrm{G}$", 3),
        ("2 parts of **1,516** or *1,516* or [1,516](a.md)", 3),
        ("1998 parameters, 2012, the 1990s, 2012–2015, (2012)", 0),
        ("on 2024-01-05, 1.0.4.post1, ResNet-1202, ILSVRC-2013", 0),
        (
            "arXiv:1603.07285, doi 10.1109/5.726791, <https://a.example/4096>",
            0,
        ),
        ('`lenet-1998.json`, `conv1234`, `f("2000")`, `1.0.4`', 0),
        ("{eq}`eq-1234`, {doc}`page-1234`, [page](page-1234.md)", 0),
        ("28 × 28 × 6, 5 · 5, three 4s, used 9 times, 84 by 7 px", 0),
        ("$27\\,C^2$, $K_{1024}$, $10^6$, $2^{20}$, $3 M$, $6\\times 6$", 0),
        ("```python\nx = 4096\n```", 0),
        ("```{raw} html\n4096\n```", 0),
        ("```{code-block}\n4096\n```", 0),
        ("```{math}\nx = 4096\n```", 1),
        ("\\begin{align}\nx = 4096\n\\end{align}", 1),
        ("| a |\n|---|\n| 4096 |", 1),
        ("> - 4096\n\n1. 4096\n\na\n: 4096", 3),
        ("![4096 dots](a-4096.svg)", 1),
        ("```{image} a-4096.svg\n:alt: dots\n:width: 4096\n```", 0),
    ],
)
def test_what_is_a_figure(markdown: str, found: int) -> None:
    assert len(figures(markdown)) == found, figures(markdown)


def test_a_code_span_is_read_like_a_formula() -> None:
    assert figures('`check("a.q1", (32, 2000))`, `73_856`') == [
        "2000",
        "73856",
    ]


@given(st.integers(1000, 10**12), st.sampled_from(" ,_\u2009\u202f"))
def test_separators_do_not_matter(value: int, between: str) -> None:
    text = f"{value:,}".replace(",", between.strip(" ") or "{,}")
    markdown = {" ": f"${text}$", "_": f"`{text}`"}.get(between, f"= {text}")
    (sentence,) = prose.sentences(markdown)
    (one,) = numerals.numbers(sentence.text)
    assert (one.value, one.step) == (value, 1)


@given(st.integers(1, 10**10), st.integers(0, 4), st.sampled_from("KMG"))
def test_a_count_covers_its_roundings_and_no_other(
    value: int, decimals: int, scale: str
) -> None:
    worth = Fraction(numerals.SCALES[scale])
    (exact,) = numerals.numbers(f"{value:,}")
    for off in (-2, 0, 2):
        rounded = round(value / worth * 10**decimals) + off
        if rounded < 0:
            continue
        text = f"{rounded / 10**decimals:.{decimals}f}{scale}"
        (told,) = numerals.numbers(text)
        step = worth / 10**decimals
        assert exact.covers(told) == (off == 0 and step >= 1), text


# Sums

SUMS = st.recursive(
    st.integers(0, 99).map(str),
    lambda parts: st.builds(
        "({} {} {})".format, parts, st.sampled_from("+−·×"), parts
    ),
    max_leaves=6,
)


def worth(words: str) -> int:
    """What Python makes of a sum."""
    return eval(words.translate(str.maketrans("−·×", "-**")))


@given(SUMS, st.integers(1, 9))
def test_sums_are_computed(words: str, more: int) -> None:
    right = f"{worth(words):,}".replace("-", "−")
    wrong = f"{worth(words) + more:,}".replace("-", "−")
    (true,) = numerals.equations(f"that is 0 + {words} = {right} in all")
    (false,) = numerals.equations(f"that is 0 + {words} = {wrong} in all")
    assert true.true and not false.true


@given(st.text("0123456789 =≈+−·×/^()[]⌊⌋$\\{}%KM.,a"))
def test_any_text_can_be_read(markdown: str) -> None:
    for sentence in prose.sentences(f"a {markdown}"):
        for equation in numerals.equations(sentence.text):
            assert equation.text


@pytest.mark.parametrize(
    ("markdown", "true"),
    [
        ("$\\frac{227 - 11}{4} + 1 = 55$", [True]),
        ("$\\left\\lfloor 213/4 \\right\\rfloor + 1 = 54$", [True]),
        ("$\\lceil 213/4 \\rceil + 1 = 54$", [False]),
        ("$1/\\tanh(2/3) = 1.7159$, $\\sqrt{2}^2 = 1 + 1$", [True, True]),
        ("$u = \\operatorname{artanh}(1/\\sqrt3) = 0.6585$", [True]),
        ("$1.7159 \\cdot \\tanh(2/3) = 1.0001$", [False]),
        ("$6 \\cdot 28^2 = 4{,}704$ and 28² · 6 = 4,704", [True, True]),
        ("2 + 3 = 5 = 4 + 1 = 6", [True, True, False]),
        ("39.4 · 784 ≈ 30,900 but 39.4 · 784 = 30,900", [True, False]),
        ("1,161,600 / 10^6 = 1.162 MB = 1.108 MiB", [True, True]),
        ("3 · 14,964,021,600 = 44,892,064,801", [False]),
        ("1 / 8 = 12.5 %, 1 / 8 = 12 %", [True, True]),
        ("(as 2 · 3 = 6) or *2 · 3* = **7**", [True, False]),
        ("$$\nx = 2 \\cdot 3 \\\\\n&= 7\n$$", [False]),
        ("$x + 2 = 3$, $2x = 3 + 4$, f(1) = 2 + 3", []),
        ("$5 + 3 = 8 n$, 5 + 3 = 9 · n", []),
        ("stage 2 = 4 blocks, 10 % of 10 = 1, C1 = 5 · 5", []),
        ("3 filters × 2 = 6, `2 + 2 = 5`, 2 / 0 = 1, 9^9^9 = 1 + 1", []),
    ],
)
def test_which_equations_are_checked(markdown: str, true: list[bool]) -> None:
    found = [
        equation.true
        for sentence in prose.sentences(markdown)
        for equation in numerals.equations(sentence.text)
    ]
    assert found == true
