"""Text in which nothing hides: what a reviewer sees is what a model would read."""

import re
from typing import Final

# Controls, format and direction-changing characters, line separators, fillers that look like nothing, spaces that are
# no space, variation selectors, surrogates, private use, non-characters and everything beyond the planes with letters.
# All of the categories Cc, Cf, Zl and Zp are among them; a test holds it.
# Ranges, for one by one such a class is 80 times slower (FACTS, costs).
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680\u17b4\u17b5"
    "\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u2800\u3000\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)


def visible(text: str) -> str:
    r"""Return *text* with every backslash doubled and every invisible character as ``\uXXXX``, a line feed too."""
    return _UNSEEN.sub(_escape, text.replace("\\", "\\\\"))


def visible_json(text: str) -> str:
    r"""Return *text*, a JSON document, with what is invisible in its strings as ``\uXXXX`` (RFC 8259 section 7)."""
    return "\n".join(_UNSEEN.sub(_escape, line) for line in text.split("\n"))  # a line feed is never in a string


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()  # beyond U+FFFF two of them
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
