"""A text as whole tokens, in the one spelling by which two of them are the same.

A person takes ``Bob@Example.com`` for ``bob@example.com``. Nobody may take ``bob@examp1e.com`` for it, nor what has
one letter of another alphabet: letters are compared by code point, and nothing is compared by likeness.

A token is what stands between white space, without the quotes, brackets and signs of a sentence around it; these are
tokens by themselves. Inside nothing is split, so a part of an address, a number or a path is never a token.
"""

import re
import unicodedata
from typing import Final

_QUOTES_OF_PRINT: Final = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a`"
OPENING: Final = "\"'([{<\u00bf\u00a1" + _QUOTES_OF_PRINT
CLOSING: Final = ".,;:!?\"')]}>" + _QUOTES_OF_PRINT
SIGNS: Final = frozenset(OPENING + CLOSING) | {"\n"}
_QUOTES: Final = {ord(sign): '"' for sign in "'" + _QUOTES_OF_PRINT}
_APOSTROPHES: Final = str.maketrans("\u2018\u2019\u201b", "'''")
# The path of an address, and what follows it, has case (RFC 3986 section 6.2.2.1); so has a file's.
_CASED: Final = re.compile(r"[/\\?=%]")
_ONE_WORD: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9@._+/:&=-]*[A-Za-z0-9])?")
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#@\\]*)(.*)", re.DOTALL)
# Decompositions that nobody would read as the same word: x² is not x2, ½ is no 1/2, ① no 1.
_OTHER_WORDS: Final = frozenset({"<super>", "<sub>", "<circle>", "<fraction>", "<square>", "<vertical>"})


def tokens_of(text: str) -> list[str]:
    """Return the tokens of *text*: words in their one spelling, the signs around them, and each line's end."""
    found: list[str] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            found.append("\n")
        for chunk in line.split():
            _split(chunk, found)
    return found


def spelt(value: str) -> tuple[str, ...] | None:
    r"""Return the tokens of *value*, which a model wrote; None where it hides something.

    That is any character that is not seen but the plain space and ``\n``, and any compatibility form: what would be
    sent is then not what a person reads. Only the user may write those, for they are the user's own.
    """
    if _ONE_WORD.fullmatch(value):  # as most values are
        return (fold(value),)
    if not value.replace("\n", "").isprintable() or not unicodedata.is_normalized("NFKC", value):
        return None
    return tuple(tokens_of(value))


def fold(word: str) -> str:
    """Return the one spelling of *word*, a token without signs around it.

    NFKC and no case, but that case counts in paths and addresses after the host, and in a word that has digits and
    capitals inside: there another case is another thing (a short link, a key).
    """
    if not word.isascii():
        word = _compatible(word).translate(_APOSTROPHES)
    low = word.lower()
    if low == word and "://" not in word:
        return word
    if _CASED.search(word):
        return _address(word)
    inside = word[1:]
    opaque = inside != inside.lower() and word != word.upper() and any(char.isdigit() for char in word)
    return word if opaque else low


def is_word(token: str) -> bool:
    """Return whether *token* says something: a letter or a digit is in it."""
    return token[0].isalnum() or any(map(str.isalnum, token))  # no token is empty


def _split(chunk: str, found: list[str]) -> None:
    body = chunk.lstrip(OPENING)
    core = body.rstrip(CLOSING)
    if core == chunk:
        found.append(fold(chunk))
        return
    found.extend(chunk[: len(chunk) - len(body)].translate(_QUOTES))
    if core:
        found.append(fold(core))
    found.extend(body[len(core) :].translate(_QUOTES))


def _compatible(word: str) -> str:
    folded = unicodedata.normalize("NFKC", word)
    if folded != word and any(unicodedata.decomposition(char).partition(" ")[0] in _OTHER_WORDS for char in word):
        return word
    return folded


def _address(word: str) -> str:
    match = _ADDRESS.fullmatch(word)
    if match is None:
        return word
    host, rest = match[1].lower(), match[2]
    return host if rest == "/" else host + rest
