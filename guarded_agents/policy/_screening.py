"""What the policy says of texts: what is taken out of them, how the model is shown them, and what a finding does."""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, StringConstraints

from guarded_agents.records import Record

Personal = Literal["card", "email", "iban", "phone", "ssn"]
Secret = Literal["jwt", "password", "private-key", "vendor-key"]

SECRETS: Final[tuple[str, ...]] = get_args(Secret)
"""Taken out of each text, whatever the policy says."""

_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}(?::[0-9]{1,5})?")


class Spotlighting(StrEnum):
    """How an untrusted result is set apart for the model."""

    PLAIN = "plain"  # not at all
    DELIMITERS = "delimiters"
    MARKED = "marked"  # a mark between its words too


class OnInjection(StrEnum):
    """What a finding of injection in a result requires at least; one that requires more keeps it."""

    NOTHING = "nothing"
    ASK = "ask"
    QUARANTINE = "quarantine"


def _sorted(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        message = "each once"
        raise ValueError(message)
    return tuple(sorted(values))


def _host(value: str) -> str:
    if _HOST.fullmatch(value) is None:
        message = "a host such as docs.example.com, with a port where it is not the scheme's"
        raise ValueError(message)
    return value


Host = Annotated[str, StringConstraints(to_lower=True), AfterValidator(_host)]
Hosts = Annotated[tuple[Host, ...], AfterValidator(_sorted)]
PersonalKinds = Annotated[tuple[Personal, ...], AfterValidator(_sorted)]
ValueKinds = Annotated[tuple[Personal | Secret, ...], AfterValidator(_sorted)]


class ScreeningEntry(Record):
    """What is taken out of texts beside secrets, where links of an answer may lead, and what findings do."""

    redact: PersonalKinds = ()
    redact_response: bool = False
    hosts: Hosts = ()
    spotlight: Spotlighting = Spotlighting.DELIMITERS
    injection: OnInjection = OnInjection.ASK
    classifier: bool = False
