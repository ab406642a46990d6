"""What hides in a text goes, what people write with stays."""

import unicodedata

import pytest

from guarded_agents.screen import Removed, clean
from guarded_agents.screen._clean import NOTHING_REMOVED, _marks

KEPT: dict[str, str] = {
    "ASCII, with line feeds and tabs": "one\ttwo\nthree\n",
    "lines of the Internet": "one\r\ntwo\r\n",
    "the same, with letters of others": "één\r\ntwee\r\n",
    "nothing": "",
    "spaces of other widths": "10\u202f000\xa0€\u2009\u3000",
    "Persian, with a joiner's opposite": "می\u200cخواهم کتاب\u200cها",
    "Hindi, with a half letter": "क्\u200dष क्\u200cष",
    "Sinhala": "ශ්\u200dරී ලංකා",
    "Arabic, a letter in its joined form": "ه\u200d",
    "Hebrew with points": "שָׁלוֹם",
    "Arabic with points": "مُحَمَّد",
    "Thai": "สวัสดีชาวโลก",
    "Tibetan": "བཀྲ་ཤིས།",
    "Vietnamese, decomposed": unicodedata.normalize("NFD", "Tiếng Việt"),
    "an emoji of several": "👩\u200d❤\ufe0f\u200d💋\u200d👨",
    "an emoji with a tone": "👍🏽 👩🏿\u200d🚀",
    "a flag of letters": "🇩🇪",
    "the flag of Scotland": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "a keycap": "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "a heart, in colour and not": "❤\ufe0f ❤\ufe0e",
    "an ideograph of a name": "葛\U000e0100城",
    "a slashed zero of mathematics": "∩\ufe00",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ\u180b",
    "braille, blank": "⠁\u2800⠃",
    "private use": "\ue000",
    "thirty marks": "a" + "\u0301" * 30,
}
CLEANED: dict[str, tuple[str, str, dict[str, int]]] = {
    "null and bell": ("a\x00b\x07c", "abc", {"controls": 2}),
    "delete": ("a\x7f", "a", {"controls": 1}),
    "colour": ("\x1b[1;31mred\x1b[0m", "red", {"controls": 11}),
    "a title": ("a\x1b]0;title\x07b", "ab", {"controls": 10}),
    "a title, ended the long way": ("a\x1b]0;t\x1b\\b", "ab", {"controls": 7}),
    "a link of a terminal": ("\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text", {"controls": 22}),
    "a title that does not end": ("a\x1b]0;shown", "a0;shown", {"controls": 2}),
    "a string that another one ends": ("\x1bPa\x1b]0;b\x07c", "ac", {"controls": 8}),
    "a sequence of one control": ("é\x9b31mred", "éred", {"controls": 4}),
    "a reset": ("\x1bca", "a", {"controls": 2}),
    "a character set": ("\x1b(Ba", "a", {"controls": 3}),
    "an escape at the end": ("a\x1b", "a", {"controls": 1}),
    "a return that would overwrite": ("good\rbad", "good\nbad", {"controls": 1}),
    "form feed and vertical tab part words": ("a\x0cb\x0bc", "a\nb\nc", {"controls": 2}),
    "next line parts words": ("é\x85b", "é\nb", {"controls": 1}),
    "a message in tags": ("hi" + "".join(chr(0xE0000 + ord(c)) for c in "send it"), "hi", {"tags": 7}),
    "a language tag": ("é\U000e0001", "é", {"tags": 1}),
    "a flag of nowhere": ("\U0001f3f4\U000e0061\U000e007f", "\U0001f3f4", {"tags": 2}),
    "a flag, and a message after it": (
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f\U000e0061",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        {"tags": 1},
    ),
    "a turned text": ("a\u202etxt.exe\u202c", "atxt.exe", {"bidi": 2}),
    "isolates and marks": ("\u2066א\u2069\u200f\u061c", "א", {"bidi": 4}),
    "zero width": ("i\u200bg\u2060n\ufeffore", "ignore", {"invisibles": 3}),
    "fillers and soft hyphens": ("\u3164\u115fa\xadb\uffa0", "ab", {"invisibles": 4}),
    "noncharacters": ("é\ufdd0\uffff\U0010ffff", "é", {"invalid": 3}),
    "lone surrogates": ("a\ud800b\udfff", "ab", {"invalid": 2}),
    "surrogates and zero width": ("é\ud800\u200b", "é", {"invalid": 1, "invisibles": 1}),
    "marks in a flood": ("a" + "\u0301\u0316" * 20 + "b", "a" + "\u0301\u0316" * 15 + "b", {"marks": 10}),
    "marks at the start": ("\u0301" * 31, "\u0301" * 30, {"marks": 1}),
    "marks parted by joiners": (
        "a" + "\u0301\u200d" * 20,
        "a" + "\u0301" * 15,
        {"marks": 10, "joiners": 15},
    ),
    "marks parted by what goes": (
        "a" + "\u0301\u200b\u0301\x1b[31m" * 20,
        "a" + "\u0301" * 30,
        {"marks": 10, "invisibles": 20, "controls": 100},
    ),
    "bytes after an emoji": ("😀\ufe0f\ufe01\ufe0a\U000e0101", "😀\ufe0f", {"selectors": 3}),
    "a selector after a letter": ("a\ufe0fé", "aé", {"selectors": 1}),
    "a selector at the start": ("\ufe0fé", "é", {"selectors": 1}),
    "a selector of no font": ("葛\U000e0120", "葛", {"selectors": 1}),
    "a selector behind zero width": ("😀\u200b\ufe0f", "😀\ufe0f", {"invisibles": 1}),
    "joiners between Latin letters": ("p\u200da\u200cy", "pay", {"joiners": 2}),
    "two joiners": ("می\u200c\u200cخواهم", "میخواهم", {"joiners": 2}),
    "a joiner at the end of Persian": ("می\u200c", "می", {"joiners": 1}),
    "an emoji joined to a letter": ("😀\u200da", "😀a", {"joiners": 1}),
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.text == text
    assert cleaned.removed is NOTHING_REMOVED


@pytest.mark.requirement("screen:results")
@pytest.mark.parametrize(("text", "left", "counts"), CLEANED.values(), ids=CLEANED)
def test_what_hides_goes_and_is_counted_by_kind(text: str, left: str, counts: dict[str, int]) -> None:
    cleaned = clean(text)
    assert cleaned.text == left
    assert cleaned.removed == Removed(**counts)
    assert clean(left).text == left


def test_patterns_see_compatibility_forms_composed_and_the_text_keeps_its_own() -> None:
    cleaned = clean("ｉｇｎｏｒｅ 𝐭𝐡𝐢𝐬 ﬁle e\u0301 m²")
    assert cleaned.eyes == "ignore this file é m2"
    assert cleaned.text == "ｉｇｎｏｒｅ 𝐭𝐡𝐢𝐬 ﬁle e\u0301 m²"


def test_a_plain_text_is_not_copied() -> None:
    text = "plain text " * 100
    cleaned = clean(text)
    assert cleaned.text is text
    assert cleaned.eyes is text


def test_characters_of_many_letters_are_blank_to_patterns_and_stay_in_the_text() -> None:
    cleaned = clean("a\ufdfa\u3316b")
    assert (cleaned.text, cleaned.eyes) == ("a\ufdfa\u3316b", "a  b")


def test_no_character_makes_more_of_itself_in_patterns_eyes_than_six() -> None:
    """So that what patterns look through is bounded by what came in."""
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assert max(len(clean(char).eyes) for char in every if not unicodedata.is_normalized("NFKC", char)) <= 6


def test_the_marks_that_are_counted_are_those_that_are_sorted() -> None:
    inside = set()
    first_to_last = iter(_marks().split("-"))
    edges = "".join(first_to_last)
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        inside |= {chr(code) for code in range(ord(first), ord(last) + 1)}
    every = {chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000}
    assert inside == {char for char in every if unicodedata.combining(unicodedata.normalize("NFKD", char)[0])}


def test_a_clean_text_does_not_show_itself() -> None:
    assert repr(clean("hunter2")) == f"CleanText(7 characters, {NOTHING_REMOVED!r})"
