"""What was found in a text, and what that asks for."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final, Protocol

from pydantic import PositiveInt, StringConstraints

from guarded_agents.records import Record
from guarded_agents.screen._clean import CleanText

PATTERN_ID: Final = r"^[a-z][a-z0-9-]{0,31}:[a-z0-9][a-z0-9-]{0,63}\z"

FindingId = Annotated[str, StringConstraints(pattern=PATTERN_ID)]


class Stage(StrEnum):
    """Where on the way of a call a text stands."""

    USER_INPUT = "user_input"
    TOOL_DEFINITION = "tool_definition"
    TOOL_RESULT = "tool_result"
    RESPONSE = "response"


class Kind(StrEnum):
    """What a text was found to do."""

    INJECTION = "injection"  # it instructs the model
    EXFILTRATION = "exfiltration"  # it would have data carried out
    HIDING = "hiding"  # part of it was not meant to be seen
    SECRET = "secret"  # noqa: S105  a kind of finding
    PERSONAL = "personal"  # it is about a person
    UNSCREENED = "unscreened"  # a detector could not answer


class Required(StrEnum):
    """What a text asks for, from nothing to most; each holds what stands before it."""

    NOTHING = "nothing"
    ASK = "ask"  # a person, before each consequential call of the thread that follows
    QUARANTINE = "quarantine"  # keep the text from the model
    DENY = "deny"  # go no further with what it belongs to


_RANKS: Final = {required: rank for rank, required in enumerate(Required)}


class Finding(Record):
    """What a detector says of a text: what, where on the way, how often at least, what for. Never the text itself."""

    id: FindingId  # stable: it stands in the audit log
    kind: Kind
    stage: Stage
    count: PositiveInt = 1
    required: Required = Required.NOTHING


class Detector(Protocol):
    """Whatever looks for something in a text: patterns, a trained classifier, a service."""

    def detect(self, text: CleanText, *, stage: Stage) -> tuple[Finding, ...]:
        """Return what was found in *text*, sorted by id; nothing found, nothing returned.

        What cannot answer says so by a finding of kind UNSCREENED. A detector that raises has not screened, and its
        caller goes on as with one that requires DENY.
        """
        ...


def raised(required: Required, findings: Iterable[Finding]) -> Required:
    """Return the strictest of what was *required* before and what *findings* require; it is never lowered."""
    return max((required, *(finding.required for finding in findings)), key=_RANKS.__getitem__)
