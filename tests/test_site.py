"""The site as it is built: formulas, files, links, and the gate itself."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from website.build import pack
from website.extensions import (
    formula_style,
    formulas,
    gate,
    pictures,
    scripts,
    stylesheet,
)
from website.scratch import build, write_book

ROOT = Path(__file__).resolve().parents[1]
BROKEN = Path(__file__).parent / "broken" / "site"
REFUSED = {
    "formula.md": "KaTeX cannot read the formula",
    "label.md": r"Number with \$\$ … \$\$ \(eq-name\)",
    "dead-link.md": "cross-reference target not found: 'nowhere.md'",
    "dead-anchor.md": "the link leads nowhere: #no-such-section",
    "citation.md": 'could not find bibtex key "nobody1901"',
    "equation.md": "equation not found: eq-nowhere",
    "foreign-host.md": "loads from another host: https://example.org/pic",
    "foreign-script.md": "loads from another host: https://example.org/mod",
    "alt-text.ipynb": "the picture of cell 2 has no alt text",
    "unknown-widget.md": "shows a widget named no_such_widget",
}
FORMULAS = r"""# Formulas

$$a &= \frac{b}{\mathbf{c}} \\ &= d_{\ell}$$ (eq-rows)

\begin{align}
x &= \sum_i \left(\frac{1}{2}\right)^i \\
y &= \lfloor z \rfloor \in \mathbb{R}
\end{align}

$$
\begin{gather*} u = \mathcal{L} \\ v = \text{words} \end{gather*}
$$ (eq-gathered)

From {eq}`eq-rows` and {eq}`eq-gathered`, $\hat{y} \neq \sqrt[3]{y}$.
"""


def plain(text: str) -> str:
    """Return a text without terminal colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def html_pages(site: Path) -> dict[Path, str]:
    found = {
        path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")
    }
    assert found
    return found


# ---- the gate refuses what it should ----


def test_every_broken_page_has_its_message() -> None:
    pages = {path.name for path in BROKEN.glob("*") if path.suffix != ".json"}
    assert pages == set(REFUSED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_broken_page_fails_the_build(name: str, tmp_path: Path) -> None:
    text = (BROKEN / name).read_text(encoding="utf-8")
    result = build(write_book(tmp_path, {name: text}))
    assert result.returncode != 0
    assert re.search(REFUSED[name], plain(result.stderr + result.stdout))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound book with a nested page of formulas; it must pass."""
    book = tmp_path_factory.mktemp("sound")
    pages = {
        "start.md": "# Start\n\nSee {doc}`deep/er/formulas`.\n",
        "deep/er/formulas.md": FORMULAS,
    }
    result = build(write_book(book, pages))
    assert result.returncode == 0, result.stderr
    return book


def test_building_again_changes_nothing(sound: Path) -> None:
    """Neither with no page touched nor with one."""
    site = sound / "_build" / "html"

    def contents() -> dict[Path, bytes]:
        return {
            path: path.read_bytes()
            for path in site.rglob("*")
            if path.is_file()
        }

    before = contents()
    for touched in (None, sound / "deep" / "er" / "formulas.md"):
        if touched:
            touched.touch()
        result = build(sound)
        assert result.returncode == 0, result.stderr
        assert contents() == before


def test_a_new_citation_reaches_the_bibliography(tmp_path: Path) -> None:
    pages = {
        "start.md": "# Start\n\nAfter {cite:t}`lecun1998`.\n",
        "bibliography.md": "# Books\n\n```{bibliography}\n```\n",
    }
    book = write_book(tmp_path, pages)
    assert build(book).returncode == 0
    start = book / "start.md"
    start.write_text(start.read_text("utf-8") + "\nAnd {cite:t}`he2016`.\n")
    result = build(book)
    assert result.returncode == 0, result.stderr
    page = (book / "_build/html/bibliography.html").read_text("utf-8")
    assert "Gradient-based learning" in page
    assert "Deep residual learning" in page


def test_failed_build_fails_again(sound: Path, tmp_path: Path) -> None:
    text = (BROKEN / "formula.md").read_text(encoding="utf-8")
    book = write_book(tmp_path, {"formula.md": text})
    for _ in range(2):
        result = build(book)
        assert result.returncode != 0
        assert "KaTeX cannot read the formula" in result.stderr


def test_chapters_stand_at_the_left(sound: Path) -> None:
    page = (sound / "_build/html/deep/er/formulas.html").read_text("utf-8")
    bar = re.search(r'<nav class="bd-links.*?</nav>', page, re.DOTALL)
    assert bar
    links = re.findall(r'<a class="([^"]+)" href="([^"]+)"', bar[0])
    assert links == [
        ("reference internal", "../../start.html"),
        ("current reference internal", "#"),
    ]


# ---- formulas ----


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"a &= b \\ c &= d", r"\begin{aligned}a &= b \\ c &= d\end{aligned}"),
        (r"a \\ b", r"\begin{aligned}a \\ b\end{aligned}"),
        (
            r"\begin{align*}a&=b\end{align*}",
            r"\begin{aligned}a&=b\end{aligned}",
        ),
        (
            r"\begin{alignat}{2}a&=b\end{alignat}",
            r"\begin{alignedat}{2}a&=b\end{alignedat}",
        ),
        (
            r"\begin{gather}a \notag\end{gather}",
            r"\begin{gathered}a \end{gathered}",
        ),
        (r"\begin{equation}a\end{equation}", "a"),
        (
            r"\begin{matrix}a&b\\c&d\end{matrix}",
            r"\begin{matrix}a&b\\c&d\end{matrix}",
        ),
        (r"\sum_{\substack{i\\j}} \& 1", r"\sum_{\substack{i\\j}} \& 1"),
    ],
)
def test_displays_become_what_katex_reads(latex: str, expected: str) -> None:
    assert formulas.normalise(latex) == expected
    assert "katex-error" not in formulas.render(latex, display=True)


def test_formula_has_its_mathml_twin() -> None:
    html = formulas.render(r"\frac{W - F}{S}")
    assert "<mfrac>" in html
    assert html.count("<math ") == 1


@pytest.mark.parametrize("latex", [r"\frac{a", r"\nosuch", "é", "a & b"])
def test_katex_errors_are_errors(latex: str) -> None:
    with pytest.raises(formulas.FormulaError):
        formulas.render(latex)


def test_equations_are_numbered_once(sound: Path) -> None:
    site = sound / "_build" / "html"
    page = (site / "deep" / "er" / "formulas.html").read_text("utf-8")
    assert re.findall(r'class="eqno">\((\d+)\)', page) == ["1", "2", "3"]
    assert "katex-tag" not in page and 'class="tag"' not in page
    links = re.findall(r'href="#equation-eq-(\w+)">\((\d+)\)</a>', page)
    assert links == [("rows", "1"), ("gathered", "3")]


def test_every_character_is_drawn_in_its_own_font(sound, browser) -> None:
    """No character of a formula falls back to a font of the system."""
    address = sound / "_build" / "html" / "deep" / "er" / "formulas.html"
    page = browser.new_page()
    page.goto(address.as_uri())
    page.evaluate("document.fonts.ready")
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument", {"depth": -1})["root"]["nodeId"]
    found = session.send(
        "DOM.querySelectorAll",
        {"nodeId": root, "selector": ".katex-html *"},
    )["nodeIds"]
    drawn = []
    for node in found:
        answer = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})
        drawn += [
            (font["familyName"], font["isCustomFont"])
            for font in answer["fonts"]
        ]
    page.close()
    assert len(drawn) > 40
    assert all(custom for _, custom in drawn), drawn


def test_fonts_hold_the_characters_and_no_more(sound: Path) -> None:
    page = (sound / "_build/html/deep/er/formulas.html").read_text("utf-8")
    seen = formula_style.characters([page])
    assert seen["KaTeX_AMS", "normal", "normal"] == {"R"}
    assert seen["KaTeX_Main", "bold", "normal"] == {"c"}
    assert set("abdxyzuv") <= seen["KaTeX_Math", "normal", "italic"]
    css = (sound / "_build/html/_static/formulas.css").read_text("utf-8")
    assert css.count("@font-face") == len(seen)
    assert len(css) < 25_000


# ---- the style sheet ----


def test_rules_that_match_nothing_go() -> None:
    css = """
    @charset "utf-8"; /* gone */
    :root { --read: 1px; --unread: 2px; --chain: var(--read) }
    .here > .gone, .here:not(.gone) p { margin: var(--read) }
    .x { background: url("data:image/svg+xml,<svg fill='(}'/>") }
    @media print { .gone { color: red } #place { color: blue } }
    @keyframes turn { from { top: 0 } } @keyframes still { to { top: 0 } }
    p { animation: turn 1s; content: "}" }
    """
    used = stylesheet.used_in(
        ['<p class="here x" id="place">'], ["el.classList.add('later')"]
    )
    rules = stylesheet.prune(stylesheet.parse(css), used)
    assert "later" in used.classes
    assert stylesheet.text(rules) == (
        ":root{--read: 1px}.here:not(.gone) p{margin: var(--read)}"
        ".x{background: url(\"data:image/svg+xml,<svg fill='(}'/>\")}"
        "@media print{#place{color: blue}}"
        "@keyframes turn{from { top: 0 }}"
        'p{animation: turn 1s;content: "}"}'
    )


def test_files_are_dropped_from_rules() -> None:
    rules = stylesheet.parse("a{color:red;background:url(x.png)}")
    assert stylesheet.text(stylesheet.without_files(rules)) == "a{color:red}"


# ---- pictures ----


def test_drawing_becomes_part_of_the_page() -> None:
    svg = """<?xml version="1.0"?><!DOCTYPE svg>
    <svg xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt"
     height="36pt" viewBox="0 0 72 36" role="none" aria-label="old">
    <metadata><x/></metadata><defs><style>*{stroke-linecap: butt}</style>
    <path id="used" d="M0.123456 1" style="stroke: #1F2933"/></defs>
    <text style="font-family: 'DejaVu Sans', 'Lucid', 'Avant Garde',
     sans-serif; fill: #1f2933" transform="rotate(-0 5 5)">a</text>
    <text transform="rotate(-90 5 5)">b</text>
    <g id="unused"><use xlink:href="#used" clip-path="url(#clip)"/></g>
    <clipPath id="clip"/></svg>"""
    html = pictures.inline(svg, "n1", 'A "curve" & more')
    assert html.startswith(
        '<svg id="n1" class="cnn-figure" role="img" '
        'aria-label="A &quot;curve&quot; &amp; more" viewBox="0 0 72 36" '
        'width="96"'
    )
    assert 'href="#n1-used" clip-path="url(#n1-clip)"' in html
    assert 'id="n1-used" d="M0.12 1" style="stroke: currentColor"' in html
    assert "#n1 *{stroke-linecap: butt}" in html
    assert "'DejaVu Sans', Verdana, sans-serif; fill" in html
    assert '<text transform="rotate(-90 5 5)">' in html
    for gone in ("metadata", "unused", "xlink", "xml version", "old",
                 "Lucid", "rotate(-0"):  # fmt: skip
        assert gone not in html


def test_ink_is_the_figures_ink() -> None:
    from cnnbook.figures import INK

    assert pictures.INK == INK


# ---- scripts ----


def test_module_becomes_a_classic_script() -> None:
    module = "function render() {}\nexport default { render };\n"
    script = scripts.as_classic("some", module)
    assert script.startswith("cnnWidgets.some = (() => {")
    assert "return { render };" in script


@pytest.mark.parametrize(
    "module",
    ["function render() {}", 'import x from "y";\nexport default { x };'],
)
def test_other_modules_are_refused(module: str) -> None:
    with pytest.raises(scripts.ExtensionError, match="widget some"):
        scripts.as_classic("some", module)


HOSTED = """<!DOCTYPE html><title>t</title>
<div class="cnn-widget" data-widget="{name}" data-state='{{"size": 7}}'>
<p>The picture</p></div>
<script defer src="host.js"></script><script defer src="w.js"></script>"""
ECHO = """
function render({ model, el }) {
  const button = document.createElement("button");
  model.on("change:size", () => { button.textContent = model.get("size"); });
  button.onclick = () => { model.set("size", 8); model.save_changes(); };
  el.append(button);
}
export default { render };
"""
FAILS = "function render() { throw Error('no') }\nexport default { render };"


@pytest.mark.parametrize(("module", "lives"), [(ECHO, True), (FAILS, False)])
def test_host_brings_widgets_to_life(page, tmp_path, module, lives) -> None:
    """Even by double-click; a widget that fails leaves its picture."""
    host = (ROOT / "website/assets/host.js").read_text("utf-8")
    (tmp_path / "host.js").write_text(host)
    (tmp_path / "w.js").write_text(scripts.as_classic("echo", module))
    (tmp_path / "p.html").write_text(HOSTED.format(name="echo"))
    errors: list[str] = []
    page.on(
        "console",
        lambda message: (
            errors.append(message.text) if message.type == "error" else None
        ),
    )
    page.goto((tmp_path / "p.html").as_uri())
    assert (page.get_by_text("The picture").count() == 0) is lives
    assert len(errors) == (0 if lives else 1)
    if lives:
        page.locator("button").click()
        assert page.locator("button").inner_text() == "8"
    else:
        assert "echo shows its picture only" in errors[0]


# ---- the gate, piece by piece ----


@pytest.mark.parametrize(
    "page",
    [
        '<link rel="preconnect" href="//cdn.example.org">',
        "<script src='https://example.org/x.js'></script>",
        '<use xlink:href="https://example.org/x.svg#a">',
        '<img srcset="https://example.org/x.png 2x">',
        '<p style="background: url(https://example.org/x.png)">',
        "<style>@import 'https://example.org/x.css';</style>",
        '<script>fetch("https://example.org/x")</script>',
    ],
)
def test_foreign_hosts_are_found(page: str) -> None:
    assert len(gate.foreign_hosts(page)) == 1


def test_links_and_namespaces_are_not_foreign() -> None:
    assert not gate.foreign_hosts(
        '<a href="https://example.org"><img src="x.png"></a>'
        '<svg xmlns="http://www.w3.org/2000/svg">'
        '<script>create("http://www.w3.org/2000/svg")</script>'
    )


# ---- the book's own site ----


def test_nothing_comes_from_elsewhere(built_site: Path) -> None:
    for path, page in html_pages(built_site).items():
        assert not gate.foreign_hosts(page), path
        assert "katex-error" not in page, path
        assert "/./" not in page, path
        assert "site:styles" not in page and "site:scripts" not in page
    for path in (built_site / "_static").rglob("*.css"):
        assert not re.search(
            r"url\([\"']?(?!data:|#)", path.read_text("utf-8")
        )


def test_only_our_files_are_there(built_site: Path) -> None:
    static = built_site / "_static"
    names = {
        path.relative_to(static).as_posix()
        for path in static.rglob("*")
        if path.is_file() and path.parent.name != "widgets"
    }
    assert {"site.css", "site.js", "search.js", "formulas.css"} <= names
    others = names - {
        "site.css",
        "site.js",
        "search.js",
        "formulas.css",
        "design-tabs.js",
        "slides.css",
        "slides.js",
    }
    assert {Path(name).suffix for name in others} <= {".svg", ".png"}
    assert not (built_site / "_sources").exists()
    assert (built_site / "404.html").is_file()
    assert (built_site / "search.html").is_file()


def test_pages_load_only_what_they_use(built_site: Path) -> None:
    for path, page in html_pages(built_site).items():
        if "_static/site.css" not in page:
            continue
        uses_formulas = 'class="katex-html"' in page
        assert ("formulas.css" in page) is uses_formulas, path
        uses_widgets = "data-widget=" in page
        assert ("widgets/host.js" in page) is uses_widgets, path
        is_search = path.name == "search.html"
        assert ("searchindex.js" in page) is is_search, path
        for script in re.findall(r"<script\b[^>]*\bsrc=[^>]*>", page):
            assert " defer " in script, (path, script)


def test_links_into_the_repository(built_site: Path) -> None:
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    repository = config["repository"]["url"]
    owner = repository.removeprefix("https://github.com/")
    checked = 0
    for source in sorted((ROOT / "chapters").glob("*")):
        name = f"chapters/{source.name}"
        page = built_site / Path(name).with_suffix(".html")
        if not page.is_file():
            continue
        checked += 1
        text = page.read_text("utf-8")
        colab = (
            f"https://colab.research.google.com/github/{owner}"
            f"/blob/colab/{name}"
        )
        assert (f'href="{colab}"' in text) is name.endswith(".ipynb")
        assert f'href="{repository}/edit/main/{name}"' in text
        assert f'href="{repository}"' in text
        assert f'href="{repository}/issues/new?template=erratum.yml' in text
    assert checked >= 3


def test_error_page_stands_alone(built_site: Path) -> None:
    page = (built_site / "404.html").read_text("utf-8")
    assert not re.search(r'(src|href)="(?!/)', page)


def test_archive_is_deterministic(sound: Path, tmp_path: Path) -> None:
    site = sound / "_build" / "html"
    for name in ("a", "b"):
        pack(site, tmp_path / name / "book.zip")
    first = (tmp_path / "a" / "book.zip").read_bytes()
    assert first == (tmp_path / "b" / "book.zip").read_bytes()
    assert len(first) > 10_000


# ---- what is leant on in the theme ----


def theme(package: str, name: str) -> str:
    spec = find_spec(package)
    assert spec and spec.origin
    folder = Path(spec.origin).parent / "theme" / package
    return (folder / name).read_text("utf-8")


def test_theme_is_the_one_that_the_overrides_know() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    pins = project["project"]["optional-dependencies"]["site"]
    for package in ("sphinx-book-theme", "pydata-sphinx-theme"):
        assert f"{package}=={version(package)}" in pins


@pytest.mark.parametrize("block", ["css", "scripts_end", "extrahead"])
def test_overridden_blocks_exist(block: str) -> None:
    layout = theme("pydata_sphinx_theme", "layout.html")
    assert re.search(rf"block {block} -?%}}", layout)


@pytest.mark.parametrize(
    "name", ["theme-switcher.html", "search-button.html", "search-field.html"]
)
def test_included_components_exist(name: str) -> None:
    assert theme("pydata_sphinx_theme", f"components/{name}")


def test_overridden_components_exist() -> None:
    own = "components/article-header-buttons.html"
    assert "toggle-secondary-sidebar.html" in theme("sphinx_book_theme", own)
    assert "block docs_body" in theme("pydata_sphinx_theme", "search.html")


def test_search_scripts_are_the_ones_that_the_overrides_know() -> None:
    import sphinx

    folder = Path(sphinx.__file__).parent / "themes" / "basic" / "static"
    tools = (folder / "searchtools.js").read_text("utf-8")
    for name in (
        "htmlToText: (htmlString, anchor)",
        "DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY",
        "SPHINX_HIGHLIGHT_ENABLED",
    ):
        assert name in tools
    assert "const _ready" in (folder / "doctools.js").read_text("utf-8")


def test_elements_that_the_script_names_exist(built_site: Path) -> None:
    script = (ROOT / "website/assets/site.js").read_text("utf-8")
    text = "".join(html_pages(built_site).values())
    ids = re.findall(r'getElementById\("([\w-]+)"\)', script)
    ids += [f"pst-{side}-sidebar" for side in ("primary", "secondary")]
    ids += [f"pst-{side}-sidebar-modal" for side in ("primary", "secondary")]
    assert len(ids) > 6
    for name in ids:
        assert f'id="{name}"' in text, name
    for name in (
        "primary-toggle",
        "secondary-toggle",
        "theme-switch-button",
        "search-button__button",
        "toc-entry",
    ):
        assert re.search(rf'class="[^"]*\b{name}\b', text), name


# ---- what ran where ----


def problems(runs: list) -> list[str]:
    from jsonschema import Draft202012Validator

    schema = json.loads((ROOT / "results/runs.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    found = Draft202012Validator(schema).iter_errors(runs)
    return sorted(error.message for error in found)


def test_runs_follow_their_schema() -> None:
    assert problems(json.loads((ROOT / "results/runs.json").read_text())) == []


def test_schema_refuses_broken_runs() -> None:
    found = problems(json.loads((BROKEN / "runs.json").read_text("utf-8")))
    assert len(found) == 2
    assert "'fine' is not one of" in found[0]
    assert "'yesterday' does not match" in found[1]


def test_stamping_a_run(tmp_path: Path) -> None:
    from tools.stamp_run import main

    file = tmp_path / "runs.json"
    for date in ("2026-11-20", "2026-11-21"):
        place = ["Here", "--file", str(file), "--date", date]
        main([*place, "--outcome", "passed"])
    main(["There", "--outcome", "failed", "--file", str(file)])
    runs = json.loads(file.read_text("utf-8"))
    assert problems(runs) == []
    assert [run["where"] for run in runs].count("Here") == 1
    assert {run["date"] for run in runs if run["where"] == "Here"} == {
        "2026-11-21"
    }


def test_runs_are_shown(built_site: Path) -> None:
    page = (built_site / "chapters/what-ran-where.html").read_text("utf-8")
    page = page.replace("’", "'")
    for run in json.loads((ROOT / "results/runs.json").read_text("utf-8")):
        for text in run.values():
            assert text in page
