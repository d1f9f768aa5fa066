"""From Sphinx's pages to the site's: few files, all of them ours.

Sphinx writes each page with two marks in its head. When all pages stand,
this module writes one style sheet for the book out of the sheets that the
theme and the extensions asked for (see ``stylesheet``), one for formulas
(see ``formula_style``), the scripts (see ``scripts``), and fills the marks
with what each page uses. Whatever no page refers to is then removed, and
every page passes the gate (see ``gate``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import imagesize
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from website import addresses, slides

from . import contents, formula_style, gate, icons, scripts, stylesheet

logger = logging.getLogger(__name__)

STYLES, SCRIPTS = "<!--site:styles-->", "<!--site:scripts-->"
FONTS_FIRST = "<script>document.fonts.forEach((font) => font.load())</script>"
"""Fonts are otherwise read only when text needs them: one frame too late."""

THEME_SHEETS = ("basic.css", "styles/pydata-sphinx-theme.css")

_PLAIN = re.compile(r'<span class="(?:n|nn|o|p|w)">([^<]*)</span>')
"""Words of code that book.css shows in plain ink: half of a page's spans."""


def prepare_context(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree
) -> None:
    """Give templates their links, and note the sheets asked for."""
    sheets = context.get("css_files", [])
    app.builder.site_sheets |= {  # type: ignore[attr-defined]
        (sheet.priority, sheet.filename.removeprefix("_static/"))
        for sheet in sheets
        if sheet.filename
    }
    context.update(page_links(app, page, context))
    if has_deck(doctree):
        up = "../" * page.count("/")
        name = page.rpartition("/")[2]
        context["deck_url"] = f"{up}{slides.FOLDER}/{name}.html"


def has_deck(doctree: Any) -> bool:
    """Whether a page is a chapter, by its boxes."""
    found = doctree.findall(nodes.admonition) if doctree else ()
    kinds = {name for box in found for name in box["classes"]}
    return kinds >= set(slides.CHAPTER)


def page_links(
    app: Sphinx, page: str, context: dict[str, Any]
) -> dict[str, Any]:
    """Return the links into the repository, from its one address."""
    options = app.builder.theme_options  # type: ignore[attr-defined]
    repository = options.get("repository_url", "").rstrip("/")
    branch = options.get("repository_branch", "main")
    if not repository:
        return {"page_links": []}
    links = [{"text": "Repository", "url": repository}]
    colab = None
    if page in app.env.found_docs:
        parts = [options.get("path_to_docs", "").strip("/.")]
        parts.append(str(app.env.doc2path(page, base=False)))
        path = quote("/".join(part for part in parts if part))
        about = quote(app.env.titles[page].astext())
        report = f"{repository}/issues/new?template=erratum.yml&page={about}"
        links = [
            {"text": "Report an error", "url": report},
            {
                "text": "Edit this page",
                "url": f"{repository}/edit/{branch}/{path}",
            },
            *links,
        ]
        colab = addresses.colab(repository, "/".join(filter(None, parts)))
    return {"page_links": links, "colab_url": colab}


def error_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Add the page for addresses that do not exist."""
    repository = app.builder.theme_options.get("repository_url", "")
    name = repository.rstrip("/").rsplit("/", 1)[-1]
    yield (
        "404",
        {
            "project_title": app.config.html_title,
            "home_path": f"/{name}/",
            "root_page": f"{app.config.root_doc}.html",
        },
        "404.html",
    )


def always_one_page(app: Sphinx, *_: object) -> list[str]:
    """Have the front page written in every build.

    Sphinx copies its static files only when it writes a page; so styles and
    scripts follow their sources even when no page changed.
    """
    return [app.config.root_doc]


def note_engine(app: Sphinx, config: Config) -> None:
    """Have Sphinx write every page anew when the site's own code changed."""
    website = Path(__file__).parents[1]
    code = [*website.rglob("*.py"), *(website / "templates").iterdir()]
    texts = [path.read_text(encoding="utf-8") for path in sorted(code)]
    config.site_engine = scripts.digest("".join(texts))


def start(app: Sphinx) -> None:
    """Begin a build with no sheets noted."""
    app.builder.site_sheets = set()  # type: ignore[attr-defined]


def finish(app: Sphinx, error: Exception | None) -> None:
    """Write the site's files, fill the marks, check every page."""
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    paths = sorted(
        path for path in out.rglob("*.html") if "_static" not in path.parts
    )
    pages = {path: path.read_text(encoding="utf-8") for path in paths}
    texts = list(pages.values())
    digests = scripts.write(out / "_static", texts)
    sources = scripts.sources(out / "_static")
    used = stylesheet.used_in(texts, sources)
    digests |= write_styles(app, texts, used, sources)
    new = {}
    for path, page in pages.items():
        if STYLES in page:
            new[path] = finished_page(page, path, digests)
            path.write_text(new[path], encoding="utf-8")
    order = [f"{name}.html" for name in contents.reading_order(app)]
    pages |= new | slides.write(out, new, order)
    remove_unused(out, pages)
    gate.check(out, pages)
    forget_failed_build(app)


def write_styles(
    app: Sphinx,
    pages: list[str],
    used: stylesheet.Used,
    sources: list[str],
) -> dict[str, str]:
    """Write the style sheets; return their names with digests."""
    static = Path(app.outdir) / "_static"
    noted = sorted(app.builder.site_sheets)  # type: ignore[attr-defined]
    names = dict.fromkeys([*THEME_SHEETS, *(name for _, name in noted)])
    rules = []
    for name in names:
        if (static / name).is_file():
            css = (static / name).read_text(encoding="utf-8")
            own = (scripts.ASSETS / name).is_file()
            parsed = stylesheet.parse(css)
            rules += parsed if own else stylesheet.without_files(parsed)
    rules = stylesheet.prune(rules, used, also_read=[*pages, *sources])
    written = {"site.css": stylesheet.text(rules) + icons.faces(rules, static)}
    if any(formula_style.MARK in page for page in pages):
        written["formulas.css"] = formula_style.sheet(pages, used)
    for name, text in written.items():
        (static / name).write_text(text, encoding="utf-8")
    return {name: scripts.digest(text) for name, text in written.items()}


def finished_page(page: str, path: Path, digests: dict[str, str]) -> str:
    """Fill the marks of a page, and give its pictures their sizes."""
    root = re.search(r'data-content_root="([^"]*)"', page)
    static = (root[1] if root else "./") + "_static/"
    sheets = ["site.css"]
    if formula_style.MARK in page:
        sheets.append("formulas.css")
    needed = ["site.js"]
    widgets = scripts.widgets_in(page)
    if widgets:
        sheets.append("widgets/widgets.css")
        needed.append("widgets/host.js")
        needed += [f"widgets/{name}.js" for name in widgets]
    if "sd-tab-set" in page:
        needed.append("design-tabs.js")
    links = [
        f'<link rel="stylesheet" href="{_address(static, name, digests)}"/>'
        for name in sheets
    ]
    tags = [
        f'<script defer src="{_address(static, name, digests)}"></script>'
        for name in needed
    ]
    if formula_style.MARK in page:
        links.append(FONTS_FIRST)
    page = _PLAIN.sub(r"\1", page)
    # The look hangs on the theme's name; without scripts nobody sets it.
    page = page.replace("<html ", '<html data-theme="light" ', 1)
    page = page.replace(STYLES, "".join(links))
    page = page.replace(SCRIPTS, "".join(tags))
    # The bar with the logo, the search and the chapters is a landmark.
    page = page.replace(
        '<div id="pst-primary-sidebar"',
        '<div id="pst-primary-sidebar" role="banner"',
    )
    return re.sub(
        r"<img [^>]*>", lambda tag: _sized(tag[0], path.parent), page
    )


def _address(static: str, name: str, digests: dict[str, str]) -> str:
    return f"{static}{name}" + (
        f"?v={digests[name]}" if name in digests else ""
    )


def _sized(tag: str, folder: Path) -> str:
    """Give an image tag its size, so that no text moves when it loads."""
    source = re.search(r'src="([^":?]+)', tag)
    if not source or "width=" in tag or "/_static/" in tag:
        return tag
    width, height = imagesize.get(folder / source[1])
    if width <= 0:
        return tag
    size = f'width="{width}" height="{height}" loading="lazy"'
    return tag.replace("<img ", f'<img {size} decoding="async" ', 1)


def remove_unused(out: Path, pages: dict[Path, str]) -> None:
    """Remove the static files that no page refers to."""
    named: set[str] = set()
    for page in pages.values():
        named.update(re.findall(r"_static/([^\"'?#)\s]+)", page))
    for path in sorted((out / "_static").rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(out / "_static").as_posix() not in named:
            path.unlink()
    for name in ("objects.inv", ".buildinfo.bak"):
        (out / name).unlink(missing_ok=True)


def forget_failed_build(app: Sphinx) -> None:
    """Make the build after one with warnings read everything again.

    Sphinx would otherwise find nothing to do, and pass in silence.
    """
    if app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("site_engine", "", "html", types=[str])
    app.connect("config-inited", note_engine)
    app.connect("builder-inited", start)
    app.connect("env-get-outdated", always_one_page)
    app.connect("html-page-context", prepare_context, priority=900)
    app.connect("html-collect-pages", error_page)
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
