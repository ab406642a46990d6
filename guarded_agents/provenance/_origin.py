"""Where a value was read that a call has no authority for."""

import re
from collections.abc import Iterator
from typing import Final

from guarded_agents.binding import clipped
from guarded_agents.provenance._facts import Facts, SeenResult
from guarded_agents.provenance._labels import Field
from guarded_agents.provenance._text import Leaf, Spelling, UserText, licenses, spelling
from guarded_agents.records import ArgumentTerms, Origin

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_AS_IT_STANDS: Final = re.compile(r"[A-Za-z][A-Za-z ]*|[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")  # words, a mail address


def origin_of(leaf: Leaf, terms: ArgumentTerms, facts: Facts) -> Origin | None:
    """Return where *leaf* was first read: untrusted fields before trusted ones, then by message; None if nowhere.

    It is found by the tokens that would license it in a user's text, or as it stands. It says where to look, and not
    who is to blame.
    """
    if isinstance(leaf, bool):
        return None  # true and false are read everywhere
    found = spelling(leaf)
    for result, one in facts.evidence:
        if _is(one, leaf) or (isinstance(one.value, str) and _has(result, one.value, found, leaf, terms)):
            field = "".join(f"/{name}" for name in _plain_names(one.pointer))
            return Origin(message=clipped(result.message), server=result.server, tool=result.tool, field=field)
    return None


def _is(one: Field, leaf: Leaf) -> bool:
    return type(one.value) is type(leaf) and one.value == leaf


def _has(result: SeenResult, text: str, found: Spelling | None, leaf: Leaf, terms: ArgumentTerms) -> bool:
    if found is None:  # it hides something, so no token of it counts
        return str(leaf) in text
    if text.isascii() and _is_absent(str(leaf), text):
        return False
    known = result.evidence.get(text)
    if known is None:
        known = result.evidence[text] = UserText("", text, is_evidence=True)
    return licenses(known, leaf, found, terms)


def _is_absent(value: str, text: str) -> bool:
    """Return whether *value* has one spelling only, and a word of it is not in *text*: so none need be tokenised."""
    return _AS_IT_STANDS.fullmatch(value) is not None and max(value.lower().split(), key=len) not in text.lower()


def _plain_names(pointer: str) -> Iterator[str]:
    """Yield the steps of *pointer* up to the first that is no plain name: names in an answer are its server's words."""
    for name in pointer.split("/")[1:]:
        if _NAME.fullmatch(name) is None:
            return
        yield name
