"""The built site in a real browser, page by page.

Each gate is a function that returns its complaints as sentences. It runs on
every page of the site, and on a broken page of tests/broken/browser that it
must complain about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

BROKEN = Path(__file__).parent / "broken" / "browser"
NOT_PAGES = ("_static", "_images", "_sources", "_downloads", "slides")
"""Folders without pages of the book; tests/test_slides.py has the decks."""
WIDGET = ".cnn-widget[data-widget]"
CONTROLS = "button, input, select, [tabindex='0']"
VIEWS = [
    (theme, width) for theme in ("light", "dark") for width in (1280, 375)
]


# ---- pages and visits ----


def pages_of(site: Path) -> list[str]:
    """Return the address, within the site, of every page with content."""
    found = []
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        if name.startswith(NOT_PAGES):
            continue
        if 'http-equiv="refresh"' in path.read_text(encoding="utf-8").lower():
            continue
        found.append(name)
    return found


@pytest.fixture(scope="module")
def pages(built_site: Path) -> list[str]:
    names = pages_of(built_site)
    assert len(names) >= 3, f"too few pages in {built_site}: {names}"
    return names


@contextmanager
def visitor(browser, width=1280, theme="light", **options) -> Iterator:
    """A page with every other host cut off; `page.seen` collects troubles."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        **options,
    )
    page = context.new_page()
    page.seen = {"foreign": [], "errors": []}
    home = []

    def route(route) -> None:
        parts = urlsplit(route.request.url)
        own = (parts.scheme, parts.netloc) == home[0]
        if own or parts.scheme in ("data", "blob", "about"):
            route.continue_()
        else:
            page.seen["foreign"].append(route.request.url)
            route.abort()

    def go(address: str) -> None:
        home[:] = [urlsplit(address)[:2]]
        page.seen["foreign"].clear()
        page.seen["errors"].clear()
        page.goto(address, wait_until="load")

    def note(message: str) -> None:
        page.seen["errors"].append(message)

    context.route("**/*", route)
    page.on("pageerror", lambda error: note(f"script error: {error}"))
    page.on(
        "console",
        lambda entry: entry.type == "error" and note(f"console: {entry.text}"),
    )
    page.on(
        "response",
        lambda answer: (
            answer.status >= 400 and note(f"{answer.status} for {answer.url}")
        ),
    )
    page.go = go
    try:
        yield page
    finally:
        context.close()


def everywhere(page, server: str, names: list[str], gate: Callable) -> list:
    """Run a gate on each page; return its complaints with the page's name."""
    complaints = []
    for name in names:
        page.go(f"{server}/{name}")
        complaints += [f"{name}: {text}" for text in gate(page)]
    return complaints


# ---- the gates ----


@cache
def axe_source() -> str:
    package = find_spec("axe_core_python").submodule_search_locations[0]
    return (Path(package) / "axe.min.js").read_text(encoding="utf-8")


def accessibility(page, within: str = "html") -> list[str]:
    """What axe finds wrong. Also what it could not judge by an error."""
    if page.locator("html[data-theme]").count():
        page.locator("html[data-loaded]").wait_for(timeout=5000)
    page.evaluate(axe_source())
    result = page.evaluate(
        "within => axe.run(document.querySelector(within),"
        " {resultTypes: ['violations', 'incomplete']})",
        within,
    )
    complaints = [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in result["violations"]
        for node in rule["nodes"][:3]
    ]
    complaints += [
        f"{rule['id']} could not run: {node['target']}"
        for rule in result["incomplete"]
        for node in rule["nodes"]
        if any(check["id"] == "error-occurred" for check in node["none"])
    ]
    return complaints


def completeness(page) -> list[str]:
    """Script errors, foreign hosts, and what did not load or show."""
    missing = page.evaluate(
        """() => {
        const bad = [...document.images]
          .filter(i => i.loading !== "lazy" && !i.naturalWidth)
          .map(i => `picture not shown: ${i.src}`);
        for (const face of document.fonts)
          if (face.status === "error") bad.push(`font: ${face.family}`);
        for (const at of document.querySelectorAll(".katex-error"))
          bad.push(`formula: ${at.textContent}`);
        const main = document.querySelector("main").cloneNode(true);
        main.querySelectorAll(".katex, pre, code, script, style")
          .forEach(at => at.remove());
        const text = main.textContent;
        if (/\\\\\\(|\\\\\\[|\\\\begin\\{/.test(text)) bad.push("raw LaTeX");
        for (const at of document.querySelectorAll(".math"))
          if (!at.querySelector(".katex")) bad.push("formula not drawn");
        return bad; }"""
    )
    foreign = [f"asks another host: {url}" for url in page.seen["foreign"]]
    return page.seen["errors"] + foreign + missing


def overflow(page) -> list[str]:
    """Whether the page is wider than the screen."""
    return page.evaluate(
        """() => {
        const width = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= width) return [];
        const scrolls = at => { for (; at; at = at.parentElement)
          if (/auto|scroll|hidden/.test(getComputedStyle(at).overflowX))
            return true; return false; };
        const wide = [...document.body.querySelectorAll("*")].filter(at =>
          at.getBoundingClientRect().right > width + 1 &&
          !scrolls(at.parentElement)).slice(0, 5).map(at =>
          `${at.tagName.toLowerCase()}.${at.getAttribute("class")}`);
        return [`${document.documentElement.scrollWidth} px wide on ` +
                `${width}: ${wide}`]; }"""
    )


def reacts(page) -> list[str]:
    """Whether each widget answers to the mouse and to the keyboard."""
    complaints = []
    widgets = page.locator(WIDGET)
    for index in range(widgets.count()):
        widget = widgets.nth(index)
        name = widget.get_attribute("data-widget")
        widget.scroll_into_view_if_needed()
        controls = widget.locator(CONTROLS)
        try:
            controls.locator("visible=true").first.wait_for(timeout=3000)
        except Exception:
            complaints.append(f"{name} shows no control")
            continue
        for means, act in (("mouse", by_mouse), ("keyboard", by_keyboard)):
            if not any(
                changed(widget, lambda c=control, a=act: a(page, c))
                for control in controls.all()
                if control.is_visible() and control.is_enabled()
            ):
                complaints.append(f"{name} does not react to the {means}")
    return complaints + page.seen["errors"]


def changed(widget, act: Callable) -> bool:
    """Whether the widget draws something else after the act."""
    before = widget.inner_html()
    act()
    widget.page.wait_for_timeout(60)
    return widget.inner_html() != before


def by_mouse(page, control) -> None:
    """Use a control as a hand with a mouse does."""
    kind = control.evaluate("c => c.type || c.tagName")
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    if kind == "select-one":
        control.select_option(index=1)
    elif kind == "range":
        for share in (0.8, 0.2):
            page.mouse.click(
                box["x"] + share * box["width"], box["y"] + box["height"] / 2
            )
    else:
        page.mouse.click(
            box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        )


def by_keyboard(page, control) -> None:
    """Use a control by keys alone."""
    kind = control.evaluate("c => c.type || c.tagName")
    control.focus()
    if kind in ("button", "submit", "checkbox", "radio"):
        page.keyboard.press("Space")
    else:
        before = control.evaluate("c => c.value ?? ''")
        page.keyboard.press("ArrowUp" if kind == "number" else "ArrowRight")
        if control.evaluate("c => c.value ?? ''") == before:
            down = "ArrowDown" if kind != "range" else "ArrowLeft"
            page.keyboard.press(down)


def stands_without_scripts(page) -> list[str]:
    """Whether pictures, results and formulas are there with scripts off."""
    complaints = []
    for widget in page.locator(WIDGET).all():
        name = widget.get_attribute("data-widget")
        # a picture; a question has a fold with its answer instead
        picture = widget.locator("svg, details").first
        if not picture.count() or not picture.bounding_box():
            complaints.append(f"{name} shows no picture")
        words = " ".join(
            widget.locator("figcaption, table, p").all_text_contents()
        )
        if not re.search(r"\d", words):
            complaints.append(f"{name} states no result in words")
    if page.locator(".math").count() != page.locator(".math .katex").count():
        complaints.append("a formula is not drawn")
    for fold in page.locator("main details").all():
        if fold.get_attribute("open") is None:
            fold.locator("> summary").click()
            if fold.get_attribute("open") is None:
                complaints.append("a fold does not open")
    return complaints


# ---- every page of the site ----


@pytest.mark.parametrize(("theme", "width"), VIEWS)
def test_accessible_and_complete(browser, site_server, pages, theme, width):
    with visitor(browser, width, theme) as page:
        complaints = everywhere(
            page,
            site_server,
            pages,
            lambda page: (
                completeness(page)
                + shown_in(page, theme)
                + opened(page)
                + accessibility(page)
                + overflow(page)
            ),
        )
    assert not complaints, "\n".join(complaints)


def opened(page) -> list[str]:
    """Open every fold, so that what it holds is judged with the rest."""
    folds = page.locator("main details")
    folds.evaluate_all("all => all.forEach(fold => { fold.open = true; })")
    closed = page.locator("main details:not([open])").count()
    return [f"{closed} folds stay closed"] if closed else []


def shown_in(page, theme: str) -> list[str]:
    """Whether the page stands on a light or dark ground, as asked."""
    ground = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g)"
    )
    shown = "light" if sum(map(int, ground[:3])) > 380 else "dark"
    return [] if shown == theme else [f"asked for {theme}, shows {shown}"]


def test_fits_a_narrow_phone(browser, site_server, pages):
    with visitor(browser, 320) as page:
        complaints = everywhere(page, site_server, pages, overflow)
    assert not complaints, "\n".join(complaints)


def with_widgets(site: Path, names: list[str]) -> list[str]:
    return [
        name
        for name in names
        if "data-widget=" in (site / name).read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_widgets_react(browser, site_server, built_site, pages, scheme):
    names = with_widgets(built_site, pages)
    assert names, "no page has a widget"
    root = site_server if scheme == "http" else built_site.as_uri()
    with visitor(browser) as page:
        complaints = everywhere(page, root, names, reacts)
    assert not complaints, "\n".join(complaints)


def test_complete_by_double_click(browser, built_site, pages):
    names = [n for n in pages if n not in ("search.html", "404.html")]
    with visitor(browser) as page:
        root = built_site.as_uri()
        complaints = everywhere(page, root, names, completeness)
        page.go(f"{root}/{names[0]}")
        link = page.locator("nav.bd-links a.reference").first
        target = link.get_attribute("href")
        link.click()
        assert page.url.endswith(target.lstrip("./")), (page.url, target)
    assert not complaints, "\n".join(complaints)


def test_stands_without_javascript(browser, site_server, pages):
    with visitor(browser, java_script_enabled=False) as page:
        complaints = everywhere(
            page, site_server, pages, stands_without_scripts
        )
    assert not complaints, "\n".join(complaints)


def test_one_click_from_the_front_page(browser, site_server):
    with visitor(browser) as page:
        page.go(f"{site_server}/intro.html")
        page.get_by_role("link", name="Start with convolution").click()
        assert page.url.endswith("/chapters/convolution.html")


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_search_finds(browser, site_server, built_site, scheme):
    root = site_server if scheme == "http" else built_site.as_uri()
    with visitor(browser) as page:
        page.go(f"{root}/search.html?q=convolution")
        results = page.locator("#search-results")
        found = results.locator('a[href*="chapters/convolution.html"]')
        found.first.wait_for(timeout=5000)
        assert not page.seen["errors"] + page.seen["foreign"], page.seen


def focused(page) -> dict:
    return page.evaluate(
        """() => { const at = document.activeElement;
        const style = getComputedStyle(at), box = at.getBoundingClientRect();
        return {name: at.className + " " + at.innerText, tag: at.tagName,
          skip: !!at.closest(".skip-link"),
          sidebar: !!at.closest("nav.bd-links"),
          theme: at.matches(".theme-switch-button"),
          seen: box.bottom > 0 && box.width > 0,
          ring: style.outlineStyle !== "none" &&
                parseFloat(style.outlineWidth) >= 2}; }"""
    )


def test_by_keyboard(browser, site_server):
    reached = set()
    with visitor(browser) as page:
        page.go(f"{site_server}/intro.html")
        page.keyboard.press("Tab")
        first = focused(page)
        assert first["skip"], first
        for _ in range(60):
            at = focused(page)
            page.wait_for_timeout(20)
            if at["tag"] == "BODY":
                break
            assert at["ring"], f"no visible focus on {at['name']}"
            reached |= {key for key in ("sidebar", "theme") if at[key]}
            if at["theme"]:
                mode = page.locator("html").get_attribute("data-mode")
                page.keyboard.press("Enter")
                now = page.locator("html").get_attribute("data-mode")
                assert now != mode, "the theme switch does nothing by keyboard"
            page.keyboard.press("Tab")
        assert reached == {"sidebar", "theme"}, reached

        page.go(f"{site_server}/intro.html")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.url.endswith("#main-content")


@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_side_bars_open_on_a_phone(browser, site_server, side):
    with visitor(browser, 375) as page:
        page.go(f"{site_server}/chapters/convolution.html")
        links = page.locator(
            f"#pst-{side}-sidebar-modal, #pst-{side}-sidebar"
        ).locator("nav a")
        assert not links.first.is_visible()
        page.locator(f".bd-header-article .{side}-toggle").focus()
        page.keyboard.press("Enter")
        links.first.wait_for(state="visible", timeout=2000)
        dialog = f"#pst-{side}-sidebar-modal"
        complaints = accessibility(page, dialog) + overflow(page)
        assert not complaints, "\n".join(complaints)
        page.keyboard.press("Escape")
        links.first.wait_for(state="hidden", timeout=2000)


@pytest.mark.parametrize("scripts", [True, False])
def test_nothing_stays_held_back(browser, site_server, scripts):
    """Once loaded, or without scripts, every section is laid out."""
    with visitor(browser, java_script_enabled=scripts) as page:
        page.go(f"{site_server}/chapters/convolution.html")
        page.wait_for_timeout(500)
        held = page.locator("main section section").evaluate_all(
            "all => all.filter(at =>"
            " getComputedStyle(at).contentVisibility !== 'visible').length"
        )
        assert held == 0


def test_folds_open_by_keyboard(browser, site_server, built_site, pages):
    names = [
        name
        for name in pages
        if 'class="dropdown' in (built_site / name).read_text("utf-8")
    ]
    assert names, "no page folds anything"
    with visitor(browser) as page:
        page.go(f"{site_server}/{names[0]}")
        fold = page.locator("main details.dropdown").first
        fold.locator("> summary").focus()
        page.keyboard.press("Enter")
        assert fold.get_attribute("open") is not None


def test_print_shows_what_is_folded(browser, site_server, built_site, pages):
    with visitor(browser) as page:
        page.go(f"{site_server}/chapters/convolution.html")
        page.emulate_media(media="print")
        page.evaluate(
            "new Promise(done => requestAnimationFrame(() =>"
            " requestAnimationFrame(done)))"
        )
        hidden = page.evaluate(
            """() => [...document.querySelectorAll(
              "main details.dropdown > :not(summary)")].filter(at =>
              !at.checkVisibility({contentVisibilityAuto: true})).length"""
        )
        chrome = page.locator(".bd-sidebar-primary, .bd-header-article")
        assert not any(part.is_visible() for part in chrome.all())
        assert hidden == 0


# ---- each gate has seen its fault ----


@pytest.fixture(scope="module")
def broken_server() -> Iterator[str]:
    from conftest import serve

    server = serve(BROKEN)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "gate", "complaint"),
    [
        ("low-contrast", accessibility, "color-contrast"),
        ("missing-label", accessibility, "label"),
        ("foreign-host", completeness, "asks another host"),
        ("script-error", completeness, "script error"),
        ("missing-picture", completeness, "picture not shown"),
        ("raw-formula", completeness, "raw LaTeX"),
        ("overflowing", overflow, "px wide"),
        ("throwing-widget", reacts, "script error"),
        ("deaf-widget", reacts, "does not react to the keyboard"),
        ("unmounted-widget", reacts, "shows no control"),
    ],
)
def test_the_gate_sees(browser, broken_server, name, gate, complaint):
    with visitor(browser, 320) as page:
        page.go(f"{broken_server}/{name}.html")
        assert any(complaint in text for text in gate(page))


@pytest.mark.parametrize(
    "gate", [accessibility, completeness, overflow, reacts]
)
def test_the_gate_lets_a_sound_page_pass(browser, broken_server, gate):
    with visitor(browser, 320) as page:
        page.go(f"{broken_server}/sound.html")
        assert gate(page) == []


def test_the_gate_sees_an_empty_widget(browser, broken_server):
    with visitor(browser, java_script_enabled=False) as page:
        page.go(f"{broken_server}/empty-widget.html")
        complaints = stands_without_scripts(page)
        assert [text for text in complaints if "no picture" in text]
        assert [text for text in complaints if "no result" in text]
        page.go(f"{broken_server}/sound.html")
        assert stands_without_scripts(page) == []
