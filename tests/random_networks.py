"""Random texts in the workshop's notation: right, wrong and damaged ones."""

from __future__ import annotations

from random import Random

INPUTS = (
    "input 3x32x32",
    "input 32x32x3",
    "INPUT: [32x32x3] memory: 32*32*3=3K params: 0",
    "input 40x33",
    "input 1x28×28",
    "[224x224x3] INPUT",
    "input 64x16x16",
    "input 28 x 28 x 1  # grey",
    "input (224x224 RGB image)",
    "input 8x9x40",
)
OTHERS = (
    "norm",
    "bn",
    "dropout 0.5",
    "relu",
    "tanh",
    "sigmoid",
    "softmax",
    "same",
    "# nothing",
    "maxpool",
    "global avg",
    "gap",
    "global max pool",
    "flatten",
    "batch norm, relu",
    "dropout",
)
WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 96)


def conv(r: Random, keep: bool, width: int | None = None) -> str:
    """A convolution; with *keep*, one that keeps height and width."""
    width = width or r.choice(WIDTHS)
    k = r.choice((1, 3, 3, 3, 5, 7, 2, 4)) if keep else r.choice((1, 3, 5, 11))
    words = r.choice(
        (
            f"conv {width} {k}x{k}",
            f"{width} {k}x{k}",
            f"{k}x{k} conv, {width}",
            f"CONV: {width} {k}x{k} filters",
            f"conv{k}-{width}",
            f"conv {width} {k}",
            f"c{r.randrange(9)}: {width} {k}×{k}",
            f"{width} 1x{k}",
            f"dw {k}x{k}",
            f"conv{r.randrange(9)} {width} {k}x{k}",
            f"K = {width}, F = {k}",
        )
    )
    if keep:
        words += r.choice((" same", " p same", f" pad {k // 2}"))
    else:
        words += r.choice(
            ("", " s2", " stride 2, pad 1", " /2 p2", " s2x1 p1")
        )
    for part, chance in (
        (" g2", 0.1),
        (f" g{r.choice((2, 3, 4, 8))}", 0.05),
        (" d2", 0.1),
        (" bn", 0.25),
        (" no bias", 0.1),
        (" bias", 0.05),
        (" no relu", 0.1),
        (" relu", 0.1),
        (" tanh", 0.05),
        (" dropout 0.2", 0.05),
        (" norm", 0.04),
        (f" [{r.choice((8, 16, 32))}x16x{width}]", 0.03),
        (f" params: {r.choice((1, 5))},728", 0.04),
        (f" memory: 32*32*{width}={width}K", 0.04),
        (f" x{r.choice((2, 3))}", 0.05),
    ):
        if r.random() < chance:
            words += part
    return words


def pool(r: Random, keep: bool) -> str:
    """A pooling."""
    if keep:
        return r.choice(("pool 3x3 s1 p1", "avg pool 5x5 s1 same"))
    kind = r.choice(("pool", "max pool", "avg pool", "MAX POOL1:", "avgpool"))
    size = r.choice(("", " 2x2", " 3x3 s2", " 3 s2", " 3x3 s2 ceil", " 3x2"))
    return kind + size + r.choice(("", "", "", " p1"))


def fork(r: Random, depth: int) -> str:
    """A fork of one kind or the other, on one line or on several."""
    kind = r.choice(("+", "+", "", "", "x2 +", "a: ", "b: x2 "))
    count = r.choice((1, 2, 2, 3))
    width = r.choice((8, 16))
    branches = []
    for _ in range(count):
        items = [item(r, True, depth + 1) for _ in range(r.randrange(3))]
        if "+" in kind:
            items.append(conv(r, True, width))
        branches.append(r.choice(("; ", "\n  ")).join(items))
    if "+" in kind and r.random() < 0.3:
        branches.append(r.choice(("same", "", f"same {width}")))
    text = f"{kind}{{ {r.choice((' | ', chr(10) + '| ')).join(branches)} }}"
    return text + r.choice(("", "", "", " no relu", " bn", " x2", " relu"))


def item(r: Random, keep: bool, depth: int = 0) -> str:
    """A layer or a fork."""
    chance = r.random()
    if chance < (0.2 if depth == 0 else 0.1) and depth < 3:
        return fork(r, depth)
    if chance < 0.3:
        return pool(r, keep)
    if chance < 0.42:
        return r.choice(OTHERS[:9] if keep else OTHERS)
    if chance < 0.46:
        width = r.choice((8, 16))
        block = f"[3x3, {width}; 3x3, {width}]"
        return block + ("" if keep else r.choice(("", " x2", " x2 s2")))
    return conv(r, keep)


def tail(r: Random) -> str:
    """What may end a network."""
    return r.choice(
        (
            "",
            "",
            "\nglobal avg\ndense 10",
            "\nfc 64 dropout 0.5\nfc 10 softmax",
            "\nFC-10\nsoftmax",
            "\nFC6: 40 neurons\nFC7: [1x1x10] memory: 10 params: 400",
            "\n1000-d fc no bias",
            "\ndense 20 bn\ndense 3\nTOTAL params: 60K",
            "\nflatten\ndropout\nfc 3",
        )
    )


def network(seed: int) -> str:
    """A network, often a right one."""
    r = Random(seed)
    lines = [r.choice(INPUTS)]
    lines += [item(r, r.random() < 0.6) for _ in range(r.randrange(1, 5))]
    return "\n".join(lines) + tail(r)


NOISE = (
    *"{}|;:[]()+=#/\\-*$x0123456789spgdkKM.,\"'?@é\n\n  \t",
    "\u00d7",
    "\u2192",
    "->",
    "\U0001f642",
    "\u0660",
    "\u0130",
    "\x00",
    "\ufeff",
    "\u2028",
    "\r",
    "x8 {",
    "+{",
    " no ",
    " dens ",
    " strid 2",
    " g7",
    " p99",
    " 0x0",
    " 1000001",
    " 999999999999",
    " 0.5",
    " s0",
    "x0 ",
    "3x",
    " bias",
    "same 7",
    " same 32 s2",
    "[1x1, 8; 3x3, 8]",
    "params: 7",
    "TOTAL memory: 24M * 4 bytes ~= 96MB / image",
    "input 3x8x8",
    "norm g2",
    "pool d2 3x3x3",
    "dense 3x3 s2",
    "conv 64",
    "conv 3x3",
    "conv pool",
    "dw 7 3x3",
    "x1000 ",
)


def damaged(seed: int) -> str:
    """A network with a few letters gone, changed or put in."""
    r = Random(seed)
    text = network(r.randrange(10**6))
    for _ in range(r.randrange(1, 6)):
        i = r.randrange(len(text) + 1)
        j = i + r.choice((0, 0, 1, 1, 2, 5))
        text = text[:i] + r.choice(("", *NOISE)) + text[j:]
    return text
