"""What stands in a field of a policy file: names, durations, moments, tables, and how each of them is read."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_MAX_DURATION_S: Final = 90 * 86_400  # longer than any quarter; a forgotten zero is likelier
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|\+00:00)")

Key = TypeVar("Key")
Value = TypeVar("Value")


def _seconds(value: object) -> int:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        message = "a duration such as 30s, 15m, 4h or 2d"
        raise ValueError(message)
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _MAX_DURATION_S:
        message = "a duration of at most 90d"
        raise ValueError(message)
    return seconds


def _moment(value: object) -> datetime:
    if isinstance(value, str) and (_DATE.fullmatch(value) or _MOMENT.fullmatch(value)):
        moment = datetime.fromisoformat(value)  # raises ValueError for the 31st of February
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    message = "an ISO 8601 date, or a date and time in UTC such as 2027-01-31T00:00:00Z"
    raise ValueError(message)


def _frozen(table: Mapping[Key, Value]) -> Mapping[Key, Value]:
    return MappingProxyType(dict(table))


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        message = "each name once"
        raise ValueError(message)
    return tuple(sorted(values))


RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$")]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}/[!-~]{1,128}$")]
Name = Annotated[str, StringConstraints(pattern=r"^\S(?:.{0,254}\S)?$")]
Scope = Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]{1,256}$")]  # RFC 6749 section 3.3
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4_096)]
Table = Annotated[Mapping[Key, Value], AfterValidator(_frozen), PlainSerializer(dict)]
Names = Annotated[tuple[Name, ...], AfterValidator(_unique)]
Scopes = Annotated[tuple[Scope, ...], AfterValidator(_unique)]
ToolNames = Annotated[tuple[ToolName, ...], AfterValidator(_unique)]
Seconds = Annotated[int, BeforeValidator(_seconds)]
Until = Annotated[datetime, BeforeValidator(_moment)]
Pointer = Annotated[str, StringConstraints(pattern=r"^(?:/(?:[^~/]|~[01])*)*$", max_length=512)]  # RFC 6901
Phrase = Annotated[str, StringConstraints(pattern=r"^\S(?:.{0,98}\S)?$")]
Pointers = Annotated[tuple[Pointer, ...], AfterValidator(_unique)]
Phrases = Annotated[tuple[Phrase, ...], AfterValidator(_unique)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
