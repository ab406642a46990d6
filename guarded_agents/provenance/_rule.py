"""One tool's terms, made ready to weigh its calls."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pydantic import JsonValue

from guarded_agents.binding import clipped
from guarded_agents.provenance._labels import escaped
from guarded_agents.provenance._text import Leaf
from guarded_agents.provenance._tokens import fold
from guarded_agents.provenance._verbs import Verbs, verbs_of
from guarded_agents.records import ArgumentTerms, ArgumentUse, AuthorityTerms, Confidentiality, ToolEffect

_STRICTEST: Final = ArgumentTerms()
_RANK: Final = {level: rank for rank, level in enumerate(Confidentiality)}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAIL: Final = re.compile(r"[a-z0-9._+-]+@[a-z0-9.-]+")  # one plain address: no list, no name, no route


@dataclass(frozen=True, slots=True)
class AuthorityRule:
    """The terms of one tool, ready: verbs as runs of tokens, readers in their one spelling."""

    tool: str
    is_consequential: bool
    arguments: Mapping[str, ArgumentTerms]
    natural_keys: tuple[str, ...]
    verbs: Verbs
    readers: Mapping[str, int] | None  # ranks
    any_reader: int
    least_reader: int

    def terms(self, argument: str) -> ArgumentTerms:
        """Return the terms of *argument*; one that the policy does not list is a target."""
        return self.arguments.get(argument, _STRICTEST)

    def shown(self, argument: str) -> str:
        """Return the name *argument* as people and the log are shown it, "" for the call itself.

        A name that the policy does not list is a model's word: one that is no plain name is told by its SHA-256.
        """
        if argument in self.arguments or _PLAIN.fullmatch(argument) or not argument:
            return clipped(argument)
        return f"sha256:{sha256(argument.encode('utf-8', 'replace')).hexdigest()}"

    def may_read(self, arguments: Mapping[str, JsonValue], level: Confidentiality) -> str | None:
        """Return the first argument with a target that may not read *level*, "" for the call; None where all may."""
        if self.readers is None or _RANK[level] <= self.least_reader:
            return None
        named = False
        for name, value in arguments.items():
            if self.terms(name).use is not ArgumentUse.TARGET:
                continue
            for _, leaf in leaves_of(value):
                named = True
                if self._rank(leaf) < _RANK[level]:
                    return name
        return None if named or _RANK[level] <= self.any_reader else ""

    def _rank(self, leaf: JsonValue) -> int:
        readers = self.readers or {}
        if not isinstance(leaf, str):
            return self.any_reader
        whole = fold(leaf)
        domain = f"@{whole.rpartition('@')[2]}" if _MAIL.fullmatch(whole) else ""
        return readers.get(whole, readers.get(domain, self.any_reader))


def compile_authority(terms: AuthorityTerms) -> AuthorityRule:
    """Return *terms* ready to weigh calls by; made once for a tool."""
    readers = terms.readers
    if readers is None and terms.effect is ToolEffect.EGRESS:
        readers = {}
    ranks = None if readers is None else {fold(name): _RANK[level] for name, level in readers.items() if name != "any"}
    anybody = _RANK[Confidentiality.PUBLIC if readers is None else readers.get("any", Confidentiality.PUBLIC)]
    return AuthorityRule(
        tool=terms.tool,
        is_consequential=terms.effect is not ToolEffect.READ,
        arguments=terms.arguments,
        natural_keys=tuple(name for name, argument in terms.arguments.items() if argument.natural_key),
        verbs=verbs_of(terms.verbs),
        readers=ranks,
        any_reader=anybody,
        least_reader=min([anybody, *(ranks or {}).values()]),
    )


def leaves_of(value: JsonValue, keys: frozenset[str] = frozenset()) -> list[tuple[str, Leaf]]:
    """Return each value in the argument *value* that says something, with a JSON pointer to it (RFC 6901).

    Null, an empty text, an empty list and an empty object say nothing: they are as if left out. The names in an object
    are values too, but for those in *keys*; so they stand in no pointer, which then ends at the object around them.
    """
    found: list[tuple[str, Leaf]] = []
    waiting = [("", value)]
    while waiting:
        pointer, part = waiting.pop()
        if isinstance(part, str | int | float):
            if part != "":
                found.append((pointer, part))
        elif isinstance(part, list):
            waiting += [(f"{pointer}/{index}", child) for index, child in reversed(list(enumerate(part)))]
        elif part is not None:
            for name, child in reversed(part.items()):
                if name in keys:
                    waiting.append((f"{pointer}/{escaped(name)}", child))
                else:
                    waiting += [(pointer, child), (pointer, name)]
    return found
