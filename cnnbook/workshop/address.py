"""A network in a link: its text in letters that survive chats and mails.

The twin in JavaScript is ``cnnbook/widgets/workshop/core.mjs``.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from cnnbook.workshop.reading import LIMITS

SIGNS = {
    " ": "_",
    "\n": "~",
    "{": "(",
    "}": ")",
    "|": "!",
    "[": "@",
    "]": "'",
}
LETTERS = {sign: letter for letter, sign in SIGNS.items()}


def to_address(text: str) -> str:
    """The part of a link behind its #, which `from_address` reads.

    What is no letter, digit, known sign or one of .:,;/=+- is written as
    ``$hex.``, one for each of its UTF-16 units.
    """

    def sign(found: re.Match) -> str:
        letter = found[0]
        units = letter.encode("utf-16-be", "surrogatepass").hex()
        return SIGNS.get(letter) or "".join(
            f"${int(units[i : i + 4], 16):x}." for i in range(0, len(units), 4)
        )

    return f"net={re.sub('[^A-Za-z0-9.:,;/=+-]', sign, text)}.end"


def from_address(address: str) -> str | None:
    """The text of an address, with or without its #.

    None if there is none in it, or if it lost something on its way.
    """
    if len(address) > LIMITS["address"]:
        return None
    if "%" in address:
        if re.search("%(?![0-9A-Fa-f]{2})", address):
            return None
        try:
            # lone surrogates fail further down
            found = address.encode("utf-8", "surrogatepass")
            address = unquote_to_bytes(found).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None
    found = re.fullmatch(r"#?net=(.*)\.end", address, re.DOTALL)
    code = r"(?:[A-Za-z0-9.:,;/=+\-_~()!@']|\$[0-9a-f]{1,4}\.)*"
    if not found or not re.fullmatch(code, found[1]):
        return None

    def letter(sign: re.Match) -> str:
        return chr(int(sign[1], 16)) if sign[1] else LETTERS[sign[0]]

    units = re.sub(r"\$([0-9a-f]+)\.|[_~()!@']", letter, found[1])
    if len(units) > LIMITS["text"]:
        return None
    pairs = units.encode("utf-16-le", "surrogatepass")
    return pairs.decode("utf-16-le", "surrogatepass")
