"""Numbers, dates and account numbers: what a person writes in more than one way and means one thing.

All of this reads the user's text. What a model writes is read in one form only: a plain decimal number, a date of
ISO 8601, an IBAN without spaces or in groups of four.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

_PLAIN: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?")
_SIGN: Final = r"[$£€¥₹₽₩₺₴₪₫]"
_MONEY: Final = re.compile(rf"([-−]?)({_SIGN}|[a-z]{{3}})?([0-9][0-9.,']*)(?:[.,][-–—])?({_SIGN}|[a-z]{{3}})?")  # noqa: RUF001 - signs that people write
_GROUPED: Final = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?|[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]+)?")
_SWISS: Final = re.compile(r"[1-9][0-9]{0,2}(?:'[0-9]{3})+(?:[.,][0-9]+)?")
_DECIMAL: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:[.,][0-9]+)?")
_EITHER: Final = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")  # 1.125: a thousand, or one and an eighth
_NARROW: Final = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
# Of these a person never writes three decimals, so what could be read either way is thousands beside them.
_CURRENCIES: Final = """$ £ € usd eur gbp chf aud cad nzd sek nok dkk pln czk inr sgd hkd zar brl mxn
    dollar dollars euro euros pound pounds franken francs"""
CURRENCIES: Final = frozenset(_CURRENCIES.split())
_ATTACHED: Final = CURRENCIES | set("¥₹₽₩₺₴₪₫")
NAMED_BY_SIGN: Final = {"€": "eur", "£": "gbp"}  # $ and ¥ each stand for several

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar jänner",
            "february feb februar",
            "march mar märz",
            "april apr",
            "may mai",
            "june jun juni",
            "july jul juli",
            "august aug",
            "september sep sept",
            "october oct oktober okt",
            "november nov",
            "december dec dezember dez",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_FIRST: Final = re.compile(
    rf"(?<!\S)([0-9]{{1,2}})(?:st|nd|rd|th| \.)?(?: of)? ({_MONTH})(?: \.)?(?: ,)? ([0-9]{{4}})(?!\S)"
)
_MONTH_FIRST: Final = re.compile(rf"(?<!\S)({_MONTH})(?: \.)? ([0-9]{{1,2}})(?:st|nd|rd|th)?(?: ,)? ([0-9]{{4}})(?!\S)")
_DOTTED: Final = re.compile(r"(?<!\S)([0-9]{1,2})(?:\.| \. )([0-9]{1,2})(?:\.| \. )([0-9]{4})(?!\S)")
_YEAR_FIRST: Final = re.compile(r"(?<!\S)([0-9]{4})([-./])([0-9]{1,2})\2([0-9]{1,2})(?!\S)")
_EITHER_FIRST: Final = re.compile(r"(?<!\S)([0-9]{1,2})([-/])([0-9]{1,2})\2([0-9]{4})(?!\S)")

_IBAN_START: Final = re.compile(r"[a-z]{2}[0-9]{2}[a-z0-9]{0,30}")
_IBAN: Final = re.compile(r"[a-z]{2}[0-9]{2}(?:[a-z0-9]{11,30}|(?: [a-z0-9]{4}){2,7}(?: [a-z0-9]{1,3})?)")
_IBAN_GROUP: Final = 4
_LETTERS: Final = {ord(char): str(int(char, 36)) for char in "abcdefghijklmnopqrstuvwxyz"}
_IBAN_CHARS: Final = (15, 34)  # ISO 13616: the shortest in use, the longest possible


def plain_number(value: float | str, minor_units: int = 0) -> str | None:
    """Return the one spelling of the number *value*, in units of the user's text; None where it is no plain number."""
    if type(value) is int and not minor_units:
        return str(value)
    text = value if isinstance(value, str) else repr(value)
    if minor_units == 0 and _PLAIN.fullmatch(text) and "." not in text:
        return text
    return _one_spelling(Decimal(text).scaleb(-minor_units)) if _PLAIN.fullmatch(text) else None


def written_number(token: str, beside: Sequence[str | None] = ()) -> str | None:
    """Return the one spelling of the number that a person wrote as *token*, *beside* being its neighbours.

    None where it is no number, and where it can be read in two ways.
    """
    match = _MONEY.fullmatch(token)
    if match is None:
        return None
    digits, attached = match[3], {match[2], match[4]} - {None}
    if not attached <= _ATTACHED or (_EITHER.fullmatch(digits) and CURRENCIES.isdisjoint(attached.union(beside))):
        return None
    if _GROUPED.fullmatch(digits):
        first = next(sign for sign in digits if sign in ".,")
        digits = digits.replace(first, "").replace(",", ".")
    elif _SWISS.fullmatch(digits):
        digits = digits.replace("'", "").replace(",", ".")
    elif _DECIMAL.fullmatch(digits):
        digits = digits.replace(",", ".")
    else:
        return None
    return _one_spelling(Decimal(("-" if match[1] else "") + digits))


def joined_thousands(text: str) -> str:
    """Return *text* with the narrow and unbreakable spaces between groups of three digits taken out."""
    return text if text.isascii() else _NARROW.sub("", text)


def written_dates(text: str) -> Iterator[str]:
    """Yield each date in *text*, tokens with single spaces between, as ISO 8601 spells it.

    A date that can be read in two ways (03/04/2026), or that no calendar has, is none.
    """
    for match in _DAY_FIRST.finditer(text):
        yield from _calendar(match[3], _MONTHS[match[2]], match[1])
    for match in _MONTH_FIRST.finditer(text):
        yield from _calendar(match[3], _MONTHS[match[1]], match[2])
    for match in _DOTTED.finditer(text):
        yield from _calendar(match[3], match[2], match[1])
    for match in _YEAR_FIRST.finditer(text):
        yield from _calendar(match[1], match[3], match[4])
    for match in _EITHER_FIRST.finditer(text):
        readings = {*_calendar(match[4], match[3], match[1]), *_calendar(match[4], match[1], match[3])}
        if len(readings) == 1:
            yield from readings


def written_ibans(words: Sequence[str | None]) -> Iterator[str]:
    """Yield each account number (ISO 13616) in *words*, without spaces: the longest with right check digits."""
    for start, word in enumerate(words):
        if word is None or not _IBAN_START.fullmatch(word.lower()):
            continue
        found = [
            joined
            for joined in _joined_groups(word.lower(), words[start + 1 : start + _IBAN_CHARS[1] // _IBAN_GROUP + 1])
            if is_iban(joined)
        ]
        yield from found[-1:]


def plain_iban(value: str) -> str | None:
    """Return the IBAN *value* without spaces and in small letters; None where it is none."""
    if not value[2:4].isdigit() or not _IBAN.fullmatch(low := value.lower()):
        return None
    joined = low.replace(" ", "")
    return joined if is_iban(joined) else None


def is_iban(joined: str) -> bool:
    """Return whether *joined*, small letters and digits, has right check digits (ISO 7064, MOD 97-10)."""
    if not joined.isascii() or not _IBAN_CHARS[0] <= len(joined) <= _IBAN_CHARS[1]:
        return False
    return int((joined[4:] + joined[:4]).translate(_LETTERS)) % 97 == 1


def _joined_groups(joined: str, groups: Sequence[str | None]) -> Iterator[str]:
    """Yield *joined*, and where it is a group of four, it with each group more; one of fewer than four is the last."""
    yield joined
    for group in groups if len(joined) == _IBAN_GROUP else ():
        if group is None or not group.isalnum() or len(group) > _IBAN_GROUP:
            return
        joined += group.lower()
        yield joined
        if len(group) < _IBAN_GROUP:
            return


def _calendar(year: int | str, month: int | str, day: int | str) -> Iterator[str]:
    try:
        yield date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return


def _one_spelling(number: Decimal) -> str:
    return format(number.normalize(), "f")
