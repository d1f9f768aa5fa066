"""The questions: each answer a second way, no two slips alike, read alike."""

from __future__ import annotations

import csv
import html
import io
import json
import random
import re
import string
from dataclasses import asdict
from xml.etree import ElementTree

import nbformat
import pytest
from conftest import ROOT
from py_mini_racer import MiniRacer

from cnnbook import quiz
from cnnbook.claims import figure
from cnnbook.quiz import arithmetic, papers, reading
from cnnbook.quiz.__main__ import main as command
from cnnbook.widgets import Question, Review
from cnnbook.widgets.question import covered, packed
from website.extensions.scripts import module_of

BASE = (ROOT / "cnnbook" / "widgets" / "base.mjs").read_text("utf-8")
ENTRIES = {entry["id"]: entry for entry in quiz.bank()["questions"]}
NAMES = [*ENTRIES]
KINDS = [*quiz.templates()]


def whole(digits: str) -> float:
    """A number out of JavaScript, which has no whole ones beyond 2^53."""
    return int(digits) if len(digits) < 16 else float(digits)


@pytest.fixture(scope="module")
def script():
    """Call a function of the page's script with plain data."""
    context = MiniRacer()
    core = module_of("review").split("// The review deck:")[0]
    context.eval(BASE + core)
    context.eval(
        """
        function called(name, given) {
          try { return JSON.stringify({ gives: eval(name)(...given) }); }
          catch (error) {
            if (!(error instanceof QzUnreadable)) throw error;
            return JSON.stringify({ says: error.message });
          }
        }
        """
    )

    def call(name: str, *given):
        said = context.call("called", name, list(given))
        return json.loads(said, parse_int=whole)

    return call


# ---- Every question is right ----


def faults(entry: dict) -> list[str]:
    """Say what of a question does not hold, computed a second way."""
    kind = quiz.kind_of(entry)
    names = quiz.names_of(entry)
    for name, expression in kind.get("let", {}).items():
        tree = arithmetic.parse(str(expression))[0]
        names[name] = arithmetic.value(tree, names)
    right = quiz.computed(kind["answer"], names)
    ways = [kind["check"]] if "check" in kind else []
    if "layer" in entry:
        net, layer = entry["layer"]
        names |= {"net": net, "layer": layer}
        ways += [kind["live"]] if "live" in kind else []
    ways += [f"claim({row!r})" for row in entry.get("claims", ())]
    found = [] if ways else ["nothing checks it"]
    for way in ways:
        whole = {
            name: int(n) if isinstance(n, float) and n == int(n) else n
            for name, n in names.items()
        }
        given = tuple(map(float, figure.numbers(quiz.evaluate(way, whole))))
        if given != pytest.approx(right, rel=1e-9):
            found.append(f"{way} gives {given}, not {right}")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_computed_a_second_way(name: str) -> None:
    assert faults(ENTRIES[name]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_fresh_numbers_are_right_too(kind: str) -> None:
    chance = random.Random(kind)
    template = quiz.templates()[kind]
    for _ in range(30):
        given = {k: chance.choice(v) for k, v in template["draw"].items()}
        if quiz.attempt(template, given) is None:
            continue
        values = {name: str(number) for name, number in given.items()}
        assert faults({"template": kind, "values": values}) == []


def unsound(question: quiz.Question) -> list[str]:
    """Say which known slips of a question could be taken for another."""
    answers = [question.right, *(wrong for wrong, _, _ in question.slips)]
    found = [
        f"{one} and {other}"
        for place, one in enumerate(answers)
        for other in answers[:place]
        if not reading.apart(one, other, question.digits)
    ]
    if len(answers) < 3:
        found.append("fewer than two slips")
    kinds = {kind for _, kind, _ in question.slips} - {*quiz.bank()["kinds"]}
    found += [f"an unknown kind: {kind}" for kind in kinds]
    for _, _, words in question.slips:
        if not re.fullmatch(r"[A-Z“0-9].*[.!?]", words) or "{" in words:
            found.append(f"no sentence: {words}")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_slip_is_taken_for_another(name: str) -> None:
    assert unsound(quiz.ask(name)) == []


def test_fresh_slips_are_not_taken_for_another_either() -> None:
    for kind in KINDS:
        for seed in range(25):
            assert unsound(quiz.draw(kind, random.Random(seed))) == []


def test_what_is_wrong_with_a_question_is_told() -> None:
    entry = {"template": "conv-parameters", "values": {"c": 2, "k": 4, "f": 3}}
    assert faults(entry) == []
    wrong = {**entry, "answer": "f * f * c * k"}
    assert faults(wrong) == [
        "conv_parameters(c, k, f) gives (76.0,), not (72.0,)"
    ]
    assert faults({"values": {"c": 2}, "answer": "c"}) == ["nothing checks it"]
    sound = quiz.ask(NAMES[0])
    slip = (sound.right, "nonsense", "not one")
    broken = quiz.Question(**{**asdict(sound), "slips": (slip,)})
    assert len(unsound(broken)) == 4


def test_there_are_questions_for_every_chapter() -> None:
    assert len(NAMES) == len(set(NAMES)) >= LEAST
    assert set(quiz.CHAPTERS) >= {e["chapter"] for e in ENTRIES.values()}
    for chapter in quiz.CHAPTERS:
        assert len(quiz.ids(chapter)) >= EACH, chapter


LEAST, EACH = 60, 6


def headings(chapter: str) -> set[str]:
    """The headings of a chapter."""
    path = ROOT / "chapters" / f"{chapter}.ipynb"
    cells = nbformat.read(path, 4).cells
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    return set(re.findall(r"^#{1,3} (.+)$", text, re.M))


def test_every_section_is_a_heading() -> None:
    known = {chapter: headings(chapter) for chapter in quiz.CHAPTERS}
    places = [*ENTRIES.values(), *quiz.templates().values()]
    assert [
        place["section"]
        for place in places
        if place["section"] not in known[place["chapter"]]
    ] == []
    for chapter, title in quiz.CHAPTERS.items():
        assert any(h.startswith(title) for h in known[chapter]), title


def test_no_field_is_unknown() -> None:
    head = (ROOT / "cnnbook/quiz/questions.yml").read_text("utf-8")
    head = head[: head.index("kinds:\n")]
    fields = {"id", "text", "unit", "template", "claims"}
    for line in re.findall(r"^#   (\S+(?: \w+)*?)(?:  .*)?$", head, re.M):
        fields |= set(line.split())
    for place in [*ENTRIES.values(), *quiz.templates().values()]:
        assert set(place) <= fields


def test_who_asks_for_what_is_not_there_hears_what_is() -> None:
    with pytest.raises(ValueError, match="try lenet-c1-parameters, "):
        quiz.ask("lenet-c1-paramters")
    with pytest.raises(ValueError, match="try conv-size, "):
        quiz.draw("conv-sizes", random.Random(1))


# ---- Reading what a person types ----


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("34944", 34944),
        ("34,944", 34944),
        ("34 944", 34944),
        ("34’944", 34944),
        ("34_944", 34944),
        ("35K", 35000),
        ("35 k", 35000),
        ("1.4M", 1.4e6),
        ("1,4 million", 1.4e6),
        ("about 61 million parameters", 61e6),
        ("2^10", 1024),
        ("2**10", 1024),
        ("2¹⁰", 1024),
        ("11*11*3*96+96", 34944),
        ("(11·11·3 + 1) × 96", 34944),
        ("11² × 3 × 96 + 96", 34944),
        ("55x55x96", 290400),
        ("55 by 55 by 96", 290400),
        ("−3", -3),
        ("2 - -3", 5),
        ("-2^2", -4),
        ("213/4 + 1", 54.25),
        ("3.6e9 MACs", 3.6e9),
        ("= 7", 7),
        ("74 %", 74),
    ],
)
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    assert quiz.read(text).values == (pytest.approx(value, rel=1e-12),)


@pytest.mark.parametrize(
    ("text", "value"),
    [("61", 61), ("61 MB", 61), ("58.1 MiB", 58.1 * 1.048576), ("61e6 B", 61)],
)
def test_bytes_in_any_unit(text: str, value: float) -> None:
    assert quiz.read(text, "number", "MB").values == pytest.approx((value,))


@pytest.mark.parametrize(
    "text",
    ["55x55x96", "55 × 55 × 96", "(55, 55, 96)", "55 55 96", "55*55*96"],
)
def test_shapes_as_people_write_them(text: str) -> None:
    assert quiz.read(text, "shape").values == (55, 55, 96)


def test_a_shape_may_have_its_maps_in_front() -> None:
    assert reading.near((96, 55, 54), (55, 54, 96), 0)
    assert not reading.near((54, 55, 96), (55, 54, 96), 0)


ATTACKS = [
    "",
    " ",
    "many",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "__import__('os')",
    "().__class__",
    "9^9^9^9",
    "1/0",
    "0^-1",
    "1e999",
    "9" * 99,
    "9" * 999,
    "(" * 99,
    "-" * 99,
    "2^2^2^2^2^2^2^2^2",
    "1)",
    "5 5",
    "K",
    "5 MB",
    "1,2,3,4",
    "NaN",
    "Infinity",
    "constructor",
    "toString",
    "5 toString",
    "５",
    "٣",
    "5\u202e6",
    "😀",
    "{k}",
    "`1`",
    "a*b",
    "max(1,2)",
]


@pytest.mark.parametrize("form", ["number", "shape"])
def test_what_cannot_be_read_gets_a_sentence(form: str) -> None:
    for text in ATTACKS:
        with pytest.raises(quiz.Unreadable, match=r"^[A-Z“].*\.$"):
            found = quiz.read(text, form, "parameters")
            # As a shape, some of these are fine.
            if form == "shape" and found.values:
                raise quiz.Unreadable("It is a shape.")


def test_what_is_said_of_an_answer() -> None:
    asked = quiz.ask("lenet-c3-modern")
    assert asked.judge("2416").right
    assert asked.judge("2,416 parameters").right
    assert asked.judge("2400").kind == "bias"
    assert asked.judge("1516").kind == "other"
    assert asked.judge("2.42K").again
    assert asked.judge("2416K").kind == "size"
    assert asked.judge("7").words == reading.OTHER
    memory = quiz.draw("map-memory", random.Random(2))
    assert memory.judge(f"{memory.right[0]:.4g}").right
    assert memory.judge(f"{memory.right[0] / 1.048576:.3f}").kind == "unit"
    assert memory.judge(f"{memory.right[0] / 1.048576:.3f} MiB").right


# ---- The page's script says the same ----


def typed(chance: random.Random) -> str:
    """A text that somebody might type, or nobody."""
    kind = chance.random()
    if kind < 0.15:
        signs = "0123456789 .,x*×+-−/^()KMGi%e²~=<>a’_"
        return "".join(chance.choices(signs, k=chance.randint(0, 14)))
    if kind < 0.2:
        return "".join(
            chance.choices(string.printable, k=chance.randint(1, 9))
        )
    number = chance.choice(
        [
            str(chance.randint(0, 300)),
            f"{chance.randint(0, 10**9):,}",
            f"{chance.randint(0, 10**7):,}".replace(",", " "),
            f"{chance.uniform(0, 999):.{chance.randint(0, 4)}f}",
            f"{chance.randint(0, 99)},{chance.randint(0, 9999)}",
            f"{chance.uniform(0, 9):.2e}",
        ]
    )
    tail = chance.choice(
        ["", "", "", "K", " million", "M", "%", " MB", "MiB", " parameters"]
    )
    if kind < 0.6:
        return chance.choice(["", "", "~", "about ", "-"]) + number + tail
    signs = ["*", " * ", "x", " × ", "+", " - ", "/", "^", "**", ", "]
    parts = [number]
    for _ in range(chance.randint(1, 4)):
        small = str(chance.randint(0, 12))
        part = f"({small}+1)" if chance.random() < 0.2 else small
        parts += [chance.choice(signs), part]
    return "".join(parts) + tail


def outcome(function, *given) -> dict:
    """What a function gives, or the sentence that it says."""
    try:
        return {"gives": function(*given)}
    except quiz.Unreadable as error:
        return {"says": str(error)}


def test_the_script_reads_as_python_does(script) -> None:
    chance = random.Random("read")
    texts = [typed(chance) for _ in range(2500)] + ATTACKS
    read = 0
    for text in texts:
        form = chance.choice(["number", "number", "shape"])
        unit = chance.choice(["parameters", "MB"])
        ours = outcome(quiz.read, text, form, unit)
        if "gives" in ours:
            read += 1
            found = ours["gives"]
            ours = {"gives": {"values": [*found.values], "step": found.step}}
        assert script("qzRead", text, form, unit) == ours, text
    assert read > 1200


def test_the_script_computes_as_python_does(script) -> None:
    chance = random.Random("compute")
    for _ in range(1500):
        number = chance.choice(
            [
                float(chance.randint(-50, 10**9)),
                chance.uniform(-2000, 2000),
                chance.randint(0, 10**6) / 16,
                chance.random() / 50,
            ]
        )
        assert script("qzNumber", number)["gives"] == arithmetic.number(number)
        digits = chance.choice([0, 2, 3])
        ours = pytest.approx(reading.window(number, digits), rel=1e-14)
        assert script("qzWindow", number, digits)["gives"] == ours


def test_the_script_judges_as_python_does(script) -> None:
    chance = random.Random("judge")
    for name in NAMES:
        asked = quiz.ask(name)
        wanted = [asked.right, *(wrong for wrong, _, _ in asked.slips)]
        for answer in wanted:
            scale = chance.choice([1, 1, 1, 1e-3, 1e6, 1.004])
            given = reading.Reading(
                tuple(n * scale for n in answer), chance.choice([0.0, 1e3])
            )
            ours = asdict(reading.judge(asdict(asked), given))
            data = {"right": asked.right, "slips": asked.slips}
            data["digits"] = asked.digits
            sent = json.loads(json.dumps([data, asdict(given)]))
            assert script("qzJudge", *sent)["gives"] == ours


def test_the_script_makes_the_same_questions(script) -> None:
    chance = random.Random("compose")
    made = 0
    for packed_kind, name in zip(Review().templates, KINDS, strict=True):
        template = quiz.templates()[name]
        for _ in range(40):
            given = {k: chance.choice(v) for k, v in template["draw"].items()}
            ours = quiz.attempt(template, given)
            theirs = script("rvCompose", packed_kind, given)["gives"]
            if ours is None:
                assert theirs is None
                continue
            made += 1
            question = quiz.Question(id="", chapter="", section="", **ours)
            ours |= {"plain": question.plain, "answer": question.answer}
            assert theirs == json.loads(json.dumps(ours))
    assert made > 400


def test_every_kind_of_question_is_drawn(script) -> None:
    for kind in Review().templates:
        assert script("rvDraw", kind)["gives"]["right"]


# ---- What the page carries ----


@pytest.mark.parametrize("name", NAMES[::7])
def test_an_answer_does_not_lie_open(script, name: str) -> None:
    asked = quiz.ask(name)
    state = json.dumps(Question(name).state(), ensure_ascii=False)
    for _, _, words in asked.slips:
        assert words not in state
    assert asked.line not in state
    assert asked.section not in state
    hidden = packed(asked)["hidden"]
    found = script("qzUncovered", hidden)["gives"]
    assert found["right"] == list(asked.right)
    assert found["line"] == asked.line
    assert covered(found) == hidden


def test_without_a_script_the_answer_is_folded() -> None:
    for name in NAMES:
        text = Question(name).to_html()
        outside = re.sub(r"<details>.*</details>", "", text)
        outside = re.sub(r" data-state='[^']*'", "", outside)
        asked = quiz.ask(name)
        assert "<details><summary>Reveal</summary>" in text
        if asked.form != "choice":
            assert not re.search(rf"\b{asked.plain}\b", outside) or (
                asked.plain in asked.text
            )


# ---- The deck: Leitner's boxes, by a clock that is given ----


def test_a_question_climbs_and_falls(script) -> None:
    days = [1, 3, 7, 16, 35, 90]
    card, today = None, 100
    boxes, waits = [], []
    for _ in range(7):
        given = [card] if card else [None]
        card = script("qzSchedule", *given, True, today)["gives"]
        boxes.append(card["box"])
        waits.append(card["due"] - today)
        today = card["due"]
    assert boxes == [1, 2, 3, 4, 5, 5, 5]
    assert waits == [days[box] for box in boxes]
    card = script("qzSchedule", card, False, today)["gives"]
    assert (card["box"], card["due"], card["right"]) == (0, today + 1, False)
    assert card["seen"] == 8


def test_an_early_answer_does_not_climb(script) -> None:
    card = script("qzSchedule", None, True, 100)["gives"]
    early = script("qzSchedule", card, True, 101)["gives"]
    assert (early["box"], early["due"], early["last"]) == (1, 103, 101)
    fallen = script("qzSchedule", early, False, 102)["gives"]
    assert (fallen["box"], fallen["due"]) == (0, 103)


DAMAGED = [
    "",
    "null",
    "[]",
    "{}",
    "<script>alert(1)</script>",
    '{"version": 1, "cards": [], "slips": {}}',
    '{"version": 2, "cards": {}, "slips": {}}',
    '{"version": 1, "cards": {"a": 5}, "slips": {}}',
    '{"version": 1, "cards": {"<b>": {"box": 1, "due": 1, "seen": 1, '
    '"last": 1, "right": true}}, "slips": {}}',
    '{"version": 1, "cards": {"a": {"box": 9, "due": 1, "seen": 1, '
    '"last": 1, "right": true}}, "slips": {}}',
    '{"version": 1, "cards": {"a": {"box": 1, "due": 1e99, "seen": 1, '
    '"last": 1, "right": true}}, "slips": {}}',
    '{"version": 1, "cards": {"__proto__": {"box": 1}}, "slips": {}}',
    '{"version": 1, "cards": {}, "slips": {"bias": "<img src=x>"}}',
    '{"version": 1, "cards": {}, "slips": {"bias": -1}}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_deck_gets_a_sentence(script, text: str) -> None:
    said = script("qzDeck", text).get("says", "")
    assert re.fullmatch(r"This (is no review deck|deck is of).*\.", said)


def test_two_decks_become_one(script) -> None:
    card = {"box": 1, "due": 9, "seen": 1, "right": True, "last": 5}
    later = {**card, "last": 6, "right": False}
    one = {
        "version": 1,
        "cards": {"a": card, "b": later},
        "slips": {"bias": 2},
    }
    two = {"version": 1, "cards": {"a": later, "b": card}, "slips": {"mac": 1}}
    merged = script("qzMerged", one, two)["gives"]
    assert merged["cards"] == {"a": later, "b": later}
    assert merged["slips"] == {"bias": 2, "mac": 1}
    again = script("qzDeck", json.dumps(merged))["gives"]
    assert again == merged


# ---- For a class ----

SECRET = b"a secret"
CLASS = ["s01", "Zoë Ångström", "=cmd|' /C calc'!A0", "<img src=x>"]


@pytest.fixture(scope="module")
def made() -> list[papers.Sheet]:
    """Ten questions for each student of a class."""
    return papers.sheets(SECRET, CLASS, papers.kinds(SECRET, 10))


def test_a_secret_always_makes_the_same(made) -> None:
    again = papers.sheets(SECRET, CLASS[:1], papers.kinds(SECRET, 10))
    assert again == made[:1]
    assert len({sheet.questions for sheet in made}) == len(CLASS)
    other = papers.sheets(b"another", CLASS[:1], papers.kinds(SECRET, 10))
    assert other != again
    assert {q.id for q in made[0].questions} == {
        q.id for q in made[1].questions
    }


def test_every_sheet_is_sound(made) -> None:
    for sheet in made:
        for question in sheet.questions:
            assert unsound(question) == []


def test_a_sheet_shows_questions_and_no_answer(made) -> None:
    text = papers.page(made[3])
    assert "&lt;img src=x&gt;" in text
    assert "<img" not in text
    for question in made[3].questions:
        assert html.escape(question.text) in text
        assert html.escape(question.line) not in text


def test_the_keys_are_right_and_no_formula(made) -> None:
    rows = [*csv.DictReader(io.StringIO(papers.keys(made)))]
    assert len(rows) == 10 * len(CLASS)
    questions = [q for sheet in made for q in sheet.questions]
    for row, question in zip(rows, questions, strict=True):
        form = "shape" if "x" in row["answer"] else "number"
        assert question.form == form
        assert question.judge(row["answer"]).right
        assert not row["student"].startswith(papers.FORMULA)


def test_the_bank_is_what_moodle_imports(made) -> None:
    root = ElementTree.fromstring(papers.moodle(made))
    assert root.tag == "quiz"
    types = [node.get("type") for node in root]
    assert types.count("category") == 10
    assert set(types) <= {"category", "numerical", "shortanswer"}
    asked = [node for node in root if node.get("type") != "category"]
    assert len(asked) == 10 * len(CLASS)
    names = [node.findtext("name/text") for node in asked]
    assert len(set(names)) == len(names)
    for node in asked:
        assert node.findtext("questiontext/text").startswith("<p>")
        answers = node.findall("answer")
        right = [a for a in answers if a.get("fraction") == "100"]
        wrong = [a for a in answers if a.get("fraction") == "0"]
        assert len(right) + len(wrong) == len(answers) >= 3
        assert all(len(a.findtext("feedback/text")) > 12 for a in wrong)
        if node.get("type") == "shortanswer":
            assert not any("*" in a.findtext("text") for a in answers)
            continue
        (one,) = right
        value = float(one.findtext("text"))
        off = float(one.findtext("tolerance"))
        for answer in wrong:
            away = abs(float(answer.findtext("text")) - value)
            assert away > off + float(answer.findtext("tolerance"))
    ours = [s.questions[0] for s in made]
    for node, question in zip(asked, ours, strict=False):
        assert question.judge(node.findtext("answer/text")).right


def test_shapes_are_short_answers() -> None:
    shape = quiz.draw("conv-shape", random.Random(4))
    text = papers.moodle([papers.Sheet("s01", (shape,))])
    root = ElementTree.fromstring(text)
    node = root.find("question[@type='shortanswer']")
    given = [a.findtext("text") for a in node if a.get("fraction") == "100"]
    assert len(given) == 5
    assert all(shape.judge(one).right for one in given)


@pytest.mark.parametrize(
    ("roster", "says"),
    [
        ("name\nada\n", "needs a column `student`"),
        ("student\n", "needs a column `student`"),
        ("student,id\n,5\n", "a line without a student"),
        ("student\na/b\na_b\n", "two students whose sheets"),
        ("student\nA\na\n", "two students whose sheets"),
    ],
)
def test_a_roster_with_a_fault_is_told(roster: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        papers.students_of(roster)


def test_a_sheet_stays_in_its_folder() -> None:
    names = ["../../etc/passwd", "a\\b", "", "...", "C:\\x", "s01", "Å b"]
    for name in names:
        assert re.fullmatch(r"\w[\w-]*[\w.-]*\.html", papers.file_of(name))


def test_the_command(tmp_path, capsys) -> None:
    (tmp_path / "roster.csv").write_text("student,id\ns01,1\ns02,2\n")
    given = [
        *("--roster", str(tmp_path / "roster.csv")),
        *("--secret-file", str(tmp_path / "secret")),
        *("--questions", "3", "--chapters", "alexnet", "resnet"),
    ]
    assert command([*given, "--out", str(tmp_path / "one")]) == 0
    assert "3 questions for 2 students" in capsys.readouterr().out
    assert command([*given, "--out", str(tmp_path / "two")]) == 0
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    for path in (tmp_path / "one").rglob("*.*"):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()
    for more, says in [
        (["--questions", "999"], "999 questions cannot be asked"),
        (["--chapters", "lenot"], "There is no chapter 'lenot'"),
        (["--chapters", "lenet"], "asked with fresh numbers"),
        (["--roster", str(tmp_path / "none")], "A file cannot be read"),
    ]:
        assert command([*given, *more, "--out", str(tmp_path / "no")]) == 1
        assert says in capsys.readouterr().err
