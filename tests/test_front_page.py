"""The front page, used as a person does: looked at, stepped through, left.

What it should show is read from the file that test_lineage.py holds against
the live networks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import imagesize
import pytest
from conftest import ROOT
from docutils import nodes
from docutils.utils import new_document
from test_browser import accessibility, overflow, visitor

from website.extensions import social

FILE = ROOT / "website" / "assets" / "lineage.html"
PHONE = {"has_touch": True, "is_mobile": True}
LENGTHS = """(bars) => bars.map((bar) =>
  parseFloat(getComputedStyle(bar).clipPath.split(" - ")[1]))"""


def drawn() -> list[dict[str, str]]:
    """The rows of the picture: name, year, story, and strokes by view."""
    text = FILE.read_text("utf-8")
    rows = re.findall(r'<li class="ln-net.*?</li>', text)
    found = []
    for row in rows:
        chapter = re.search(r'data-network="(\w+)"', row)[1]
        story = re.search(rf'<p data-of="{chapter}">.*?</p>', text)[0]
        name, way, idea = re.match(
            r".*?<b>(.*?)\.</b> <i>.*?</i> (.*?) <i>.*?</i> (.*?) <a", story
        ).groups()
        found.append(
            dict(re.findall(r"--(\w+):([\d.]+)", row))
            | {"name": name, "in the way": way, "idea": idea}
        )
    return found


NETS = drawn()


def lengths(view: str) -> object:
    """What the bars of a view should show, in strokes."""
    return pytest.approx([float(net[view]) for net in NETS], abs=0.1)


@pytest.fixture
def front(browser, site_server: str) -> Iterator[Callable]:
    """Open the front page, at a place of its picture if one is named."""
    visits = []

    def opened(place: str = "", width: int = 1280, **options):
        visits.append(visitor(browser, width, **options))
        page = visits[-1].__enter__()
        page.home = f"{site_server}/intro.html"
        page.go(page.home + place)
        if options.get("java_script_enabled", True):
            page.locator("[data-live]").wait_for()
        return page

    yield opened
    for visit in visits:
        visit.__exit__(None, None, None)


def strokes(page) -> list[float]:
    """How many strokes each bar shows, once it stands still."""
    page.wait_for_function(
        "() => document.querySelector('.ln').getAnimations("
        "{ subtree: true }).length === 0"
    )
    shown = page.locator(".ln-bar").evaluate_all(LENGTHS)
    unit = page.locator(".ln").evaluate(
        "(ln) => parseFloat(getComputedStyle(ln.querySelector("
        "'.ln-bar line')).strokeDasharray.split(',')[0]) / 0.55"
    )
    return [length / unit for length in shown]


def told(page) -> str:
    """The words that can be read beside the picture."""
    texts = page.locator(".ln-said > p").evaluate_all(
        "all => all.filter(p => p.checkVisibility("
        "{ visibilityProperty: true })).map(p => p.innerText)"
    )
    assert len(texts) == 1, texts
    return texts[0].replace("\xa0", " ")


def labels(page) -> list[str]:
    """What stands at the ends of the bars."""
    rows = page.locator(".ln-net").all()
    return [row.locator(".ln-label").inner_text().strip() for row in rows]


def choose(page, view: str) -> None:
    page.get_by_role("radio", name=view).check(force=True)


# ---- The picture, looked at and walked ----


def test_views_are_chosen_by_mouse_and_by_keys(front) -> None:
    page = front()
    assert "182" in told(page)
    page.locator(".ln-views label", has_text="Depth").click()
    assert strokes(page) == lengths("depth")
    assert "152 layers" in labels(page)[-1]
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="Parameters").is_checked()
    assert strokes(page) == lengths("parameters")
    page.keyboard.press("ArrowRight")
    assert "multiplies" in told(page)
    assert strokes(page) == lengths("arithmetic")


def test_the_story_is_stepped_through_to_and_fro(front) -> None:
    page = front()
    onward = page.get_by_role("button", name="Next")
    for place, net in enumerate(NETS, 1):
        onward.click()
        said = told(page)
        assert said.startswith(
            f"{net['name']}. In the way: {net['in the way']}"
        )
        assert net["idea"] in said
        steps = page.get_by_role("group", name="The story")
        assert f"{place} of 7" in steps.inner_text()
    onward.press("ArrowLeft")
    assert told(page).startswith("GoogLeNet.")
    page.get_by_role("button", name="Back").click()
    assert told(page).startswith("VGG-16.")
    onward.focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert "182" in told(page)
    page.locator("[aria-live=polite]", has_text="182 wrong").wait_for(
        state="attached", timeout=3000
    )


def test_a_door_opens_and_the_way_back_leads_to_the_same_view(front) -> None:
    page = front()
    page.locator(".ln-views label", has_text="Arithmetic").click()
    row = page.locator(".ln-net", has_text="GoogLeNet").locator("a")
    row.hover()
    assert told(page).startswith("GoogLeNet.")
    row.click()
    assert page.url.endswith("/chapters/googlenet.html")
    page.go_back()
    page.locator("[data-live]").wait_for()
    assert page.get_by_role("radio", name="Arithmetic").is_checked()
    assert told(page).startswith("GoogLeNet.")
    page.reload()
    page.locator("[data-live]").wait_for()
    assert page.get_by_role("radio", name="Arithmetic").is_checked()
    page.locator(".ln-said a:visible", has_text="Open").last.click()
    assert page.url.endswith("/chapters/googlenet.html")


def test_doors_open_by_keyboard(front) -> None:
    page = front("#view=depth&at=alexnet")
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Tab")
    assert told(page).startswith("LeNet-5.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/chapters/alexnet.html")


STRANGE = (
    "#view=<img src=x onerror=alert(1)>&at=vgg",
    "#view=error&at=javascript:alert(1)",
    "#at=__proto__&view=constructor",
    "#%E0%A4%A",
    "#view=" + "9" * 10_000,
)


def test_a_strange_address_shows_the_picture(front) -> None:
    page = front()
    for place in STRANGE:
        page.goto("about:blank")
        page.go(page.home + place)
        page.locator("[data-live]").wait_for()
        assert page.get_by_role("radio", name="Error").is_checked()
        assert page.locator(".ln img").count() == 0
        assert not page.seen["errors"]
        ours = place.endswith("&at=vgg")
        assert told(page).startswith("VGG-16." if ours else "Of 1,000")


def test_a_finger_shows_first_and_opens_then(front) -> None:
    page = front(width=375, **PHONE)
    assert not overflow(page)
    row = page.locator(".ln-net", has_text="ZFNet").locator("a")
    row.tap()
    assert told(page).startswith("ZFNet.")
    assert "/intro.html" in page.url
    words = page.locator(".ln-words").bounding_box()
    assert words["y"] >= 0
    assert words["y"] + words["height"] <= 901
    choose(page, "Depth")
    assert strokes(page) == lengths("depth")
    row.tap()
    page.wait_for_url("**/chapters/zfnet.html")


def test_with_a_kernel_it_steps_and_has_no_doors(front) -> None:
    page = front()
    page.evaluate(
        """(picture) => {
        const place = document.querySelector(".cnn-lineage");
        const state = { view: "depth", selected: "", _picture: picture };
        const heard = new Set();
        const model = {
          get: (name) => state[name],
          set: (name, value) => {
            state[name] = value;
            for (const listener of heard) listener();
          },
          on: (name, listener) => heard.add(listener),
          save_changes: () => {},
        };
        place.replaceChildren();
        cnnWidgets.lineage.render({ model, el: place });
        }""",
        re.search("<figure.*</figure>", FILE.read_text("utf-8"))[0],
    )
    assert page.locator(".ln a[href]").count() == 0
    assert page.get_by_role("radio", name="Depth").is_checked()
    page.get_by_role("button", name="Next").click()
    assert told(page).startswith("LeNet-5.")
    page.wait_for_timeout(400)
    assert "#" not in page.url


# ---- In every light, and without ----


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_is_silent_and_would_not_be(front, theme: str) -> None:
    page = front("#view=parameters&at=resnet", theme=theme)
    page.locator(".ln details").evaluate("fold => { fold.open = true; }")
    assert accessibility(page, ".cnn-widget") == []
    page.locator(".ln-caption").evaluate(
        "words => { words.style.color = getComputedStyle(words)"
        ".getPropertyValue('--w-rule'); }"
    )
    assert "color-contrast" in accessibility(page, ".cnn-widget")[0]


def test_without_a_script_it_is_a_picture_with_doors(front) -> None:
    page = front(java_script_enabled=False)
    assert page.get_by_role("button", name="Next").count() == 0
    for net in NETS:
        door = page.locator(".ln-net").get_by_role("link", name=net["name"])
        assert door.is_visible()
        assert page.get_by_text(net["idea"]).is_visible()
    page.locator(".ln-views label", has_text="Depth").click()
    assert labels(page)[0] == "5 layers"
    page.locator(".ln-net a").first.click()
    assert page.url.endswith("/chapters/lenet.html")


def test_paper_has_the_picture_the_stories_and_the_table(front) -> None:
    page = front("#view=depth")
    page.emulate_media(media="print")
    assert labels(page)[-1] == "152 layers"
    assert not page.locator(".ln-steps").is_visible()
    for net in NETS:
        assert page.get_by_text(net["idea"]).is_visible()


# ---- At once, and at rest ----


def test_nothing_jumps(front) -> None:
    page = front()
    page.evaluate(
        "() => { window.shift = 0; new PerformanceObserver((list) => {"
        "for (const entry of list.getEntries()) window.shift += entry.value;"
        "}).observe({ type: 'layout-shift', buffered: true }); }"
    )
    page.get_by_role("button", name="Next").click()
    page.wait_for_timeout(300)
    assert page.evaluate("window.shift") < 0.01


def test_who_wants_no_motion_sees_none(front) -> None:
    page = front(reduced_motion="reduce")
    page.locator(".ln-views label", has_text="Depth").click()
    assert page.evaluate("document.getAnimations().length") == 0
    page = front()
    page.locator(".ln-views label", has_text="Depth").click()
    assert page.evaluate("document.getAnimations().length") > 0


# ---- The page around it ----


def test_the_lead_has_the_networks_figures(built_site: Path) -> None:
    page = (built_site / "intro.html").read_text("utf-8")
    lead = re.sub("<[^>]+>", "", page.split("</h1>")[2].split("</p>")[0])
    text = FILE.read_text("utf-8")
    rows = re.findall(r"<td>(\d{4})</td><td>(\d+)</td><td>([\d,]+)<", text)
    assert f"In {rows[0][0]} a network of {rows[0][2]} parameters" in lead
    assert f"In {rows[-1][0]} one of {rows[-1][1]} layers" in lead
    assert len(rows) == 7
    assert "Six papers lead from one to the other" in lead


# ---- What others see of it before they come ----


def head(site: Path, name: str) -> dict[str, str]:
    """The meta tags of a page."""
    page = (site / name).read_text("utf-8").split("</head>")[0]
    tags = re.findall(
        r'<meta (?:name|property)="([\w:]+)"\s+content="([^"]*)"', page
    )
    return dict(tags) | {"title": re.search("<title>(.*?)</title>", page)[1]}


def test_every_page_says_what_it_is(built_site: Path) -> None:
    seen = {
        name: head(built_site, name)
        for name in ("intro.html", "index.html", "chapters/lenet.html")
    }
    for name, tags in seen.items():
        assert 40 < len(tags["description"]) <= social.LONGEST, name
        assert tags["og:description"] == tags["description"]
        assert tags["og:url"].startswith("https://")
        root = tags["og:url"].partition("/chapters")[0].rpartition("/intro")[0]
        assert tags["og:image"].startswith(root)
    front, index, chapter = seen.values()
    assert front["title"] == index["title"] == "From LeNet to ResNet"
    assert front["description"] == index["description"]
    assert front["og:url"].endswith("/intro.html")
    assert chapter["og:url"].endswith("/chapters/lenet.html")
    assert "LeNet: a network that reads" in chapter["title"]
    width, height = imagesize.get(built_site / social.CARD)
    assert (width, height) == (1200, 630)
    assert 'rel="icon"' in (built_site / "intro.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("One sentence [LBBH98, 1998]. Two (Li, 2014).", "One sentence. Two."),
        ("A " * 98 + "b. " + "C " * 80, "A " * 98 + "b."),
        ("word " * 60, ("word " * 60)[: social.LONGEST - 1] + "…"),
    ],
)
def test_a_description_ends_with_a_sentence(text: str, shown: str) -> None:
    document = new_document("page")
    document += nodes.paragraph(text=text)
    assert social.opening(document) == shown
    assert social.opening(new_document("empty")) == ""


def test_nothing_can_leave_a_tag() -> None:
    assert social.tags({"description": '"><script>', "og:url": ""}) == (
        '<meta name="description" content="&quot;&gt;&lt;script&gt;" />\n'
    )
