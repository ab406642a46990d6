"""Numbers, dates and account numbers as people write them."""

import pytest

from guarded_agents.provenance._spellings import (
    is_iban,
    joined_thousands,
    plain_iban,
    plain_number,
    written_dates,
    written_ibans,
    written_number,
)

NUMBERS = {
    "plain": ("50", "50"),
    "nought": ("0", "0"),
    "negative": ("-50", "-50"),
    "minus sign": ("\u221250", "-50"),
    "cents": ("50.00", "50"),
    "decimal comma": ("12,5", "12.5"),
    "less than one": ("0.125", "0.125"),
    "many decimals": ("1.12345", "1.12345"),
    "sign before": ("\u20ac50", "50"),
    "sign after": ("50$", "50"),
    "code after": ("50eur", "50"),
    "code before": ("chf50", "50"),
    "rare sign": ("\u20b9100", "100"),
    "dash for cents": ("50,-", "50"),
    "long dash for cents": ("50.\u2013", "50"),
    "English thousands with a sign": ("$1,000", "1000"),
    "German thousands with a sign": ("1.000\u20ac", "1000"),
    "English thousands and cents": ("1,234.50", "1234.5"),
    "German thousands and cents": ("1.234,50", "1234.5"),
    "two groups": ("1,000,000", "1000000"),
    "two German groups": ("1.000.000", "1000000"),
    "Swiss thousands": ("1'000", "1000"),
    "Swiss thousands and cents": ("1'000,50", "1000.5"),
    "hundreds": ("100", "100"),
    "either thousand or one": ("1,000", None),
    "either a thousand or one and an eighth": ("1.125", None),
    "foreign letters": ("inv50", None),
    "letters after": ("50abc", None),
    "leading noughts": ("0050", None),
    "wrong groups": ("1,00,000", None),
    "mixed groups": ("1.000,000.5", None),
    "version": ("1.2.3", None),
    "date": ("2026-12-20", None),
    "percent": ("50%", None),
    "exponent": ("1e3", None),
    "word": ("fifty", None),
    "other digits": ("\u0665\u0660", None),
}


@pytest.mark.parametrize(("token", "number"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_has_one_spelling_and_what_is_ambiguous_none(token: str, number: str | None) -> None:
    assert written_number(token) == number


@pytest.mark.parametrize(("beside", "number"), [(("pay", "eur"), "1000"), (("$", "to"), "1000"), ((None, "kg"), None)])
def test_three_decimals_are_thousands_only_beside_money(beside: tuple[str | None, ...], number: str | None) -> None:
    assert written_number("1.000", beside) == number


PLAIN: dict[str, tuple[float | str, int, str | None]] = {
    "integer": (50, 0, "50"),
    "negative": (-50, 0, "-50"),
    "float": (12.5, 0, "12.5"),
    "text": ("50", 0, "50"),
    "text with cents": ("50.00", 0, "50"),
    "cents": (1_250, 2, "12.5"),
    "cents as text": ("1250", 2, "12.5"),
    "fils": (5_000, 3, "5"),
    "whole": (5_000, 2, "50"),
    "thousands": ("1,000", 0, None),
    "leading noughts": ("0050", 0, None),
    "plus": ("+50", 0, None),
    "exponent": (1e20, 0, None),
    "word": ("all", 0, None),
    "spaces": (" 50", 0, None),
    "too long": ("1" * 40, 0, None),
}


@pytest.mark.parametrize(("value", "minor_units", "number"), PLAIN.values(), ids=PLAIN)
def test_the_number_of_a_value_is_read_in_plain_decimal_only(
    value: float | str, minor_units: int, number: str | None
) -> None:
    assert plain_number(value, minor_units) == number


DATES = {
    "ISO 8601": ("2026-12-20", ["2026-12-20"]),
    "year first": ("2026/1/2", ["2026-01-02"]),
    "dots": ("20.12.2026", ["2026-12-20"]),
    "dots and spaces": ("20 . 12 . 2026", ["2026-12-20"]),
    "day and month": ("20 december 2026", ["2026-12-20"]),
    "ordinal": ("20th of december , 2026", ["2026-12-20"]),
    "German": ("20 . dezember 2026", ["2026-12-20"]),
    "month first": ("dec 20 , 2026", ["2026-12-20"]),
    "abbreviated": ("dec . 20th 2026", ["2026-12-20"]),
    "day above twelve": ("20/12/2026", ["2026-12-20"]),
    "American": ("12/20/2026", ["2026-12-20"]),
    "both the same": ("3/3/2026", ["2026-03-03"]),
    "ambiguous": ("3/4/2026", []),
    "no such day": ("31.02.2026", []),
    "no year": ("20 december", []),
    "part of a word": ("x2026-12-20", []),
    "mixed signs": ("2026-12/20", []),
    "two": ("2026-12-20 1.1.2027", ["2027-01-01", "2026-12-20"]),
}


@pytest.mark.parametrize(("text", "dates"), DATES.values(), ids=DATES)
def test_a_date_is_read_where_it_has_one_reading(text: str, dates: list[str]) -> None:
    assert list(written_dates(text)) == dates


IBAN = "de89370400440532013000"
IBANS: dict[str, tuple[list[str | None], list[str]]] = {
    "joined": ([IBAN], [IBAN]),
    "groups of four": (["de89", "3704", "0044", "0532", "0130", "00", "to", "bob"], [IBAN]),
    "capitals": (["GB82WEST12345698765432"], ["gb82west12345698765432"]),
    "full last group": (["gb82", "west", "1234", "5698", "7654", "32", "."], ["gb82west12345698765432"]),
    "wrong check digits": (["de88370400440532013000"], []),
    "wrong check digits in groups": (["de88", "3704", "0044", "0532", "0130", "00"], []),
    "other groups": (["de893", "70400440532013000"], []),
    "left out in between": (["de89", "3704", None, "0532", "0130", "00"], []),
    "a sign in between": (["de89", "3704", "-", "0532", "0130", "00"], []),
    "a long word after": (["de89", "3704", "00440"], []),
    "far too long": (["de89", *["3705"] * 12], []),
    "no account": (["ab12", "x"], []),
    "nothing": ([None], []),
}


@pytest.mark.parametrize(("words", "found"), IBANS.values(), ids=IBANS)
def test_an_account_number_is_read_in_groups_of_four_if_its_check_digits_are_right(
    words: list[str | None], found: list[str]
) -> None:
    assert list(written_ibans(words)) == found


@pytest.mark.parametrize(
    ("value", "iban"),
    [
        (IBAN.upper(), IBAN),
        ("DE89 3704 0044 0532 0130 00", IBAN),
        ("DE8937040044 0532013000", None),
        ("DE89  3704 0044 0532 0130 00", None),
        ("DE88370400440532013000", None),
        ("DE89", None),
        ("ana@example.com", None),
        ("ab1\u0662370400440532013000", None),
    ],
)
def test_the_account_number_of_a_value_is_joined_or_in_groups_of_four(value: str, iban: str | None) -> None:
    assert plain_iban(value) == iban


@pytest.mark.parametrize(
    ("joined", "right"), [(IBAN, True), (IBAN[:-1] + "1", False), ("", False), ("\u00e4" * 20, False)]
)
def test_the_check_digits_of_an_account_number_are_those_of_iso_7064(joined: str, right: bool) -> None:
    assert is_iban(joined) is right


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("1\u202f000\u00a0000 EUR", "1000000 EUR"),
        ("1 000", "1 000"),
        ("1\u00a00000", "1\u00a00000"),
        ("\u00e4", "\u00e4"),
    ],
)
def test_only_spaces_that_nobody_types_by_chance_join_thousands(text: str, joined: str) -> None:
    assert joined_thousands(text) == joined
