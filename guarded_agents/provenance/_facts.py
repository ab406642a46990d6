"""What is on record of a thread: what its user wrote, what it has read, what was agreed to and what is spent."""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import JsonValue

from guarded_agents.binding import canonical, keyed_digest
from guarded_agents.provenance._labels import Field, TrustedRecord, fields_of, is_within, trusted_records
from guarded_agents.provenance._rule import AuthorityRule
from guarded_agents.provenance._shapes import Plan
from guarded_agents.provenance._text import Leaf, UserText, canonical_target, spelling
from guarded_agents.provenance._tokens import is_word, tokens_of
from guarded_agents.records import Endorsement, Integrity, Labels, Licence, ResultTerms


@dataclass(frozen=True)
class SeenResult:
    """One answer of a tool, as the thread has seen it: *message* is the id of the message that shows it.

    *value* is the structured answer, or its text.
    """

    message: str
    server: str
    tool: str
    value: JsonValue = field(repr=False)
    terms: ResultTerms = field(default_factory=ResultTerms)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Return its fields with their labels."""
        return tuple(fields_of(self.value, self.terms))

    @cached_property
    def evidence(self) -> dict[str, UserText]:
        """Return the texts of its fields that were looked into so far, by what they say. It grows as they are."""
        return {}

    @cached_property
    def records(self) -> tuple[TrustedRecord, ...]:
        """Return its records, each with a trusted key."""
        return tuple(trusted_records(self.value, self.terms))


@dataclass(frozen=True)
class NamedRecord:
    """A record that the user named. *texts* are the ids of the texts that name it."""

    keys: frozenset[str | int]
    texts: frozenset[str]
    pointers: Mapping[tuple[bool, Leaf], tuple[str, ...]] = field(repr=False)

    def holds(self, leaf: Leaf, from_fields: tuple[str, ...]) -> bool:
        """Return whether *leaf* is a field of the record, exactly as it stands there."""
        pointers = self.pointers.get((isinstance(leaf, str), leaf), ())
        return bool(pointers) and (not from_fields or any(is_within(pointer, from_fields) for pointer in pointers))


@dataclass(frozen=True)
class Facts:
    """Everything that a call is weighed by. Built anew when the thread's record grows; order does not matter.

    *labels* are the thread's, *spent* the uses recorded so far, *key* the deployment's for keyed digests;
    *is_suspect* is whether something in what the thread has read was found to instruct its model.
    """

    key: bytes = field(repr=False)
    labels: Labels = Labels()
    texts: tuple[UserText, ...] = ()
    results: tuple[SeenResult, ...] = ()
    endorsed: tuple[Endorsement, ...] = ()
    spent: tuple[Licence, ...] = ()
    plan: Plan | None = None
    is_suspect: bool = False

    @cached_property
    def is_tainted(self) -> bool:
        """Return whether the thread has read what may come from somebody else than its user."""
        return self.labels.integrity is not Integrity.TRUSTED

    @cached_property
    def named(self) -> tuple[NamedRecord, ...]:
        """Return the records that the user named, each by a key that no other record has."""
        known = {
            (result.server, record.fields): record
            for result in self.results
            for record in (_sorted(found) for found in result.records)
        }
        bearers: dict[str, set[tuple[str, tuple[tuple[str, Leaf], ...]]]] = {}
        texts: dict[str, frozenset[str]] = {}
        for identity, record in known.items():
            for key in record.keys:
                one = canonical_target(key, spelling(key))
                if one not in texts:
                    texts[one] = self._naming(key)
                bearers.setdefault(one, set()).add(identity)
        naming = {one: ids for one, ids in texts.items() if ids}
        single: dict[tuple[str, tuple[tuple[str, Leaf], ...]], frozenset[str]] = {}
        for one, ids in naming.items():
            if len(bearers[one]) == 1 and not _is_part(one, naming):
                (identity,) = bearers[one]
                single[identity] = single.get(identity, frozenset()) | ids
        return tuple(_named(known[identity], ids) for identity, ids in single.items())

    @cached_property
    def members(self) -> tuple[NamedRecord, ...]:
        """Return what the user named all of, "each user", by phrases that the policy lists; of each only its keys.

        Which there are, the trusted keys say that were read: no other text adds one.
        """
        found: dict[tuple[str, ...], frozenset[str | int]] = {}
        for result in self.results:
            for record in result.records if result.terms.every else ():
                found[result.terms.every] = found.get(result.terms.every, frozenset()) | record.keys
        return tuple(
            NamedRecord(frozenset([key]), ids, {(isinstance(key, str), key): ("",)})
            for phrases, keys in found.items()
            if (ids := self._asking(phrases))
            for key in keys
        )

    @cached_property
    def named_tokens(self) -> frozenset[str]:
        """Return the tokens of all fields of the records that the user named."""
        return _tokens(leaf for record in self.named for _, leaf in record.pointers)

    @cached_property
    def trusted_tokens(self) -> frozenset[str]:
        """Return the tokens of all trusted fields that the thread has read."""
        return _tokens(
            found.value
            for result in self.results
            for found in result.fields
            if found.labels.integrity is Integrity.TRUSTED
        )

    @cached_property
    def evidence(self) -> tuple[tuple[SeenResult, Field], ...]:
        """Return the fields in which a value is looked for: untrusted ones first, then by message."""
        found = [(result, one) for result in self.results for one in result.fields]
        return tuple(sorted(found, key=_suspicion))

    def spending(self, use: Licence) -> "Facts":
        """Return these facts after one use more; what was worked out of the others stays worked out."""
        after = copy(self)
        object.__setattr__(after, "spent", (*self.spent, use))
        return after

    def approvals(self, tool: str, argument: str, value: JsonValue) -> frozenset[str]:
        """Return the approval requests in which a person agreed to exactly this value of this argument."""
        if not self.endorsed:
            return frozenset()
        digest = value_digest(self.key, tool, argument, value)
        return frozenset(one.approval for one in self.endorsed if one[:3] == (tool, argument, digest))

    def _asking(self, phrases: Iterable[str]) -> frozenset[str]:
        runs = [tokens_of(phrase) for phrase in phrases]
        return frozenset(text.id for text in self.texts if any(map(text.has_run, runs)))

    def _naming(self, key: str | int) -> frozenset[str]:
        found = spelling(key)
        return frozenset(text.id for text in self.texts if found is not None and text.names(found))


def value_digest(key: bytes, tool: str, argument: str, value: JsonValue) -> str:
    """Return the keyed digest (hex) of *value* as the argument of *tool*. Raises BindingError as `canonical`."""
    return keyed_digest(key, "value", tool, argument, canonical({"": value}))


def endorsements(
    arguments: Mapping[str, JsonValue], rule: AuthorityRule, *, approval: str, key: bytes
) -> tuple[Endorsement, ...]:
    """Return what a person endorses who agrees to this call in the request *approval*: exactly its values."""
    return tuple(
        Endorsement(rule.tool, name, value_digest(key, rule.tool, name, value), approval)
        for name, value in sorted(arguments.items())
    )


def pin_plan(tools: Iterable[str], labels: Labels) -> Plan:
    """Return the plan of these tools ("server/tool"), for a thread with these *labels*.

    After the first untrusted text it is too late to pin one: the plan then has no tool, and only a person extends it.
    """
    return Plan(tools=tuple(sorted(set(tools))) if labels.integrity is Integrity.TRUSTED else ())


def _sorted(record: TrustedRecord) -> TrustedRecord:
    return record._replace(fields=tuple(sorted(record.fields, key=lambda pair: pair[0])))


def _named(record: TrustedRecord, texts: frozenset[str]) -> NamedRecord:
    pointers: dict[tuple[bool, Leaf], tuple[str, ...]] = {}
    for pointer, leaf in record.fields:
        at = (isinstance(leaf, str), leaf)
        pointers[at] = (*pointers.get(at, ()), pointer)
    return NamedRecord(record.keys, texts, pointers)


def _is_part(one: str, naming: Iterable[str]) -> bool:
    """Return whether another key that the user wrote has *one* in it: ``report`` in ``report final``."""
    return any(one != other and f" {one} " in f" {other} " for other in naming)


def _tokens(values: Iterable[JsonValue]) -> frozenset[str]:
    leaves = [str(value) for value in values if isinstance(value, str | int | float)]
    return frozenset(token for leaf in leaves for token in tokens_of(leaf) if is_word(token))


def _suspicion(found: tuple[SeenResult, Field]) -> tuple[bool, str, str, str, str]:
    result, one = found
    is_trusted = one.labels.integrity is Integrity.TRUSTED
    return is_trusted, result.message, result.server, result.tool, one.pointer
