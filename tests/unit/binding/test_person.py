"""People are told apart by what is seen of their names."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.binding import person

EVE = "eve@example.com"
SPELLINGS = {
    "capitals": "Eve@Example.COM",
    "full width": "\uff45ve@example.com",
    "a ligature": "\ufb01x@example.com",
    "space after": "eve@example.com ",
    "space before": " eve@example.com",
    "space within": "eve @ example.com",
    "no-break space": "\u00a0eve@example.com",
    "ideographic space": "eve\u3000@example.com",
    "line break": "eve@example.com\n",
    "line separator": "eve@example.com\u2028",
    "null": "eve@example.com\x00",
    "delete": "eve@example.com\x7f",
    "next line": "eve@exa\x85mple.com",
    "zero width space": "eve@example.com\u200b",
    "soft hyphen": "eve@exa\u00admple.com",
    "byte order mark": "\ufeffeve@example.com",
    "right-to-left override": "\u202eeve@example.com\u202c",
    "word joiner": "eve\u2060@example.com",
    "combining grapheme joiner": "eve\u034f@example.com",
    "hangul filler": "eve\u3164@example.com",
    "half-width hangul filler": "eve\uffa0@example.com",
    "variation selector": "e\ufe0fve@example.com",
    "supplementary variation selector": "e\U000e0100ve@example.com",
    "tag": "eve\U000e0041@example.com",
    "khmer vowel": "eve\u17b4@example.com",
    "mongolian separator": "eve\u180e@example.com",
    "braille blank": "eve\u2800@example.com",
    "interlinear anchor": "eve\ufff9@example.com",
    "arabic number sign": "\u0600eve@example.com",
    "lone surrogate": "eve\ud800@example.com",
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("name", SPELLINGS.values(), ids=SPELLINGS)
def test_what_is_not_seen_makes_no_other_person(name: str) -> None:
    assert person(name) == ("fix@example.com" if "\ufb01" in name else EVE)


@pytest.mark.requirement("I7")
def test_an_accent_that_is_kept_apart_by_something_unseen_is_the_letter_s() -> None:
    assert person("rene\u200b\u0301") == person("ren\u00e9") == person("REN\u00c9") != person("rene")


@pytest.mark.parametrize("name", ["mailto:eve@example.com", "eve@example.org", "\u0435ve@example.com"])
def test_what_is_seen_makes_another_person(name: str) -> None:
    assert person(name) != EVE


@pytest.mark.requirement("I7")
def test_every_code_point_folds_once_and_leaves_nothing_unseen() -> None:
    for code in range(sys.maxunicode + 1):
        folded = person(f"a{chr(code)}b")
        assert person(folded) == folded, hex(code)
        assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"} for char in folded), hex(code)


@pytest.mark.requirement("I7")
@given(
    st.text(st.characters()),
    st.text(st.sampled_from(" \t\n\u00a0\u00ad\u200b\u3164\U000e0041"), max_size=3),
    st.integers(0, 40),
)
def test_folding_again_changes_nothing_and_unseen_characters_change_nothing(name: str, unseen: str, at: int) -> None:
    folded = person(name)
    assert person(folded) == folded
    assert unicodedata.is_normalized("NFKC", folded)
    assert person(name[:at] + unseen + name[at:]) == folded
