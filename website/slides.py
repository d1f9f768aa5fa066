"""Decks for the lecture hall, cut out of the chapters' pages.

A deck has no source of its own. What a page *shows* (a picture, a widget, a
formula, a table, code and what it prints, a box with a question) becomes a
slide under a headline; what it *says* becomes the speaker's notes. So a deck
is as true as its chapter, and a widget on a slide is alive.

The headline is a sentence of the page: what its text says of the thing
shown, where that is short, else the heading above it. An author may steer by
tags of a notebook's cells:

``slide-skip``           not on a slide
``slide-with-previous``  on the slide before it
``slide-code``           with its code, where only the picture would be shown
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag

from website.extensions.scripts import digest

FOLDER = "slides"
DRAWN = ("widget", "question", "figure")
"""What stands on a slide without the code that made it."""

CHAPTER = ("opening", "exercise", "summary")
"""The boxes that make a page a chapter."""

LONGEST_HEADLINE = 108
LONGEST_LEAD = 220
MOST_SLIDES = 45
"""In a longer deck, fewer sections have a slide of their own."""
LONGEST_TABLE = 13
LONGEST_CODE = 24
"""Lines on one slide, what the code prints among them."""

_END = re.compile(r"[.?!][”)]?(?=\s|$)")
_LEANS = re.compile(
    r"(?:It|They|He|She|So|But|And|Here|There|Then|Now|Each|Its|Their|Yet|"
    r"Otherwise|Again|Hence|Thus|Not|In the same|The same|Such|Beside)\b"
)
"""How a sentence begins that needs the one before it."""


@dataclass
class Slide:
    """One idea: a headline, what is shown, and what may be said."""

    kind: str
    headline: str = ""
    above: str = ""
    place: str = ""
    shown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    before: Tag | None = None
    after: Tag | None = None


# ---- Reading a page ----


def article(page: str) -> Tag | None:
    """Return the text of a page that has a deck: a chapter."""
    if not all(f'class="{kind} admonition"' in page for kind in CHAPTER):
        return None
    soup = BeautifulSoup(page, "html.parser")
    found = soup.select_one("article.bd-article > section")
    for mark in found.select("a.headerlink, .cnn-live"):
        mark.decompose()
    return found


def blocks(section: Tag) -> Iterator[Tag]:
    """Yield the headings and blocks of a page in order, sections opened."""
    for child in section.find_all(recursive=False):
        if child.name == "section":
            child.find(["h2", "h3", "h4"])["data-place"] = child.get("id", "")
            yield from blocks(child)
        else:
            yield child


def classes(tag: Tag) -> set[str]:
    return set(tag.get("class", []))


def inner(tag: Tag) -> str:
    return tag.decode_contents().strip()


def words(html: str) -> str:
    """Return the text of a piece of HTML, a formula once."""
    soup = BeautifulSoup(html, "html.parser")
    for twin in soup.select(".katex-html, annotation"):
        twin.decompose()
    return re.sub(r"\s+", " ", soup.get_text()).strip()


def sentences(paragraph: Tag) -> list[str]:
    """Split a paragraph into sentences, each with its formulas and links."""
    found, now = [], ""
    for child in _uncited(paragraph).children:
        if not isinstance(child, NavigableString):
            now += str(child)
            text = child.get_text()
            if child.name in ("strong", "em") and _END.search(text[-2:]):
                found.append(now)
                now = ""
            continue
        text, start = escape(str(child), quote=False), 0
        for end in _END.finditer(text):
            follows = text[end.end() :].lstrip()
            if follows[:1].islower() or _abbreviated(text[: end.end()]):
                continue
            found.append(now + text[start : end.end()])
            now, start = "", end.end()
        now += text[start:]
    return [part.strip() for part in (*found, now) if part.strip()]


def _abbreviated(text: str) -> bool:
    return bool(re.search(r"\b(?:et al|e\.g|i\.e|vs|cf|Fig|Eq)\.$", text))


def _uncited(tag: Tag) -> Tag:
    """Return a copy without citations: a headline has no footnotes."""
    found = copy(tag)
    for cited in found.select(".bibtex-citation"):
        before = cited.previous_sibling
        if isinstance(before, NavigableString):
            before.replace_with(NavigableString(before.rstrip()))
        cited.decompose()
    return found


# ---- What a block shows ----


def lines_of(html: str) -> int:
    """Count the lines of code, or of what it prints."""
    return len(
        BeautifulSoup(html, "html.parser").get_text().strip("\n").split("\n")
    )


def shown_by(block: Tag) -> list[tuple[str, list[str]]]:
    """Return the slides that a block gives: their kinds and contents."""
    names = classes(block)
    if "cell" in names:
        return shown_by_cell(block, names)
    if block.name == "div" and "math" in names:
        return [("formula", [str(block)])]
    if "pst-scrollable-table-container" in names or block.name == "table":
        return [("table", [part]) for part in split_table(str(block))]
    if "predict" in names:
        return [("predict", [predict_box(block)])]
    if block.name in ("ol", "ul", "dl"):
        return [("list", [str(block)])]
    if block.name in ("figure", "svg"):
        return [("figure", [str(block)])]
    if any(name.startswith("highlight-") for name in names):
        return [("code", [str(block)])]
    if "trap" in names:
        return [("aside", [inner(block)])]
    return []


def predict_box(box: Tag) -> str:
    box.select_one(".admonition-title").decompose()
    return inner(box)


def shown_by_cell(cell: Tag, names: set[str]) -> list[tuple[str, list[str]]]:
    if names & {"tag_setup", "tag_slide-skip"}:
        return []
    code = cell.select_one(".cell_input .highlight")
    outputs = cell.select_one(".cell_output")
    outputs = outputs.find_all(recursive=False) if outputs else []
    seen: list[tuple[str, str]] = []
    for output in outputs:
        if output.select_one(".cnn-question"):
            seen.append(("question", inner(output)))
        elif output.select_one(".cnn-widget"):
            seen.append(("widget", inner(output)))
        elif output.name in ("svg", "img") or output.find(["svg", "img"]):
            seen.append(("figure", str(output)))
        elif output.find("table"):
            seen.append(("table", inner(output)))
        else:
            seen.append(("prints", str(output)))
    folded = "tag_hide-input" in names
    drawn = any(kind in DRAWN for kind, _ in seen)
    wanted = "tag_slide-code" in names or not (folded or drawn)
    prints = [html for kind, html in seen if kind == "prints"]
    others = [(kind, html) for kind, html in seen if kind != "prints"]
    slides: list[tuple[str, list[str]]] = []
    if wanted and code:
        slides += code_slides(code, prints)
        prints = []
    for kind, html in others:
        if kind == "table" and slides and slides[-1][0] == "code":
            call = slides.pop()[1] if lines_of(slides[-1][1][0]) < 7 else []
            prints = call if lines_of("".join(call)) > 2 else []
        for part in split_table(html) if kind == "table" else [html]:
            slides.append((kind, [*prints, part]))
            prints = []
    if prints:
        slides.append(("prints", prints))
    return slides


def code_slides(code: Tag, prints: list[str]) -> list[tuple[str, list[str]]]:
    """Show code with what it prints, on as many slides as they need."""
    parts = split_code(code)
    printed = sum(map(lines_of, prints))
    slides = [("code", [part]) for part in parts]
    if prints and lines_of(parts[-1]) + printed <= LONGEST_CODE:
        slides[-1][1].extend(prints)
    elif prints:
        slides.append(("prints", prints))
    return slides


def split_code(code: Tag) -> list[str]:
    """Split long code at empty lines, into parts that a hall can read."""
    lines = inner(code.find("pre")).rstrip("\n").split("\n")
    parts: list[list[str]] = [[]]
    for paragraph in "\n".join(lines).split("\n\n"):
        piece = paragraph.split("\n")
        if parts[-1] and len(parts[-1]) + len(piece) >= LONGEST_CODE:
            parts.append([])
        elif parts[-1]:
            parts[-1].append("")
        parts[-1] += piece
    return [
        '<div class="highlight-python"><div class="highlight"><pre>'
        + "\n".join(part).strip("\n")
        + "</pre></div></div>"
        for part in parts
    ]


def split_table(html: str) -> list[str]:
    """Split a long table into parts, each under the same head."""
    soup = BeautifulSoup(html, "html.parser")
    rows = soup.select("tbody > tr")
    count = -(-len(rows) // LONGEST_TABLE)
    if count < 2:
        return [html]
    size = -(-len(rows) // count)
    parts = []
    for number in range(count):
        part = copy(soup)
        for place, row in enumerate(part.select("tbody > tr")):
            if place // size != number:
                row.decompose()
        parts.append(str(part))
    return parts


# ---- From blocks to slides ----


@dataclass
class Reader:
    """Goes through a chapter once, and collects its slides."""

    slides: list[Slide]
    section: str = ""
    sub: str = ""
    place: str = ""
    said: list[Tag] = field(default_factory=list)

    def heading(self, block: Tag) -> None:
        """Begin a section, with a slide of its own, or a part of one."""
        self.hand_over()
        self.place = block.get("data-place", "")
        if block.name == "h2":
            self.section, self.sub = inner(block), ""
            self.slides.append(Slide("section", self.section, "", self.place))
        else:
            self.sub = inner(block)

    def show(self, block: Tag, found: list[tuple[str, list[str]]]) -> None:
        """Add the slides of a block, and say on them what led to it."""
        last = self.slides[-1]
        if "tag_slide-with-previous" in classes(block):
            last.shown += [part for _, parts in found for part in parts]
            return
        if not self.said and last.kind == found[0][0] == "code":
            lines = sum(map(lines_of, [*last.shown, *found[0][1]]))
            if lines <= LONGEST_CODE:
                last.shown += found.pop(0)[1]
        elif self.joins_formula(found):
            said = self.said.pop()
            last.shown += [str(said), *found.pop(0)[1]]
            last.notes.append(str(said))
        before = self.said[-1] if self.said else None
        self.hand_over(before)
        if found and found[0][0] == "question":
            # What is said before it leads to what comes after it.
            parts = found.pop(0)[1]
            asked = Slide("question", "", self.section, self.place, parts)
            self.slides.append(asked)
        for kind, parts in found:
            slide = Slide(kind, self.sub, self.section, self.place, parts)
            slide.before, before = before, None
            slide.notes = [str(tag) for tag in self.said]
            self.said.clear()
            self.slides.append(slide)

    def joins_formula(self, found: list[tuple[str, list[str]]]) -> bool:
        """Whether two formulas with a line between are one thought."""
        last = self.slides[-1]
        return (
            len(self.said) == 1
            and last.kind == found[0][0] == "formula"
            and last.place == self.place
            and len(last.shown) == 1
            and len(words(str(self.said[0]))) <= LONGEST_LEAD
        )

    def hand_over(self, before: Tag | None = None) -> None:
        """Give the last slide what is said of it, less what leads on."""
        last, said = self.slides[-1], self.said
        leads_on = before is not None and words(str(before))[-1:] in ":,"
        if before is None:
            count = len(said)
        elif last.kind == "question":
            count = 0
        elif last.kind in ("title", "section"):
            count = len(said) - 1
        else:
            count = min(1, len(said) - leads_on)
        mine = said[:count]
        if (mine or last.kind == "section") and last.after is None:
            last.after = next(iter(said), None)
        last.notes += [str(tag) for tag in mine]
        del said[:count]


def cut(page: Tag) -> list[Slide]:
    """Cut the text of a chapter into slides."""
    reader = Reader([title_slide(page)], place=page.get("id", ""))
    for block in without_preparation(list(blocks(page))):
        names = classes(block)
        if block.name == "h1" or "opening" in names:
            continue
        if block.name in ("h2", "h3", "h4"):
            reader.heading(block)
        elif "exercise" in names:
            add_exercise(reader.slides, block, reader)
        elif "summary" in names:
            reader.hand_over()
            reader.slides.append(summary_slide(block, reader.place))
        elif words(reader.section) == "Exercises":
            continue
        elif found := shown_by(block):
            reader.show(block, found)
        elif "cell" not in names and reader.slides[1:]:
            reader.said.append(block)
    reader.hand_over()
    slides = reader.slides
    for least in (4, 6, len(slides)):
        if len(slides) > MOST_SLIDES or least == 4:
            slides = without_bare_sections(slides, least)
    for slide in slides:
        finish(slide)
        slide.above = slide.above or words(slides[0].headline).split(":")[0]
    return slides


def without_preparation(page: list[Tag]) -> list[Tag]:
    """Leave out cells that print nothing and lead straight to another."""
    kept = []
    for block, following in zip(page, [*page[1:], None], strict=True):
        prepares = (
            "cell" in classes(block)
            and not block.select_one(".cell_output")
            and following is not None
            and "cell" in classes(following)
            and not re.search(r"^class ", block.get_text(), re.MULTILINE)
        )
        if not prepares or "tag_slide-code" in classes(block):
            kept.append(block)
    return kept


def without_bare_sections(slides: list[Slide], least: int) -> list[Slide]:
    """Keep a section's own slide where that many follow it, or none."""
    kept: list[Slide] = []
    for place, slide in enumerate(slides):
        following = 0
        for other in slides[place + 1 :]:
            if other.above != slide.headline:
                break
            following += 1
        if slide.kind != "section" or following >= least:
            kept.append(slide)
        elif following:
            slides[place + 1].notes[:0] = slide.notes
        elif slide.notes:
            kept.append(slide)
    return kept


def title_slide(page: Tag) -> Slide:
    """Return the first slide: the chapter, its question, what it gives."""
    slide = Slide("title", inner(page.find("h1")), place=page.get("id", ""))
    opening = page.select_one(".opening.admonition")
    opening.select_one(".admonition-title").decompose()
    lead = page.find_all("p", recursive=False)
    slide.after = lead[0] if lead else None
    aims = opening.find(["ul", "ol"]) or ""
    slide.shown = [str(opening.find("p")), str(aims)]
    slide.notes = [*map(str, lead), inner(opening)]
    return slide


def summary_slide(box: Tag, place: str) -> Slide:
    box.select_one(".admonition-title").decompose()
    return Slide("summary", "Summary", "", place, [inner(box)])


def add_exercise(slides: list[Slide], box: Tag, reader: Reader) -> None:
    """List the exercises on one slide, by name and stars."""
    if slides[-1].kind != "exercises":
        reader.said.clear()
        if slides[-1].kind == "section":
            slides.pop()
        slides.append(
            Slide("exercises", "Exercises", "", reader.place, ["<ol></ol>"])
        )
    title = inner(box.select_one(".admonition-title"))
    stars, _, name = re.sub(r"^Exercise \d+\s*|\n", "", title).partition(" ")
    slide = slides[-1]
    item = f'<li>{name} <span class="stars">{stars}</span></li></ol>'
    slide.shown[0] = slide.shown[0].replace("</ol>", item)
    slide.notes.append(inner(box))


def finish(slide: Slide) -> None:
    """Give a slide its headline, and a formula the words that frame it."""
    first = sentences(slide.after)[:1] if is_text(slide.after) else []
    if slide.kind in ("title", "section"):
        if (
            first
            and len(words(first[0])) <= LONGEST_LEAD
            and (not _LEANS.match(words(first[0])))
        ):
            slide.shown.insert(0, f'<p class="lead">{first[0]}</p>')
        return
    if slide.kind == "formula":
        lead = sentences(slide.before)[-1:] if is_text(slide.before) else []
        if lead and not good_headline(lead[0]) and lead[0][-1] not in ".?!":
            slide.shown.insert(0, f"<p>{lead[0]}</p>")
        if first and (first[0][0].islower() or first[0].startswith("<span")):
            slide.shown.append(f"<p>{first[0]}</p>")
    told = [said_of(part) for part in slide.shown]
    slide.headline = headline(slide, told[-1] if told else "")
    slide.notes += [f"<p>{text}</p>" for text in told if text]


def said_of(part: str) -> str:
    """Return what a picture says of itself to those who do not see it."""
    if "aria-label" not in part and "figcaption" not in part:
        return ""
    soup = BeautifulSoup(part, "html.parser")
    if caption := soup.find("figcaption"):
        return escape(re.sub(r"\s+", " ", caption.get_text(" ")).strip())
    drawing = soup.find("svg", attrs={"aria-label": True})
    return escape(drawing["aria-label"]) if drawing else ""


def headline(slide: Slide, told: str) -> str:
    """Choose what stands over a slide: a sentence of the page."""
    if slide.kind in ("summary", "exercises"):
        return slide.headline
    if slide.kind in ("predict", "question"):
        return "Predict"
    lead_in = sentences(slide.before) if is_text(slide.before) else []
    remark = sentences(slide.after) if is_text(slide.after) else []
    points = lead_in[-1:] if lead_in and lead_in[-1].endswith(":") else []
    bold = [s for s in [*lead_in[:1], *remark[:1]] if s.startswith("<strong")]
    if slide.kind == "figure":
        # What can be seen, said by the text, else by the picture itself.
        candidates = [*bold, *remark[:1], *points, told.split(". ")[0] + "."]
    elif slide.kind == "widget":
        candidates = [*bold, *points, *lead_in[-1:], *remark[:1]]
    elif slide.kind == "formula":
        candidates = [*bold, *points]
    elif slide.kind in ("list", "table"):
        candidates = [*bold, *points, *lead_in[-1:], *remark[:1]]
    else:
        candidates = [*bold, *remark[:1], *points, *remark[1:3], *lead_in[-1:]]
    for sentence in candidates:
        if good_headline(sentence := clause(sentence)):
            return plain(sentence)
    return slide.headline or defined(slide) or slide.above


def defined(slide: Slide) -> str:
    """Name the class or function that the code of a slide defines."""
    found = slide.shown and re.search(
        r"^(class|def) (\w+)",
        BeautifulSoup(slide.shown[0], "html.parser").get_text(),
        re.MULTILINE,
    )
    if not found or slide.kind != "code":
        return ""
    call = "()" if found[1] == "def" else ""
    return f"<code>{found[2]}{call}</code>, in code"


def clause(sentence: str) -> str:
    """Return a sentence, or its beginning where it goes on too long."""
    if len(words(sentence)) <= LONGEST_HEADLINE:
        return sentence
    for mark in (r";\s", r":\s"):
        first = re.split(mark, sentence, maxsplit=1)[0]
        if first != sentence and first.count("<") == first.count("</") * 2:
            return first + "."
    return sentence


def is_text(tag: Tag | None) -> bool:
    return tag is not None and tag.name == "p"


def good_headline(sentence: str) -> bool:
    text = words(sentence)
    return (
        12 <= len(text) <= LONGEST_HEADLINE
        and text[-1] in ".:?!"
        and text[0].isupper()
        and not _LEANS.match(text)
    )


def plain(sentence: str) -> str:
    """Return a sentence as a headline: no full stop, no links."""
    soup = BeautifulSoup(sentence, "html.parser")
    for tag in soup.find_all(["a", "strong"]):
        tag.unwrap()
    return str(soup).strip().rstrip(".:")


# ---- From slides to a page ----

_PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="light" data-content_root="../">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>{title}: slides</title>
<script>{mode}</script>
{head}
</head>
<body class="cnn-deck">
<header><h1>{title}: slides</h1></header>
<main aria-label="Slides">
{slides}
</main>
<footer><nav aria-label="Slides">
<a href="{chapter}">In the book</a> <a href="index.html">All decks</a>
</nav></footer>
</body>
</html>
"""
_SLIDE = """<section class="slide {kind}" id="slide-{number}"
 aria-labelledby="number-{number} heading-{number}">
<div class="stage">
<p class="place"><a href="#{place}">{above}</a></p>
<h2 id="heading-{number}">{headline}</h2>
<div class="region"><div class="fit bd-article">{shown}</div></div>
<p class="number" id="number-{number}" aria-hidden="true">{number}</p>
</div>
<aside class="notes bd-article" aria-label="Notes to slide {number}">
{notes}</aside>
</section>"""
_MODE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_HEAD = re.compile(
    r"<link rel=\"stylesheet\"[^>]*>|<script>document\.fonts.*?</script>"
    r"|<script defer src=\"(?![^\"]*(?:site|design-tabs)\.js)[^>]*></script>"
)
_LINK = re.compile(r"(<a\b[^>]*?\shref=\")([^\"]*)\"")


def deck(page: str, name: str, static: dict[str, str]) -> str | None:
    """Return the deck of a finished page, or None where it has none.

    ``name`` is the page's path within the site; ``static`` says under which
    names the deck's own style and script stand.
    """
    text = article(page)
    if text is None:
        return None
    slides = cut(text)
    up = "../"
    chapter = up + name
    folder = up + name.rpartition("/")[0]
    head = [*_HEAD.findall(page)]
    head += [
        f'<link rel="stylesheet" href="{up}_static/{static["slides.css"]}"/>',
        f'<script defer src="{up}_static/{static["slides.js"]}"></script>',
    ]
    title = words(slides[0].headline)
    body = "\n".join(
        _SLIDE.format(
            number=number,
            kind=slide.kind,
            place=slide.place,
            above=slide.above,
            headline=slide.headline,
            shown="\n".join(slide.shown),
            notes="\n".join(slide.notes),
        )
        for number, slide in enumerate(slides, start=1)
    )
    body = _LINK.sub(lambda m: f'{m[1]}{moved(m[2], folder, name)}"', body)
    return _PAGE.format(
        title=escape(title),
        mode=_MODE.search(page)[1],
        head="\n".join(filter(None, head)),
        slides=body,
        chapter=escape(chapter),
    )


def moved(address: str, folder: str, name: str) -> str:
    """Return a link of a page as it reads from the folder of decks."""
    if re.match(r"[a-z]+:|//", address):
        return address
    if address.startswith("#"):
        return f"../{name}{address}"
    return f"{folder}/{address}"


# ---- The folder of decks ----

_INDEX = """<!DOCTYPE html>
<html lang="en" data-theme="light" data-loaded data-content_root="../">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>Slides</title>
<script>{mode}</script>
{head}
</head>
<body class="cnn-deck cnn-decks">
<main class="bd-article">
<h1>Slides</h1>
<p>A deck for each chapter, cut out of its page: what the page shows stands on
the slides, what it says in the notes. The widgets are alive. In a deck press
<kbd>?</kbd> for its keys, <kbd>S</kbd> for the speaker’s window.</p>
<ol>
{decks}
</ol>
<p><a href="../index.html">The book</a></p>
</main>
</body>
</html>
"""


def write(
    out: Path, pages: dict[Path, str], order: list[str]
) -> dict[Path, str]:
    """Write the decks of these pages and the list of all; return them.

    ``order`` names the site's pages as they are read.
    """
    folder = out / FOLDER
    static = {
        name: f"{name}?v={digest((out / '_static' / name).read_text('utf-8'))}"
        for name in ("slides.css", "slides.js")
        if (out / "_static" / name).is_file()
    }
    written = {}
    for path, page in pages.items():
        name = path.relative_to(out).as_posix()
        target = folder / path.name
        if found := deck(page, name, static):
            written[target] = found
        elif name in order and target.name != "index.html":
            target.unlink(missing_ok=True)
    names = [Path(name).name for name in order]
    decks = {path.name: path.read_text("utf-8") for path in folder.glob("*")}
    decks |= {path.name: text for path, text in written.items()}
    decks.pop("index.html", None)
    if not decks:
        return {}
    written[folder / "index.html"] = index(
        {name: decks[name] for name in sorted(decks, key=names.index)}
    )
    folder.mkdir(exist_ok=True)
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return written


def index(decks: dict[str, str]) -> str:
    """Return the page that lists the decks."""
    items, head = [], []
    for name, text in decks.items():
        title = re.search(r"<title>(.*?): slides</title>", text)[1]
        count = text.count('<section class="slide ')
        items.append(f'<li><a href="{name}">{title}</a>, {count} slides</li>')
        head = _HEAD.findall(text)
    sheets = [tag for tag in head if re.search(r"(?:site|slides)\.css", tag)]
    return _INDEX.format(
        mode=_MODE.search(text)[1],
        head="\n".join(sheets),
        decks="\n".join(items),
    )
