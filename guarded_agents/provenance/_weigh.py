"""May this call run without asking anybody? DESIGN section 7, steps 3 and 4.

A value has authority by one of three ways and by no other: the user wrote it, it is a field of the one record that the
user named by a declared key, or a person agreed to it on this thread. What a tool answered gives none by itself,
however trusted: it let an injected text book another hotel (FACTS part D).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pydantic import JsonValue

from guarded_agents.binding import keyed_digest
from guarded_agents.provenance._content import first_news
from guarded_agents.provenance._facts import Facts, NamedRecord
from guarded_agents.provenance._origin import origin_of
from guarded_agents.provenance._rule import AuthorityRule, leaves_of
from guarded_agents.provenance._shapes import Authority, Ruling
from guarded_agents.provenance._text import Leaf, Spelling, canonical_target, licenses, spelling
from guarded_agents.records import ArgumentTerms, ArgumentUse, ContentRule, Lack, Licence, Miss

_READ: Final = Authority(Ruling.UNATTENDED)
_UNPLANNED: Final = Authority(Ruling.DENY, (Miss(lack=Lack.PLAN),))
_LACKS: Final[Mapping[ArgumentUse, Lack]] = {use: Lack(use.value) for use in ArgumentUse}
_NONE: Final[frozenset[str]] = frozenset()


class _Part(NamedTuple):
    """One value of a call: where it stands, what it is and how it is spelt, and the texts that license it (ids)."""

    argument: str
    at: str
    leaf: Leaf
    found: Spelling | None
    texts: frozenset[str]


def weigh(arguments: Mapping[str, JsonValue], rule: AuthorityRule, facts: Facts) -> Authority:
    """Return whether the call with *arguments* (parsed once from their canonical bytes) may run unattended.

    Pure, and in whatever order the facts stand the same. A read needs no authority. A thread that has read nothing but
    its user's text needs none for values and verbs; the plan, the readers of confidential text, and what
    was found to be suspect hold there too.
    """
    if not rule.is_consequential:
        return _READ
    if facts.plan is not None and not facts.plan.covers(rule.tool):
        return _UNPLANNED
    call = _Call(arguments, rule, facts)
    use, lack = call.use()
    misses = [*call.misses()] if facts.is_tainted else []
    if facts.is_tainted and lack is not None:
        misses.append(Miss(lack=lack))
    unread = rule.may_read(arguments, facts.labels.confidentiality)
    if unread is not None:
        misses.append(Miss(lack=Lack.READERS, argument=rule.shown(unread)))
    if facts.is_suspect:
        misses.append(Miss(lack=Lack.SUSPICION))
    return Authority(Ruling.ASK if misses else Ruling.UNATTENDED, tuple(misses), use)


class _Call:
    """One call while it is weighed."""

    __slots__ = ("_aimed", "_arguments", "_facts", "_others", "_rule")

    def __init__(self, arguments: Mapping[str, JsonValue], rule: AuthorityRule, facts: Facts) -> None:
        self._arguments, self._rule, self._facts = arguments, rule, facts
        self._aimed: list[_Part] = []
        self._others: list[tuple[str, JsonValue, ArgumentTerms]] = []
        for name, value in arguments.items():
            terms = rule.terms(name)
            if terms.use is ArgumentUse.TARGET or terms.use is ArgumentUse.SELECTOR:
                self._aimed += [self._part(name, at, leaf, terms) for at, leaf in leaves_of(value, terms.keys)]
            elif terms.use is ArgumentUse.AMOUNT or terms.content is not ContentRule.FREE:
                self._others.append((name, value, terms))

    def misses(self) -> Iterator[Miss]:
        """Yield what no text and no record licenses, but for what was endorsed, all of it in one approval."""
        lacking: dict[str, _Part] = {}
        for part in self._parts():
            if not part.texts:
                lacking.setdefault(part.argument, part)
        if not lacking:
            return
        approvals = {name: self._approvals(name) for name in lacking}
        given = [requests for requests in approvals.values() if requests]
        is_one = bool(given) and bool(frozenset.intersection(*given))
        for name, part in sorted(lacking.items()):
            if not approvals[name]:
                yield self._located(part)
            elif not is_one:
                yield Miss(lack=Lack.TOGETHER, argument=self._rule.shown(name))

    def use(self) -> tuple[Licence, Lack | None]:
        """Return the use that this call makes of what the user asked for, and what it lacks for that.

        A text that has the verb and all targets, but for those that a person endorsed, gives one use. Where no single
        text has both, all of them together do, and that use draws on each of them.
        """
        asking = {text.id for text in self._facts.texts if text.asks(self._rule.verbs)}
        named = [part for part in self._aimed if not self._approvals(part.argument)]
        whole = sorted(entry for entry in asking if all(entry in part.texts for part in named))
        together = tuple(sorted(asking.union(*(part.texts for part in self._aimed))))
        targets, drawn = self._targets(), [*map(_only, whole)] or [together]
        for entries in drawn:
            use = Licence(self._rule.tool, entries, targets)
            if not any(map(use.spends, self._facts.spent)):
                return use, None if asking else Lack.VERB
        return Licence(self._rule.tool, together, targets), Lack.SPENT if asking else Lack.VERB

    def _approvals(self, argument: str) -> frozenset[str]:
        return self._facts.approvals(self._rule.tool, argument, self._arguments[argument])

    def _parts(self) -> Iterator[_Part]:
        """Yield the targets, selectors and amounts, and what each content argument says that its rule does not pass."""
        yield from self._aimed
        for name, value, terms in self._others:
            for at, leaf in leaves_of(value, terms.keys):
                if terms.use is ArgumentUse.AMOUNT:
                    yield self._part(name, at, leaf, terms)
                    continue
                news = first_news(leaf, terms.content, self._facts)
                if news is not None:
                    yield _Part(name, at, news, None, _NONE)

    def _part(self, argument: str, at: str, leaf: Leaf, terms: ArgumentTerms) -> _Part:
        """Return *leaf* with the ids of the texts that have it, else of those that name a record which holds it."""
        if isinstance(leaf, bool):
            return _Part(argument, at, leaf, None, _NONE)  # no word of a text is true or false
        found = spelling(leaf)
        texts = frozenset([text.id for text in self._facts.texts if licenses(text, leaf, found, terms)])
        if not texts and not terms.natural_key:
            holding = [record.texts for record in self._records() if record.holds(leaf, terms.from_fields)]
            if terms.use is ArgumentUse.TARGET:
                holding += [member.texts for member in self._facts.members if member.holds(leaf, ())]
            texts = texts.union(*holding)
        return _Part(argument, at, leaf, found, texts)

    def _records(self) -> Sequence[NamedRecord]:
        """Return the records that count for this call: where it has natural keys, only what they are keys of."""
        keys = [self._arguments.get(name) for name in self._rule.natural_keys]
        return [
            record
            for record in self._facts.named
            if all(isinstance(key, str | int) and not isinstance(key, bool) and key in record.keys for key in keys)
        ]

    def _targets(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        key, found = self._facts.key, dict[str, set[str]]()
        for part in self._aimed:
            digest = keyed_digest(key, "target", canonical_target(part.leaf, part.found))
            found.setdefault(part.argument, set()).add(digest)
        return tuple([(name, tuple(sorted(found[name]))) for name in sorted(found)])

    def _located(self, part: _Part) -> Miss:
        terms = self._rule.terms(part.argument)
        origin = origin_of(part.leaf, terms, self._facts)
        return Miss(lack=_LACKS[terms.use], argument=self._rule.shown(part.argument), at=part.at, origin=origin)


def _only(entry: str) -> tuple[str, ...]:
    return (entry,)
