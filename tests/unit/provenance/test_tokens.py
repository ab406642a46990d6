"""Whole tokens, and when two of them are the same."""

import pytest

from guarded_agents.provenance._tokens import fold, is_word, spelt, tokens_of

TOKENS = {
    "words": ("Pay Ana now", ["pay", "ana", "now"]),
    "signs of a sentence": ("Hello, Ana!", ["hello", ",", "ana", "!"]),
    "quotes are one sign": (
        "\u201cNetworking event\u201d and 'x'",
        ['"', "networking", "event", '"', "and", '"', "x", '"'],
    ),
    "brackets": ("(ana@example.com),", ["(", "ana@example.com", ")", ","]),
    "lines": ("Ana\nRaj", ["ana", "\n", "raj"]),
    "nothing but signs": ("... ?!", [".", ".", ".", "?", "!"]),
    "an opening sign alone": ("( x", ["(", "x"]),
    "inside nothing is split": ("eve+ana@example.com a/b.txt 1,000.50", ["eve+ana@example.com", "a/b.txt", "1,000.50"]),
    "other white space": ("a\u00a0b\tc\u2003d", ["a", "b", "c", "d"]),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "tokens"), TOKENS.values(), ids=TOKENS)
def test_a_text_is_split_at_white_space_and_at_the_signs_around_words(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


SAME = {
    "case": ("Ana", "ANA"),
    "mail": ("Bob@Example.COM", "bob@example.com"),
    "a name with a capital inside": ("McDonald", "mcdonald"),
    "capitals and digits": ("INV-2026", "inv-2026"),
    "fullwidth": ("\uff42\uff4f\uff42", "bob"),
    "ligature": ("o\ufb03ce", "office"),
    "apostrophes": ("Ana\u2019s", "ana's"),
    "host of an address": ("HTTPS://Example.COM/Path", "https://example.com/Path"),
    "address with a bare slash": ("https://example.com/", "https://example.com"),
    "composed and decomposed": ("Jose\u0301", "jos\u00e9"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_what_a_person_takes_for_the_same_has_one_spelling(one: str, other: str) -> None:
    assert fold(one) == fold(other) == fold(fold(one))


OTHER = {
    "cyrillic a": ("\u0430na", "ana"),
    "greek omicron": ("b\u03bfb", "bob"),
    "digit for a letter": ("examp1e.com", "example.com"),
    "dotless i": ("\u0131ris", "iris"),
    "sharp s": ("stra\u00dfe.de", "strasse.de"),
    "a part": ("bob@x.com", "x.com"),
    "path of an address": ("https://bit.ly/aBc", "https://bit.ly/abc"),
    "address without a scheme": ("bit.ly/aBc", "bit.ly/abc"),
    "path of a file": ("/tmp/A", "/tmp/a"),
    "path of a file, the other way": ("C:\\A", "c:\\A"),
    "query": ("x.com?a=B", "x.com?a=b"),
    "opaque id": ("dQw4w9WgXcQ", "dqw4w9wgxcq"),
    "wildcard": ("/tmp/*", "/tmp/"),
    "square": ("x\u00b2", "x2"),
    "circle": ("\u2460", "1"),
    "fraction": ("\u00bd", "1\u20442"),
    "zero-width space": ("a\u200bna", "ana"),
    "accent": ("jos\u00e9", "jose"),
    "two slashes": ("https://example.com//", "https://example.com"),
}


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_what_only_looks_alike_or_is_a_part_has_another_spelling(one: str, other: str) -> None:
    assert fold(one) != fold(other)


HIDING = {
    "zero-width space": "a\u200bna",
    "bidirectional": "\u202eana",
    "tag": "ana\U000e0041",
    "no-break space": "ana\u00a0b",
    "carriage return": "ana\rb",
    "tabulator": "ana\tb",
    "null": "ana\0",
    "fullwidth": "\uff41na",
    "ligature": "\ufb01x",
    "decomposed": "jose\u0301",
    "lone surrogate": "\ud800",
    "line separator": "a\u2028b",
}


@pytest.mark.parametrize("value", HIDING.values(), ids=HIDING)
def test_a_value_that_hides_something_has_no_spelling(value: str) -> None:
    assert spelt(value) is None


@pytest.mark.parametrize("value", ["ana", "Ana Meier", "a\nb", "", "\u00e4", "x: 'y'"])
def test_a_value_that_hides_nothing_is_split_as_a_text_is(value: str) -> None:
    assert spelt(value) == tuple(tokens_of(value))


@pytest.mark.parametrize(("token", "said"), [("*", False), ("-", False), ("a", True), ("-1", True), ("\u00e4", True)])
def test_a_token_says_something_where_it_has_a_letter_or_a_digit(token: str, said: bool) -> None:
    assert is_word(token) is said
