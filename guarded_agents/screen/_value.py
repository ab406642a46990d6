"""Values that should not be at rest or travel: what they look like, and the checksums that tell them from numbers.

Each field has a hint, which google-re2 looks for in one pass over all fields, and a way to locate the value, which is
walked only where the hint occurred. Locating is linear in the text: an expression starts where its run starts, or at a
literal, and what it looked through it consumes.
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from guarded_agents.screen._finding import Kind
from guarded_agents.screen._regex import regex

Span = tuple[int, int]
Locate = Callable[[str], Iterator[Span | None]]  # None is a candidate that is none, to be counted


class ValueKind(StrEnum):
    """What a redacted value is. It stands in the token."""

    PRIVATE_KEY = "private-key"  # RFC 7468, also of OpenSSH, PuTTY, age and OpenPGP
    VENDOR_KEY = "vendor-key"  # with the prefix of who issued it
    JWT = "jwt"  # RFC 7519
    PASSWORD = "password"  # assigned to a name that says so, in an address, or after Bearer or Basic  # noqa: S105
    EMAIL = "email"
    PHONE = "phone"  # E.164, or as written in North America
    IBAN = "iban"  # ISO 13616
    CARD = "card"  # ISO/IEC 7812
    SSN = "ssn"  # of the United States
    TOKEN = "token"  # what looks like a token of ours and came in with a text  # noqa: S105
    TEXT = "text"  # a whole text, where it has too many values


class Field(NamedTuple):
    """One kind of value."""

    kind: ValueKind
    group: Kind
    hint: str
    locate: Locate


def _always(_: str) -> bool:
    return True


def _by(pattern: str, check: Callable[[str], bool] = _always) -> Locate:
    compiled = re.compile(pattern, re.ASCII)  # a number may follow an ideograph without a space

    def locate(text: str) -> Iterator[Span | None]:
        for match in compiled.finditer(text):
            yield match.span() if check(match[0]) else None

    return locate


def _by_re2(pattern: str) -> Locate:
    compiled = regex(pattern)

    def locate(text: str) -> Iterator[Span | None]:
        for match in compiled.finditer(text):
            yield match.start(), match.end()

    return locate


# -- secrets --------------------------------------------------------------------------------------

_PRIVATE_KEY: Final = (  # up to its end, with headers and the \n of JSON; without one, as far as there is base64
    r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?>(?:[A-Za-z0-9+/=\s:,.()@<>\\]|-(?!----))*)-----END [A-Z0-9 ]{0,64}-----"
    r"|(?>(?:\s|\\[nr])*)(?>(?:[A-Za-z0-9+/=]{16,}+(?>(?:\s|\\[nr])*))*))"
    r"|Private-Lines: [0-9]{1,4}\s{1,2}(?>(?:[A-Za-z0-9+/=]{1,64}\s{1,2})*)"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{58}"
)
_VENDOR: Final = (
    r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}\b",  # AWS access key id
    r"AIza[0-9A-Za-z_-]{35}",  # Google API key
    r"GOCSPX-[0-9A-Za-z_-]{28}",
    r"ya29\.[0-9A-Za-z_-]{20,}",
    r"gh[opsur]_[0-9A-Za-z]{36,}",  # GitHub
    r"github_pat_[0-9A-Za-z_]{22,}",
    r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent)-[0-9A-Za-z_-]{20,}",  # GitLab
    r"xox[abeoprs]-[0-9A-Za-z-]{10,}",  # Slack
    r"xapp-[0-9]-[0-9A-Za-z-]{10,}",
    r"hooks\.slack\.com/(?:services|workflows)/[0-9A-Za-z/_-]{20,}",
    r"(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{16,}",  # Stripe
    r"whsec_[0-9A-Za-z+/]{24,}=*",
    r"sk-ant-[0-9A-Za-z_-]{20,}",  # Anthropic
    r"sk-(?:proj-|svcacct-|admin-|or-v1-)?[0-9A-Za-z_-]{32,}",  # OpenAI and those that took its form
    r"hf_[0-9A-Za-z]{30,}",  # Hugging Face
    r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",  # LangSmith
    r"npm_[0-9A-Za-z]{36}",
    r"pypi-AgE[0-9A-Za-z_-]{50,}",
    r"SG\.[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{16,64}",  # SendGrid
    r"(?:SK|AC)[0-9a-f]{32}\b",  # Twilio
    r"key-[0-9a-f]{32}\b",  # Mailgun
    r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
    r"dapi[0-9a-f]{32}",  # Databricks
    r"dckr_pat_[0-9A-Za-z_-]{20,}",  # Docker
    r"sq0(?:atp|csp)-[0-9A-Za-z_-]{22,}",  # Square
    r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",  # Shopify
    r"[0-9]{8,10}:AA[0-9A-Za-z_-]{33}",  # Telegram
    r"(?:hvs|hvb)\.[0-9A-Za-z_-]{20,}",  # Vault
    r"AccountKey=[0-9A-Za-z+/]{86}==",  # Azure storage
    r"glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}",  # Grafana
    r"NRAK-[0-9A-Z]{27}",  # New Relic
    r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",  # Postman
    r"lin_api_[0-9A-Za-z]{40}",  # Linear
    r"secret_[0-9A-Za-z]{43}\b|ntn_[0-9A-Za-z]{40,}",  # Notion
    r"EAA[0-9A-Za-z]{80,}",  # Meta
)
_VENDOR_KEY: Final = rf"\b(?:{'|'.join(_VENDOR)})"
_JWT: Final = r"eyJ(?<![\w.-]eyJ)[\w-]{8,}+(?:\.[\w-]*+){2,4}"  # and RFC 7516

_SAYS_SO: Final = (
    r"(?:passwo?r?d|passwd|passphrase|pwd|secret|api[_-]?key|apikey|access[_-]?key|auth[_-]?key|private[_-]?key"
    r"|(?:access|auth|refresh|bearer|session|id|api)[_-]?token|client[_-]?secret|encryption[_-]?key)"
)
_LEAD: Final = rf"(?i:{_SAYS_SO}[\"']?\s{{0,4}}(?::|=|:=|=>)\s{{0,4}}[\"']?|\b(?:bearer|basic)\s{{1,4}})"
_ASSIGNED: Final = rf"{_LEAD}[^\s\"'`,;<>(){{}}\[\]]{{8,}}"
_IN_ADDRESS: Final = re.compile(r"://[^\s/:@\"'<>]{0,64}:([^\s/@\"'<>]{1,256})@")


def _passwords() -> Locate:
    assigned, lead = regex(_ASSIGNED), re.compile(_LEAD)

    def locate(text: str) -> Iterator[Span | None]:
        for match in _IN_ADDRESS.finditer(text):
            yield match.span(1)
        for found in assigned.finditer(text):
            said = lead.match(text, found.start())
            start = said.end() if said else found.start()
            yield (start, found.end()) if _is_mixed(text[start : found.end()]) else None

    return locate


def _is_mixed(value: str) -> bool:
    """Return whether *value* has a digit and a letter: what stands in documents for a secret mostly has not."""
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value))


# -- personal data --------------------------------------------------------------------------------

_DOMAIN: Final = re.compile(  # RFC 1035 labels; the local part is looked for backwards, so that no run is walked twice
    r"@(?<=[\w%+'-]@)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z][A-Za-z0-9-]{1,62}",
    re.ASCII,
)
_LOCAL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+'-"
_MAX_LOCAL: Final = 64  # RFC 5321 section 4.5.3.1.1


def _emails(text: str) -> Iterator[Span | None]:
    for match in _DOMAIN.finditer(text):
        at = match.start()
        before = text[max(0, at - _MAX_LOCAL) : at]
        length = len(before) - len(before.rstrip(_LOCAL))
        yield (at - length, match.end()) if length else None


_CARD: Final = (
    r"[2-6](?<![\w.].)(?:[0-9]{12,18}|[0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?"
    r"|[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5})(?![\w])"
)
_ISSUED: Final = re.compile(  # by whom, and how long
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|3[0689][0-9]{12}"
    r"|35[0-9]{14}|6[0-9]{15,18}|5[06-9][0-9]{14,17}"
)
_DIGITS: Final = bytes(range(10))
_DOUBLED: Final = bytes(sum(divmod(2 * digit, 10)) for digit in range(10)) + bytes(246)


def is_luhn(digits: str) -> bool:
    """Return whether the last of *digits* is the check digit of the others (ISO/IEC 7812-1 annex B)."""
    values = bytes(map(int, reversed(digits)))
    return (sum(values[::2]) + sum(values[1::2].translate(_DOUBLED))) % 10 == 0


def _is_card(text: str) -> bool:
    digits = text.replace(" ", "").replace("-", "")
    return _ISSUED.fullmatch(digits) is not None and is_luhn(digits)


_IBAN_LENGTHS: Final = re.findall(  # ISO 13616-1, the registry's release 101, all 89 countries
    r"([A-Z]{2})([0-9]{2})",
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29"
    " ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20"
    " LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29"
    " PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    " YE30",
)
_IBAN: Final = (
    r"(?<!\w)(?=[A-Z]{2}[0-9]{2}[ A-Z0-9])(?:"
    + "|".join(f"{country}[0-9]{{2}}(?: ?[A-Z0-9]){{{int(length) - 4}}}" for country, length in _IBAN_LENGTHS)
    + r")(?![A-Za-z0-9])"
)


def is_iban(text: str) -> bool:
    """Return whether *text* passes the check of ISO 13616-1 (ISO/IEC 7064, MOD 97-10); spaces do not count."""
    plain = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


_PHONE: Final = (
    r"\+(?<![\w+].)[1-9](?:[ .()/-]{0,2}[0-9]){7,17}(?![0-9])"
    r"|[(2-9](?<![\w.+-].)(?:[0-9]{2}|[2-9][0-9]{2}\))[-. ]{1,2}[2-9][0-9]{2}[-. ][0-9]{4}(?![\w-])"
)
_SSN: Final = r"[0-8](?<![\w-].)[0-9]{2}-[0-9]{2}-[0-9]{4}(?![\w-])"


def _is_ssn(text: str) -> bool:
    area, group, serial = text.split("-")
    return area not in ("000", "666") and group != "00" and serial != "0000"


FIELDS: Final = (
    Field(ValueKind.PRIVATE_KEY, Kind.SECRET, r"PRIVATE KEY|Private-Lines: |AGE-SECRET-KEY-1", _by(_PRIVATE_KEY)),
    Field(ValueKind.VENDOR_KEY, Kind.SECRET, _VENDOR_KEY, _by_re2(_VENDOR_KEY)),
    Field(ValueKind.JWT, Kind.SECRET, r"eyJ[\w-]{8,32}", _by(_JWT)),
    Field(ValueKind.PASSWORD, Kind.SECRET, rf"{_ASSIGNED}|://[^\s/@]*:[^\s/@]+@", _passwords()),
    Field(ValueKind.IBAN, Kind.PERSONAL, r"[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}", _by(_IBAN, is_iban)),
    Field(ValueKind.CARD, Kind.PERSONAL, r"[2-6][0-9]{3}[ -]?[0-9]{4}[0-9 -]{5}", _by(_CARD, _is_card)),
    Field(ValueKind.SSN, Kind.PERSONAL, r"[0-9]{3}-[0-9]{2}-[0-9]{4}", _by(_SSN, _is_ssn)),
    Field(ValueKind.EMAIL, Kind.PERSONAL, r"@[0-9A-Za-z]", _emails),
    Field(ValueKind.PHONE, Kind.PERSONAL, r"\+[1-9]|[0-9]{3}\)?[-. ]{1,2}[0-9]{3}[-. ][0-9]{4}", _by(_PHONE)),
)
"""In the order in which they claim a stretch of text that two of them match."""
