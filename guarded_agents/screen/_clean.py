"""What a text says, without what hides in it."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from pydantic import NonNegativeInt

from guarded_agents.records import Record
from guarded_agents.screen._regex import RegexSet, regex_set

Take = Callable[[str, dict[str, int]], str]  # takes one kind out, and counts it


class Step(NamedTuple):
    """One kind: the inside of a class of characters that tells whether there may be some, and what takes them out."""

    hint: str
    take: Take


_LONGEST_RUN: Final = 30  # marks on one letter that any language needs (UAX #15, Stream-Safe Text Format)

# Kinds that nobody needs where they stand, whatever is around them.
_CONTROL: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_TAG: Final = "\U000e0001\U000e0020-\U000e007f"
_INVISIBLE: Final = (
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000\U000e0002-\U000e001f\U000e0080-\U000e00ff"
    "\U000e01f0-\U000e0fff"
)
_INVALID: Final = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17)
)
# Kinds that some writing needs: after what they belong to, and one at a time.
_SELECTOR: Final = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_JOINER: Final = "\u200c\u200d"

_EMOJI: Final = "\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_IDEOGRAPHS: Final = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_JOINING: Final = (  # letters and marks that a joiner shapes: Arabic and its kin, Mongolian, and the Indic scripts
    "\u0620-\u06d3\u06d5-\u06dc\u06e1-\u06ff\u0700-\u077f\u07ca-\u07fa\u0840-\u08ff\u0900-\u0dff\u0f00-\u109f"
    "\u1780-\u17b3\u17b6-\u17ff\u1820-\u18aa\u1a20-\u1aaf\u1b00-\u1bff\ua800-\ua8ff\ua980-\ua9df\uaa00-\uaa7f"
    "\uabc0-\uabff\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff"
)
_MARKS_INSIDE: Final = "\u0f73\u0f75\u0f81\uff9e\uff9f"  # of class 0, and decomposed they begin with a mark
_STANDARDIZED: Final = "\u1000-\u109f\u2200-\u22ff\u3000-\u303f\ua840-\ua87f\uff00-\uff1f"
_FLAGS: Final = "|".join(  # England, Scotland and Wales: the only flags made of tags that are in use (UTS #51)
    "".join(chr(0xE0000 + ord(letter)) for letter in region) for region in ("gbeng", "gbsct", "gbwls")
)

# A terminal swallows a sequence whole (ECMA-48 sections 5.4 and 8.3.89), so what is removed is what was not shown.
# One that does not end loses its introducer, and its text shows. No run goes past the next introducer: linear.
_SEQUENCES: Final = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9b-\x9f]*+(?:\x07|\x1b\\\\|\x9c)"
    "|\x1b[ -/]*+[0-~]"
)
_BREAKS: Final = re.compile("\r(?!\n)|[\x0b\x0c\x85]")  # they part words, so a line feed takes their place
_CONTROLS: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_C0: Final = bytes(code for code in range(128) if code in {*range(32), 127} - {9, 10, 13})

_TAGS: Final = re.compile(f"[{_TAG}]+")
_FLAG: Final = re.compile(f"(\U0001f3f4(?:{_FLAGS})\U000e007f)")
_SELECTORS: Final = re.compile(  # the looks back begin with the selector itself, so that the search can skip to one
    f"[\ufe0e\ufe0f](?<![0-9#*{_EMOJI}].)"
    f"|[\ufe00-\ufe02](?<![{_EMOJI}{_IDEOGRAPHS}{_STANDARDIZED}].)|[\ufe03-\ufe0d]"
    f"|[\u180b-\u180d\u180f](?<![\u1820-\u18aa].)"
    f"|[\U000e0100-\U000e011f](?<![{_IDEOGRAPHS}].)|[\U000e0120-\U000e01ef]"
)
_JOINERS: Final = re.compile(
    f"\u200c(?:(?<![{_JOINING}].)|(?![{_JOINING}]))"
    f"|\u200d(?:(?<![{_JOINING}{_EMOJI}\ufe0f].)|(?<=[{_EMOJI}\ufe0f].)(?![{_EMOJI}]))"
)
_LONG: Final = re.compile("[\u3300-\u3357\ufdf0-\ufdfc]")  # NFKC makes a word of each, and takes its time


class Removed(Record):
    """How many characters were taken out of a text, by kind. Nothing of what they were."""

    controls: NonNegativeInt = 0
    tags: NonNegativeInt = 0
    bidi: NonNegativeInt = 0
    invisibles: NonNegativeInt = 0
    invalid: NonNegativeInt = 0
    marks: NonNegativeInt = 0
    selectors: NonNegativeInt = 0
    joiners: NonNegativeInt = 0


NOTHING_REMOVED: Final = Removed()


@dataclass(frozen=True, slots=True)
class CleanText:
    """A text in which nothing hides, and the same as patterns see it. Its text form shows neither."""

    text: str  # goes on: to the model, the store, a person
    eyes: str  # in NFKC, and never kept: it reads alike and says another thing (² is 2 there)
    removed: Removed

    def __repr__(self) -> str:
        return f"CleanText({len(self.text)} characters, {self.removed!r})"


def clean(text: str) -> CleanText:
    """Return *text* without what hides in it, and what was removed. Linear in its length; it never raises.

    Removed are control characters but line feed and tab (U+000D stays before U+000A; other line breaks become line
    feeds), with the escape sequences that they begin (ECMA-48); Unicode tags; bidirectional controls, which
    right-to-left text does not need: its letters carry their direction (UAX #9), and a wrong one changes what a
    person sees; fillers, soft hyphens, zero-width spaces (Khmer and Thai read the same without) and other characters
    without a picture; lone surrogates and noncharacters; marks beyond 30 in a row; variation selectors and joiners
    where they have nothing to do.

    What stays is what people write with: one variation selector after an emoji, a keycap, an ideograph (one of 32,
    UTS #37), a symbol or a Mongolian letter; U+200D in an emoji sequence and after a letter of a script that it
    shapes; U+200C between two such letters (Persian, the Indic scripts); the flags of England, Scotland and Wales
    (UTS #51). A hidden message can still be carried by whether they are there, one after each such letter: that is
    five bits at most for a character that is seen. Space in other widths, private use and Braille stay too.
    """
    if text.isascii():
        return _clean_ascii(text)
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raw = text.encode(errors="ignore")
        kept, counts = raw.decode(), {"invalid": len(text) - len(raw.decode())}
    else:
        kept, counts = text, {}
    kept = _reduce(kept, raw, counts)
    removed = Removed(**counts) if counts else NOTHING_REMOVED
    return CleanText(kept, unicodedata.normalize("NFKC", _LONG.sub(" ", kept)), removed)


def _clean_ascii(text: str) -> CleanText:
    if len(text.encode().translate(None, _C0)) == len(text) and (
        "\r" not in text or text.count("\r") == text.count("\r\n")
    ):
        return CleanText(text, text, NOTHING_REMOVED)
    counts: dict[str, int] = {}
    kept = _without_controls(text, counts)
    return CleanText(kept, kept, Removed(**counts))


def _reduce(text: str, raw: bytes, counts: dict[str, int]) -> str:
    """Take each kind out that occurs in *text*; *raw* is the same in UTF-8.

    The kinds that depend on what stands before them are looked for once the others are gone: those may have parted
    a run of marks, or a selector from its letter.
    """
    for steps in (_ANYWHERE, _IN_PLACE):
        present = _kinds(steps).Match(raw)
        if present is None:
            continue
        for index in sorted(present):
            text = steps[index].take(text, counts)
        raw = text.encode()
    return text


def _count(counts: dict[str, int], kind: str, removed: int) -> None:
    if removed:
        counts[kind] = counts.get(kind, 0) + removed


def _without_controls(text: str, counts: dict[str, int]) -> str:
    left, breaks = _BREAKS.subn("\n", _CONTROLS.sub("", _SEQUENCES.sub("", text)))
    _count(counts, "controls", len(text) - len(left) + breaks)
    return left


def _without_tags(text: str, counts: dict[str, int]) -> str:
    pieces = _FLAG.split(text)  # each second one is a flag
    pieces[::2] = [_TAGS.sub("", piece) for piece in pieces[::2]]
    left = "".join(pieces)
    _count(counts, "tags", len(text) - len(left))
    return left


def _without(kind: str, pattern: re.Pattern[str], kept: str = "") -> Take:
    def take(text: str, counts: dict[str, int]) -> str:
        left = pattern.sub(kept, text)
        _count(counts, kind, len(text) - len(left))
        return left

    return take


def _without_floods(text: str, counts: dict[str, int]) -> str:
    return _without("marks", _floods(), r"\1")(text, counts)


_ANYWHERE: Final = (
    Step(_CONTROL, _without_controls),
    Step(_TAG, _without_tags),
    Step(_BIDI, _without("bidi", re.compile(f"[{_BIDI}]+"))),
    Step(_INVISIBLE, _without("invisibles", re.compile(f"[{_INVISIBLE}]+"))),
    Step(_INVALID, _without("invalid", re.compile(f"[{_INVALID}]+"))),
)
_IN_PLACE: Final = (  # in this order: what one leaves gives the next no neighbour that was not there
    Step("", _without_floods),
    Step(_SELECTOR, _without("selectors", _SELECTORS)),
    Step(_JOINER, _without("joiners", _JOINERS)),
)


@cache
def _kinds(steps: tuple[Step, ...]) -> RegexSet:
    """Tell in one pass which of *steps* may have something to take out, by their places."""
    flood = f"[{_spelt(_run())}]{{{_LONGEST_RUN + 1}}}"
    return regex_set([f"[{_spelt(step.hint)}]" if step.hint else flood for step in steps])


@cache
def _floods() -> re.Pattern[str]:
    """Find runs that are too long: sorting one, as NFKC does, takes time quadratic in its length."""
    run = f"[{_run()}]"
    return re.compile(f"(?<!{run})({run}{{{_LONGEST_RUN}}}){run}++")


def _run() -> str:
    return f"{_marks()}{_SELECTOR}{_JOINER}"  # these may go after it, and then part marks no more


@cache
def _marks() -> str:
    """Return the characters that NFKC sorts, as ranges: those with a combining class in this Python's Unicode."""
    ranges: list[list[int]] = []
    for code in range(0x300, 0x1F000):  # a test holds that there are none outside
        if unicodedata.combining(chr(code)) or chr(code) in _MARKS_INSIDE:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def _spelt(characters: str) -> str:
    """Return *characters*, the inside of a character class, as google-re2 takes each of them."""
    return "".join(char if char == "-" else f"\\x{{{ord(char):x}}}" for char in characters)
