"""From a text to layers and forks: the words of the notation.

Its twin in JavaScript is ``cnnbook/widgets/workshop/core.mjs``, function by
function.  Columns are counted in UTF-16 units, as a page's text field does.
Nothing here raises for a text: what cannot be read becomes a problem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

LIMITS = {
    "text": 10_000,
    "lines": 500,
    "rows": 1000,
    "steps": 10_000,
    "number": 1_000_000,
    "nesting": 16,
    "branches": 64,
    "problems": 100,
    "address": 30_000,
}
MOST = 2**53 - 1
"""Beyond, a page's numbers are not exact."""

OPS = {
    "conv": "conv convolution conv2d convolutional convolve",
    "pool": "pool pooling maxpool max-pool maxpooling avgpool avg-pool",
    "norm": "norm lrn normalization normalisation normalização",
    "bn": "bn batchnorm batch-norm batchnorm2d",
    "dense": "dense fc linear fully-connected",
    "dropout": "dropout drop",
    "softmax": "softmax soft-max",
    "flatten": "flatten",
    "relu": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "input": "input entrada",
    "global": "global gap",
}
KEYS = {
    "stride": "s stride strides passo",
    "padding": "p pad padding",
    "groups": "g group groups",
    "dilation": "d dilation dilated",
}
FLAGS = (
    "same identity valid max avg average mean ceil floor dw depthwise bias no "
    "without nobias norelu rgb grey gray batch fully connected local response"
)
FILLERS = (
    "filters filter filtros filtro kernel kernels maps map channels channel "
    "units unit neurons neuron neurônios neuronios outputs output at with "
    "by of and the a an to in on for com de e layer layers camada size image "
    "images way scores class classes window windows pixels px each"
)
CLAIMS = {"memory": "memory", "params": "params", "parameters": "params"}
SUFFIXES = {"bn", "norm", "relu", "tanh", "sigmoid", "dropout", "softmax"}

WORDS: dict[str, tuple[str, str]] = {
    **{
        word: ("op", op) for op, words in OPS.items() for word in words.split()
    },
    **{
        word: ("key", k) for k, words in KEYS.items() for word in words.split()
    },
    **{word: ("flag", word) for word in FLAGS.split()},
    **{word: ("filler", "") for word in FILLERS.split()},
    **{word: ("claim", "") for word in CLAIMS},
    "total": ("total", ""),
}

CAPITALS = {ord(c): ord(c) + 32 for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def low(text: str) -> str:
    """ASCII letters made small; all others stay."""
    return text.translate(CAPITALS)


def clip(text: str) -> str:
    """A word as it may stand in a sentence: not too long."""
    return f"{text[:24]}…" if len(text) > 24 else text


@lru_cache(1000)
def nearest(word: str) -> str:
    """The known word that is nearest, or an empty one."""
    best, least = "", 2 if len(word) < 4 else 3
    if len(word) > 24:
        return best
    for known, (kind, _) in WORDS.items():
        if len(known) < (5 if kind == "filler" else 2):
            continue
        if abs(len(known) - len(word)) >= least:
            continue
        far = distance(word, known)
        if far < least:
            best, least = known, far
    return best


def distance(one: str, other: str) -> int:
    """How many letters must be put in, taken out or exchanged."""
    above = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, known in enumerate(other, start=1):
            change = above[j - 1] + (letter != known)
            row.append(min(change, above[j] + 1, row[j - 1] + 1))
        above = row
    return above[-1]


# From text to tokens


@dataclass(frozen=True)
class Place:
    """Where something stands: line from 1, column from 0."""

    line: int
    column: int
    length: int


@dataclass(frozen=True)
class Token:
    """A word, a number, a size or a mark, and its place."""

    kind: str
    text: str
    place: Place

    @property
    def low(self) -> str:
        """The text in small letters."""
        return low(self.text)

    def is_mark(self, marks: str) -> bool:
        """Whether it is one of these marks."""
        return self.kind == "mark" and self.text in marks.split(" ")


LETTER = "A-Za-z0-9_\u00c0-\u024f"
TOKEN = re.compile(
    "(#.*)"
    r"|([0-9]+(?:(?: (?:[xX*]|\\times) |[xX*]|\\\*)[0-9]+)+"
    rf"(?![{LETTER}]))"
    r"|((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:\.[0-9]+)?)"
    rf"(?:-d)?(?![{LETTER}]))"
    rf"|([{LETTER}](?:[-./]?[{LETTER}])*)"
    r"|(->|[{}|;:()+=\[\]→])"
    r"|/ ?([0-9]+)"
    r"|((?:[ \t\r\f\v\u00a0,.!$*\\~\"'“”‘’]|/(?! ?[0-9]))+)"
    r"|(.)",
    re.DOTALL,
)
KINDS = ["", "#", "size", "number", "word", "mark", "/", " ", "?"]


@dataclass(frozen=True)
class Problem:
    """What is wrong in a place, in one sentence, and what may stand there.

    An "error" is what no network can be built from; a "note" tells of a
    printed shape or count that the network does not keep.
    """

    kind: str
    line: int
    column: int
    length: int
    says: str
    fits: str


class Reader:
    """A text's lines and tokens, its input, and the problems in it."""

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self.seen: set[tuple[int, int, str]] = set()
        self.lines: list[str] = []
        self.tokens: list[Token] = []
        self.input: Input | None = None
        self.claims: list[CountClaim] = []  # of totals
        self.stopped = False
        if len(text) <= LIMITS["text"]:
            text = re.sub("[\U00010000-\U0010ffff]", "\ufffd\ufffd", text)
            text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        if len(text) > LIMITS["text"]:
            self.problem(
                Place(1, 0, 0),
                f"The text is longer than {LIMITS['text']:,} characters, and "
                "no network here needs so many; try repeats, such as x8 { … "
                "}.",
            )
            return
        self.lines = text.replace("×", "x").split("\n")
        if len(self.lines) > LIMITS["lines"]:
            self.problem(
                Place(LIMITS["lines"] + 1, 0, 0),
                f"Lines end at number {LIMITS['lines']:,}; "
                "try repeats, such as x8 { … }.",
            )
            del self.lines[LIMITS["lines"] :]
        for number, line in enumerate(self.lines, start=1):
            self.cut(line, number)

    def problem(
        self, at: Place, says: str, fits: str = "", kind: str = "error"
    ) -> None:
        """Note a problem, the first of its kind in its place."""
        key = (at.line, at.column, kind)
        if key in self.seen or len(self.problems) >= LIMITS["problems"]:
            return
        self.seen.add(key)
        self.problems.append(
            Problem(kind, at.line, at.column, at.length, says, fits)
        )

    def note(self, at: Place, says: str, fits: str = "") -> None:
        """Note what is printed and not kept."""
        self.problem(at, says, fits, "note")

    def stop(self, at: Place, says: str) -> None:
        """Read no further."""
        if not self.stopped:
            self.problem(at, says)
        self.stopped = True

    def cut(self, line: str, number: int) -> None:
        """Cut a line into tokens."""
        column = 0
        while column < len(line):
            found = TOKEN.match(line, column)
            kind, text = KINDS[found.lastindex], found[found.lastindex]
            place = Place(number, column, found.end() - column)
            column = found.end()
            if kind == "?":
                shown = re.match("[!-~\u00a1-\u024f]", text)
                what = f'"{text}"' if shown else "it"
                self.problem(
                    place,
                    f"This character means nothing here: leave {what} out.",
                )
            elif kind not in " #":
                self.tokens.append(Token(kind, text, place))
        self.tokens.append(Token("mark", "\n", Place(number, len(line), 0)))

    def whole(self, text: str, at: Place) -> int | None:
        """A whole number, or None after a problem."""
        digits = re.sub("[,]|-d$", "", text)
        before, point, _ = digits.partition(".")
        if point:
            self.problem(
                at,
                f"{clip(text)} is not a whole number; try "
                f"{_capped(before):,}.",
                str(_capped(before)),
            )
            return None
        bare = re.sub("^0+(?=[0-9])", "", digits)
        if len(bare) > 7 or int(bare) > LIMITS["number"]:
            self.problem(
                at,
                f"Numbers here end at {LIMITS['number']:,}, "
                f"and {clip(text)} is larger; try a smaller one.",
            )
            return None
        return int(bare)

    def sizes(self, token: Token) -> list[int] | None:
        """The numbers of "3x224x224", or None."""
        numbers = re.findall("[0-9]+", token.text)
        if len(numbers) > 8:
            self.problem(
                token.place,
                "A size has two or three numbers, not "
                f"{len(numbers):,}; try 3x224x224.",
            )
            return None
        whole = [self.whole(text, token.place) for text in numbers]
        return None if None in whole else whole

    def text_at(self, at: Place) -> str:
        """What stands in a place."""
        return self.lines[at.line - 1][at.column : at.column + at.length]


def _capped(digits: str) -> int:
    """The number that digits write, cut at the limit."""
    return LIMITS["number"] if len(digits) > 7 else int(digits)


# What is read


@dataclass(frozen=True)
class Number:
    """A number and where it stands."""

    place: Place
    value: int


@dataclass(frozen=True)
class Size:
    """A size of several numbers and where it stands."""

    place: Place
    sizes: list[int]


@dataclass
class Suffix:
    """What stands behind a layer: batch norm, ReLU, dropout and the like."""

    op: str
    place: Place
    rate: str | None = None


@dataclass(frozen=True)
class CountClaim:
    """A printed number of parameters or values."""

    place: Place
    what: str
    value: int
    step: int
    end: int
    number: str
    product: int | None


@dataclass
class Input:
    """The shape that comes in."""

    place: Place
    shape: list[int]
    claims: list[CountClaim] = field(default_factory=list)


@dataclass
class Item:
    """A layer or a fork, as it is written."""

    op: str
    at: Place
    span: Place
    label: str = ""
    times: int = 1
    numbers: list[Number] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    keys: dict[str, list[int]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    flags: dict[str, Place] = field(default_factory=dict)
    suffixes: list[Suffix] = field(default_factory=list)
    claims: list[CountClaim] = field(default_factory=list)
    relu: bool | None = None
    bias: bool | None = None
    maps: int = 3
    mode: str | None = None
    rate: str | None = None
    hinted: bool = False
    broken: bool = False
    spare: Token | None = None
    shape_claim: Size | None = None
    block: list[Token] | None = None
    block_place: Place | None = None
    branches: list[list[Item]] | None = None
    join: str = ""
    close: Place | None = None
    residual: bool = False
    stride: list[int] = field(default_factory=lambda: [1, 1])


def span(first: Place, last: Place) -> Place:
    """From one place to another, as far as both stand in one line."""
    length = first.length
    if first.line == last.line:
        length = last.column + last.length - first.column
    return Place(first.line, first.column, length)


def blank(op: str, at: Place) -> Item:
    """An item of which only the place is known."""
    return Item(op, at, at)


# From tokens to items


class Walk:
    """How far the tokens are read."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.i = tokens, 0
        self.no = self.batch = False
        self.ops: list[str] = []
        self.lacks: set[str] = set()

    def peek(self, ahead: int = 0) -> Token | None:
        """The token so far ahead, if there is one."""
        i = self.i + ahead
        return self.tokens[i] if i < len(self.tokens) else None


ENDS = "\n ; → ->"


def read_items(reader: Reader, walk: Walk, depth: int) -> list[list[Item]]:
    """All items up to the end or the closing brace: a list of branches."""
    branches: list[list[Item]] = [[]]
    while (token := walk.peek()) and not reader.stopped:
        if token.is_mark(ENDS):
            walk.i += 1
        elif token.is_mark("|"):
            walk.i += 1
            if depth == 0:
                reader.problem(
                    token.place,
                    "A | parts branches, and here is no { before it; "
                    "try { 64 1x1 | 64 3x3 p1 }.",
                )
            elif len(branches) == LIMITS["branches"]:
                reader.stop(
                    token.place,
                    f"A fork has at most {LIMITS['branches']} branches; "
                    "try groups, such as g32.",
                )
            else:
                branches.append([])
        elif token.is_mark("}"):
            if depth > 0:
                break
            walk.i += 1
            reader.problem(
                token.place,
                "This } closes nothing; leave it out, or put a { before.",
            )
        else:
            _statement(reader, walk, depth, branches[-1])
    return branches


def _statement(
    reader: Reader, walk: Walk, depth: int, into: list[Item]
) -> None:
    """The tokens up to where a layer ends; a { ends it too."""
    found, brackets = [], 0
    while token := walk.peek():
        brackets += token.is_mark("[") - token.is_mark("]")
        if token.is_mark("\n {"):
            break
        if brackets <= 0 and token.is_mark("; | } → ->"):
            break
        found.append(token)
        walk.i += 1
    if token and token.is_mark("{"):
        _fork(reader, walk, depth, into, found)
    else:
        _layers(reader, found, into)


def _fork(
    reader: Reader,
    walk: Walk,
    depth: int,
    into: list[Item],
    before: list[Token],
) -> None:
    """`label: x3 +{ … | … } x3 no relu`."""
    open_ = walk.peek()
    walk.i += 1
    if depth == LIMITS["nesting"]:
        reader.stop(
            open_.place,
            f"Braces nest at most {LIMITS['nesting']} deep; "
            "try repeats, such as x8 { … }.",
        )
        return
    first = before[0] if before else open_
    fork = blank("fork", first.place)
    sums = bool(before) and before[-1].text == "+"
    rest = before[:-1] if sums else before
    if head := _label(rest, 0):
        fork.label, _, start = head
        rest = rest[start:]
    for token in rest:
        times = _times(reader, token)
        if times is None:
            reader.problem(
                token.place,
                f'"{clip(token.text)}" cannot stand before a {{; '
                "try a name with a colon, a repeat such as x3, or +.",
            )
        else:
            fork.times = times
    branches = read_items(reader, walk, depth + 1)
    close = walk.peek()
    fork.span = span(first.place, open_.place)
    if close and close.is_mark("}"):
        walk.i += 1
        fork.close = close.place
    elif not reader.stopped:
        reader.problem(
            open_.place, "This { is never closed; put a } after its layers."
        )
    fork.branches = branches
    fork.join = "add" if sums else "concat" if len(branches) > 1 else ""
    after = []
    while (token := walk.peek()) and not token.is_mark("\n ; | } { → ->"):
        after.append(token)
        walk.i += 1
    _words(reader, after, fork, is_fork=True)
    _only_suffixes(reader, fork)
    into.append(fork)


def _label(
    tokens: list[Token], start: int
) -> tuple[str, list[Token], int] | None:
    """A name before a colon, its words, and where the rest begins."""
    i = start
    while (
        i < len(tokens)
        and i < start + 4
        and tokens[i].kind in ("word", "number")
    ):
        i += 1
    if i == start or i >= len(tokens) or tokens[i].text != ":":
        return None
    words = tokens[start:i]
    if words[-1].low in CLAIMS:
        return None
    return clip(" ".join(token.text for token in words)), words, i + 1


def _times(reader: Reader, token: Token) -> int | None:
    """The N of "xN" or "Nx", or None."""
    found = token.kind == "word" and re.fullmatch(
        "x([0-9]+)|([0-9]+)x", token.low
    )
    if not found:
        return None
    times = reader.whole(found[1] or found[2], token.place)
    if times == 0:
        reader.problem(
            token.place, "A repeat happens at least once; try x2.", "x2"
        )
    return times or 1


def _layers(reader: Reader, tokens: list[Token], into: list[Item]) -> None:
    """The layers of a line, which may be several, as the notes print them.

    A name with a colon, or a second bracket, begins the next.
    """
    start, i = 0, 0
    named = shaped = False
    while i < len(tokens):
        token = tokens[i]
        colon = i + 1 < len(tokens) and tokens[i + 1].text == ":"
        if token.is_mark("["):
            total = any(t.low == "total" for t in tokens[start:i])
            if shaped and i > start and not total:
                _layer(reader, tokens[start:i], into)
                start, named = i, False
            shaped = True
            while i + 1 < len(tokens) and tokens[i].text != "]":
                i += 1
        elif token.kind == "word" and colon and token.low not in CLAIMS:
            if named:
                _layer(reader, tokens[start:i], into)
                start, shaped = i, False
            named = True
        i += 1
    _layer(reader, tokens[start:], into)


def _layer(reader: Reader, tokens: list[Token], into: list[Item]) -> None:
    if not tokens:
        return
    if any(token.low == "total" for token in tokens):
        _total_claims(reader, tokens)
        return
    item = read_layer(reader, tokens)
    if item is None:
        return
    if item.op == "input":
        _input(reader, item)
    else:
        into.append(item)


def _total_claims(reader: Reader, tokens: list[Token]) -> None:
    """`TOTAL params: 138M parameters`."""
    for word, colon in pairwise(tokens):
        if word.low in CLAIMS and colon.text == ":":
            if claim := _count_claim(reader, word, colon):
                reader.claims.append(claim)
            return
    reader.problem(
        span(tokens[0].place, tokens[-1].place),
        "A total is a printed claim; try TOTAL params: 138M.",
    )


TAIL = re.compile(
    r"[ ~]{0,9}(?:([0-9(][-0-9(),.xX*\\ ]{0,80})= {0,9})?[ ~]{0,9}"
    r"([0-9][0-9,]{0,24})(?:\.([0-9]{1,3}))? ?([KMGkmg]?)"
    r"(?![0-9A-Za-z.])"
)


def _count_claim(
    reader: Reader, word: Token, colon: Token
) -> CountClaim | None:
    """`params: (3*3*3)*64 = 1,728` or `memory: 224*224*64=3.2M`."""
    line = reader.lines[word.place.line - 1]
    found = TAIL.match(line, colon.place.column + 1)
    if not found:
        return None
    product, digits, decimals, unit = found.groups(default="")
    bare = digits.replace(",", "")
    if len(bare) > 12:
        return None
    scale = {"": 1, "k": 1000, "m": 10**6, "g": 10**9}[low(unit)]
    step, rest = divmod(scale, 10 ** len(decimals))
    if rest:
        return None
    value = int(bare + decimals) * step
    if value > MOST:
        return None
    column = word.place.column
    return CountClaim(
        Place(word.place.line, column, found.end() - column),
        CLAIMS[word.low],
        value,
        step,
        found.end(),
        digits + (f".{decimals}" if decimals else "") + unit.upper(),
        _product(product),
    )


def _product(text: str) -> int | None:
    """The product that is printed: "(3*3*3)*64" is 1728."""
    numbers = re.findall("[0-9]+", text)
    if not numbers or len(numbers) > 8:
        return None
    product = 1
    for number in numbers:
        product *= int(number[:16])
    return product if product <= MOST else None


# From the tokens of one layer to what it says


def read_layer(reader: Reader, tokens: list[Token]) -> Item | None:
    """The layer that these tokens write; None if they write none."""
    item = blank("", tokens[0].place)
    item.span = span(tokens[0].place, tokens[-1].place)
    walk = _words(reader, tokens, item)
    return _resolve(reader, item, walk)


def _words(
    reader: Reader, tokens: list[Token], item: Item, is_fork: bool = False
) -> Walk:
    """Read words into an item; for a fork, those behind its brace."""
    walk = Walk(tokens)
    while token := walk.peek():
        if token.kind == "mark":
            _mark(reader, walk, item, is_fork)
        elif token.kind == "number":
            _number(reader, walk, item)
        elif token.kind == "size":
            if (sizes := reader.sizes(token)) is not None:
                item.sizes.append(Size(token.place, sizes))
            else:
                item.broken = True
        elif token.kind == "/":
            _key(reader, item, "stride", token, token.text)
        else:
            _word(reader, walk, item, is_fork)
        walk.i += 1
    return walk


def _number(reader: Reader, walk: Walk, item: Item) -> None:
    token = walk.peek()
    last = item.suffixes[-1] if item.suffixes else None
    drops = walk.ops[-1:] == ["dropout"] or item.op == "dropout"
    if drops and (last is None or last.op == "dropout"):
        owner = last or item
        if owner.rate is None:
            owner.rate = _rate(reader, token)
            return
    value = reader.whole(token.text, token.place)
    if value is None:
        item.broken = True
    else:
        item.numbers.append(Number(token.place, value))


def _rate(reader: Reader, token: Token) -> str:
    """The share that dropout leaves out, as it is written: "0.5"."""
    if re.fullmatch(r"0|0\.[0-9]{1,6}", token.text):
        return token.text
    reader.problem(
        token.place,
        f"Dropout leaves out a share from 0 to 1, not {clip(token.text)}; "
        "try 0.5.",
        "0.5",
    )
    return "0.5"


def _closing(walk: Walk, mark: str) -> int | None:
    """Where the next such mark stands; looked for in vain but once."""
    if mark in walk.lacks:
        return None
    for i in range(walk.i + 1, len(walk.tokens)):
        if walk.tokens[i].text == mark:
            return i
    walk.lacks.add(mark)
    return None


def _mark(reader: Reader, walk: Walk, item: Item, is_fork: bool) -> None:
    token = walk.peek()
    if token.text == "(":
        # A remark, unless it is never closed, or says the input's size.
        bare = not (item.sizes or item.shape_claim)
        if item.op == "input" and bare:
            return
        end = _closing(walk, ")")
        walk.i = walk.i if end is None else end
    elif token.text == "[" and not is_fork:
        end = _closing(walk, "]")
        if end is None:
            reader.problem(
                token.place,
                "This [ is never closed; put a ] after the shape.",
            )
        else:
            _bracket(reader, walk.tokens[walk.i : end + 1], item)
            walk.i = end
    elif token.text not in (")", "=", ":"):
        reader.problem(
            token.place,
            "A + stands right before a {, as in +{ 64 3x3 p1 }."
            if token.text == "+"
            else f"This {token.text} means nothing here; leave it out.",
        )


def _bracket(reader: Reader, tokens: list[Token], item: Item) -> None:
    """`[55x55x96]` claims a shape; `[3x3, 64; 3x3, 64]` is a block."""
    inside = tokens[1:-1]
    numbers = [token for token in inside if token.kind == "number"]
    sizes = [token for token in inside if token.kind == "size"]
    at = span(tokens[0].place, tokens[-1].place)
    if any(t.text == ";" for t in inside) or (sizes and numbers):
        item.block, item.block_place = inside, at
        return
    only = (sizes or numbers or [None])[0]
    if len(inside) != 1 or only is None:
        reader.problem(
            at,
            "Square brackets hold a shape, as [55x55x96], "
            "or a block, as [3x3, 64; 3x3, 64].",
        )
        return
    if only.kind == "size":
        shape = reader.sizes(only)
    else:
        shape = [reader.whole(only.text, only.place)]
    if shape and None not in shape:
        item.shape_claim = Size(at, shape)


def _word(reader: Reader, walk: Walk, item: Item, is_fork: bool) -> None:
    token, after = walk.peek(), walk.peek(1)
    starts = not (is_fork or item.label or walk.ops or item.numbers)
    if starts and (label := _label(walk.tokens, walk.i)):
        item.label, words, end = label
        walk.i = end - 1
        for word in words:
            _label_word(item, word)
        return
    text = after.text if after else ""
    if token.low in CLAIMS and text == ":":
        _claim(reader, walk, item)
        return
    times = _times(reader, token)
    if times is not None:
        item.times = times
        return
    if token.low == "x" and after and after.kind == "number":
        apart = replace(token, text=f"x{after.text}")
        item.times = _times(reader, apart) or 1
        walk.i += 1
        return
    kind, what = WORDS.get(token.low, ("", ""))
    if text == "=" and re.fullmatch("[kfspd]", token.low):
        _equation(reader, walk, item)
    elif kind == "op":
        _op(reader, walk, item, what, token)
    elif kind == "key":
        ahead = 2 if text == "=" else 1
        value = walk.peek(ahead)
        if value and value.kind in ("number", "size"):
            _key(reader, item, what, token, value.text, value)
            walk.i += ahead
        elif what == "padding" and value and value.low == "same":
            item.flags["same"] = value.place
            walk.i += ahead
        else:
            letter = what[0]
            reader.problem(
                token.place,
                f"The word {token.low} needs a number; try {letter}2.",
                f"{letter}2",
            )
    elif kind == "flag":
        _flag(reader, walk, item, token)
    elif kind != "filler" and not _compound(reader, walk, item, token):
        _unknown(reader, walk, token)


def _unknown(reader: Reader, walk: Walk, token: Token) -> None:
    if len(reader.problems) >= LIMITS["problems"]:
        return
    near, after = nearest(token.low), walk.peek(1)
    # With a number behind it, such as strid 2, it may have been a key.
    if after and after.kind == "number" and near in WORDS:
        walk.i += WORDS[near][0] == "key"
    cure = f"try {near}." if near else "leave it out, or put a # before it."
    reader.problem(
        token.place,
        f'"{clip(token.text)}" is no word of the notation; {cure}',
        near,
    )


def _compound(reader: Reader, walk: Walk, item: Item, token: Token) -> bool:
    """Words of several parts: s4, p0x3, conv3-64, conv3x3, fc6, FC-4096."""
    if key := re.fullmatch("([spgd])([0-9]+(?:x[0-9]+)?)", token.low):
        _key(reader, item, WORDS[key[1]][1], token, key[2])
        return True
    vgg = re.fullmatch("conv([0-9]+)(?:x([0-9]+))?-([0-9]+)", token.low)
    bare = re.fullmatch("conv([0-9]+)x([0-9]+)", token.low)
    if vgg or bare:
        _op(reader, walk, item, "conv", token)
        one, other, *maps = (vgg or bare).groups()
        sides = [one, one if other is None else other]
        sizes = [reader.whole(side, token.place) for side in sides]
        if None not in sizes:
            item.sizes.append(Size(token.place, sizes))
        if maps:
            value = reader.whole(maps[0], token.place)
            if value is not None:
                item.numbers.append(Number(token.place, value))
            item.flags["same"] = token.place
        return True
    named = re.fullmatch("([a-z-]*[a-z])([-_]?)([0-9][0-9a-z._-]*)", token.low)
    kind, op = WORDS.get(named[1], ("", "")) if named else ("", "")
    if kind != "op":
        return False
    _op(reader, walk, item, op, token)
    if op == "pool":
        _pool_mode(item, named[1])
    if re.fullmatch("[0-9]+", named[3]):
        item.spare = Token("number", named[3], token.place)
    if not item.label and named[2] != "-":
        item.label = clip(token.text)
    return True


def _label_word(item: Item, word: Token) -> None:
    """What a name says: CONV1, MAX POOL1; CONV3-64 has 64 maps."""
    vgg = re.fullmatch("conv([0-9]{1,3})-([0-9]{1,6})", word.low)
    stem = re.match("[a-z-]*[a-z]", word.low)
    stem = stem[0] if stem else ""
    kind, what = WORDS.get(stem, ("", ""))
    if vgg:
        side = int(vgg[1])
        item.sizes.append(Size(word.place, [side, side]))
        item.numbers.append(Number(word.place, int(vgg[2])))
        item.flags["same"] = word.place
    if kind == "op" and what != "global":
        if not item.op:
            item.op, item.hinted = what, True
        if what == "pool":
            _pool_mode(item, stem)
    elif kind == "flag" and stem in ("max", "avg", "average", "mean"):
        item.mode = "max" if stem == "max" else "avg"
    if units := re.fullmatch("(?:fc|dense)-([0-9]{1,6})", word.low):
        item.numbers.append(Number(word.place, int(units[1])))


def _pool_mode(item: Item, word: str) -> None:
    if word.startswith(("max", "avg")):
        item.mode = word[:3]


def _op(reader: Reader, walk: Walk, item: Item, op: str, token: Token) -> None:
    """A word that names a layer, or what stands behind one."""
    what = "bn" if walk.batch and op == "norm" else op
    walk.batch = False
    if walk.no:
        walk.no = False
        if what == "relu":
            item.relu = False
        else:
            _nothing(reader, token)
        return
    if what == "global":
        if item.op in ("pool", "") or item.hinted:
            item.op = "global"
        if token.low == "gap":
            item.mode = item.mode or "avg"
        return
    if what == "pool" and item.op == "global":
        return
    if what == "pool":
        _pool_mode(item, token.low)
    if item.hinted and item.op == what:
        item.hinted = False
        return
    if what in SUFFIXES and (item.op or item.numbers or item.sizes):
        item.suffixes.append(Suffix(what, token.place))
        walk.ops.append(what)
    elif not item.op:
        item.op = what
        walk.ops.append(what)
    elif item.op != what or item.op == "fork":
        reader.problem(
            token.place,
            f"One layer a line: {clip(token.text)} begins another; "
            "put a ; before it.",
            f"; {token.text}",
        )


def _nothing(reader: Reader, token: Token) -> None:
    reader.problem(
        token.place,
        f'"no" goes with bias or relu, not with {clip(token.text)}; '
        "leave both out.",
    )


def _flag(reader: Reader, walk: Walk, item: Item, token: Token) -> None:
    word = token.low
    if word in ("no", "without"):
        walk.no = True
        return
    if word == "batch":
        walk.batch = True
        return
    if word in ("bias", "nobias"):
        item.flags["bias"] = token.place
        item.bias = word == "bias" and not walk.no
        walk.no = False
        return
    if walk.no:
        walk.no = False
        _nothing(reader, token)
        return
    if word == "norelu":
        item.relu = False
    elif word in ("max", "avg", "average", "mean"):
        item.mode = "max" if word == "max" else "avg"
    elif word in ("same", "identity"):
        item.flags["same"] = token.place
    elif word == "valid":
        item.keys["padding"] = [0, 0]
    elif word == "ceil":
        item.flags["ceil"] = token.place
    elif word in ("dw", "depthwise"):
        item.flags["dw"] = token.place
    elif word in ("rgb", "grey", "gray"):
        item.maps = 3 if word == "rgb" else 1
    elif word == "connected":
        _op(reader, walk, item, "dense", token)


def _equation(reader: Reader, walk: Walk, item: Item) -> None:
    """`K = 96`, `F = 11`, `S = 4`, `P = 0` of the lecture notes."""
    token, value = walk.peek(), walk.peek(2)
    walk.i += 1
    if value is None or value.kind not in ("number", "size"):
        return
    walk.i += 1
    if token.low == "k":
        number = reader.whole(value.text, value.place)
        if number is not None:
            item.numbers.append(Number(value.place, number))
    elif token.low == "f":
        sizes = _pair(reader, value.place, value.text)
        if sizes:
            item.sizes.append(Size(value.place, sizes))
    else:
        key = WORDS[token.low][1]
        _key(reader, item, key, token, value.text, value)


def _pair(reader: Reader, at: Place, text: str) -> list[int] | None:
    """One number twice, or the two that were given; None after a problem."""
    parts = re.findall("[0-9.,]+", text)
    pair = [reader.whole(part, at) for part in parts]
    if None in pair:
        return None
    if len(pair) > 2:
        reader.problem(
            at,
            f"One number or two, height and width, not {clip(text)}; "
            f"try {pair[0]}x{pair[1]}.",
        )
        return None
    return pair if len(pair) == 2 else pair * 2


def _key(
    reader: Reader,
    item: Item,
    key: str,
    token: Token,
    text: str,
    value: Token | None = None,
) -> None:
    at = span(token.place, value.place) if value else token.place
    pair = _pair(reader, at, text)
    if not pair:
        return
    if key != "padding" and 0 in pair:
        name = "number of groups" if key == "groups" else key
        reader.problem(
            at,
            f"The {name} is at least 1, not 0; try {key[0]}1.",
            f"{key[0]}1",
        )
        return
    item.keys[key], item.places[key] = pair, at


def _claim(reader: Reader, walk: Walk, item: Item) -> None:
    claim = _count_claim(reader, walk.peek(), walk.peek(1))
    walk.i += 1
    if not claim:
        return
    item.claims.append(claim)
    while (
        (token := walk.peek(1))
        and token.place.line == claim.place.line
        and token.place.column < claim.end
    ):
        walk.i += 1


def _only_suffixes(reader: Reader, fork: Item) -> None:
    """What may stand behind a closing brace: repeats, bn, relu and so on."""
    odd = [part.place for part in (*fork.sizes, *fork.numbers)]
    for at in [*odd, *fork.places.values()][:1]:
        reader.problem(
            at,
            "After a } come a repeat, bn, relu or no relu; "
            "a layer begins on a line of its own.",
        )


# Which layer it is


def _resolve(reader: Reader, item: Item, walk: Walk) -> Item | None:
    if item.block is not None:
        return _block(reader, item)
    if item.op and not (item.hinted and item.op != "input"):
        return item
    hint, sizes, same = item.op, item.sizes, "same" in item.flags
    if "dw" in item.flags or (sizes and item.numbers and hint != "pool"):
        item.op = "conv"
    elif hint:
        pass
    elif sizes and item.mode:
        item.op = "pool"
    elif item.shape_claim and not reader.input and len(walk.tokens) <= 3:
        item.op = "input"
    elif same and not sizes:
        item.op = "same"
    elif item.mode:
        item.op = "pool"
    elif item.suffixes:
        first = item.suffixes.pop(0)
        item.op, item.rate = first.op, first.rate
    else:
        return _no_layer(reader, item)
    return item


def _no_layer(reader: Reader, item: Item) -> None:
    if item.sizes:
        size = "x".join(map(str, item.sizes[0].sizes))
        reader.problem(
            item.sizes[0].place,
            f"A kernel of {size} alone makes no maps; try 64 {size}.",
            f"64 {size}",
        )
    elif item.numbers:
        number = item.numbers[0].value
        reader.problem(
            item.numbers[0].place,
            f"The number {number:,} alone is no layer; "
            f"try dense {number}, or {number} 3x3.",
            f"dense {number}",
        )
    elif item.label or item.shape_claim or item.places:
        reader.problem(
            item.span,
            "Here is no layer yet; try conv 64 3x3, pool 2x2 or dense 10.",
        )


def _block(reader: Reader, item: Item) -> Item | None:
    """The ResNet paper's block, as a sum.

    Each convolution has batch norm and keeps its size; the shortcut projects
    where the shape changes.
    """
    groups: list[list[Token]] = [[]]
    for token in item.block:
        if token.text == ";":
            groups.append([])
        else:
            groups[-1].append(token)
    layers = []
    for tokens in filter(None, groups):
        layer = read_layer(reader, tokens)
        if layer and layer.op == "conv":
            layer.flags.setdefault("same", tokens[0].place)
            layer.suffixes.insert(0, Suffix("bn", layer.span))
            layers.append(layer)
        elif layer:
            reader.problem(
                layer.span,
                "A block in square brackets holds convolutions alone; "
                "try [3x3, 64; 3x3, 64].",
            )
    if not layers:
        return None
    return replace(
        blank("fork", item.at),
        span=item.span,
        label=item.label,
        times=item.times,
        relu=item.relu,
        suffixes=item.suffixes,
        join="add",
        branches=[layers],
        residual=True,
        stride=item.keys.get("stride", [1, 1]),
    )


def _input(reader: Reader, item: Item) -> None:
    """The network's first line."""
    if reader.input:
        reader.problem(
            item.span,
            f"The input was given in line {reader.input.place.line}; "
            "leave this one out.",
        )
        return
    shape: Any = None
    if item.sizes:
        shape = item.sizes[0].sizes
    elif item.shape_claim:
        shape = item.shape_claim.sizes
    elif item.numbers:
        shape = [number.value for number in item.numbers]
    read = _input_shape(shape, item.maps) if shape else None
    if not read or 0 in read:
        reader.problem(
            item.span,
            "An input has maps, height and width; try input 3x224x224.",
            "input 3x224x224",
        )
        reader.input = Input(item.span, [3, 224, 224])
        return
    reader.input = Input(item.span, read, item.claims)


def _input_shape(shape: list[int], maps: int) -> list[int] | None:
    """3x227x227, 227x227x3, 227x227 or 227."""
    if len(shape) == 1:
        return [maps, shape[0], shape[0]]
    if len(shape) == 2:
        return [maps, *shape]
    if len(shape) != 3:
        return None
    # Maps stand last where the first two are alike and the last two are not,
    # or where the last is the smallest by far.
    a, b, c = shape
    last = b != c and c <= 4 * a if a == b else c < min(a, b) and c <= 4
    return [c, a, b] if last else shape
