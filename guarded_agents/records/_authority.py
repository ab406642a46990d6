"""What the policy says of the authority of values: the terms by which a call may run unattended (DESIGN section 7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from guarded_agents.records._call import ToolEffect
from guarded_agents.records._origin import Confidentiality, Labels


class ArgumentUse(StrEnum):
    """What an argument means for the authority of its value (DESIGN section 7)."""

    TARGET = "target"  # whom or what the effect reaches, and who reads it
    AMOUNT = "amount"
    SELECTOR = "selector"  # which of the things that the tool holds; it reads nothing
    CONTENT = "content"


class ContentRule(StrEnum):
    """What a content argument may carry while the thread is tainted (DESIGN section 7)."""

    FREE = "free"
    NO_NEW_LINKS = "no_new_links"  # words and ordinals are free; whatever else has a digit or a sign in it is not
    NO_NEW_TOKENS = "no_new_tokens"
    TRUSTED_ONLY = "trusted_only"


@dataclass(frozen=True, slots=True)
class ArgumentTerms:
    """How the value of one argument gets its authority. The default is the strictest.

    With *natural_key* only the user's own text, or an endorsement, gives it authority, and records count for this
    call only where this value is their key. *from_fields* are JSON pointers (RFC 6901) within a record: no other field
    of it counts; empty means any. *minor_units* is how many decimal digits of the user's number the value counts in
    (2 for cents). *keys* are the names that objects in the value have; any other name is a value itself.
    """

    use: ArgumentUse = ArgumentUse.TARGET
    natural_key: bool = False
    content: ContentRule = ContentRule.NO_NEW_TOKENS
    minor_units: int = 0
    from_fields: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ResultTerms:
    """The labels of what a tool answers, and which records it holds.

    *fields* are labels by JSON pointer (RFC 6901) and hold for all below it. Where *records* points to a record or to
    a list of them, the pointers of *fields* and *keys* start at each record, otherwise at the whole answer. What no
    pointer covers has *labels*. *every* are the phrases by which a person means all of the records at once.
    """

    labels: Labels = Labels()
    fields: Mapping[str, Labels] = field(default_factory=lambda: MappingProxyType({}))
    records: str | None = None
    keys: tuple[str, ...] = ()  # each is alone what a person may name the record by
    every: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorityTerms:
    """What the policy says of one tool, "server/tool". Left out, each part is the strictest.

    *verbs* are the phrases by which a user asks for the tool; none means that no text licenses it. *readers* says up
    to which confidentiality a target may read: by its whole value, by ``@domain`` of a mail address, or ``any``. None
    means that nobody but the public reads what leaves (egress), and that nobody new reads what is written.
    """

    tool: str
    effect: ToolEffect = ToolEffect.EGRESS
    arguments: Mapping[str, ArgumentTerms] = field(default_factory=lambda: MappingProxyType({}))
    verbs: tuple[str, ...] = ()
    readers: Mapping[str, Confidentiality] | None = None
    result: ResultTerms = field(default_factory=ResultTerms)
