"""Where a value was read that a call has no authority for."""

from functools import lru_cache

from guarded_agents.provenance._facts import Facts
from guarded_agents.provenance._shapes import Origin
from guarded_agents.provenance._text import Leaf, Spelling, UserText, licenses, spelling
from guarded_agents.records import ArgumentTerms


def origin_of(leaf: Leaf, terms: ArgumentTerms, facts: Facts) -> Origin | None:
    """Return where *leaf* was first read: untrusted fields before trusted ones, then by message; None if nowhere.

    It is found by the tokens that would license it in a user's text, or as it stands. It says where to look, and not
    who is to blame.
    """
    if isinstance(leaf, bool):
        return None  # true and false are read everywhere
    found = spelling(leaf)
    for result, one in facts.evidence:
        if (type(one.value), one.value) == (type(leaf), leaf) or (
            isinstance(one.value, str) and _has(one.value, leaf, found, terms)
        ):
            return Origin(message=result.message, server=result.server, tool=result.tool, field=one.pointer)
    return None


def _has(text: str, leaf: Leaf, found: Spelling | None, terms: ArgumentTerms) -> bool:
    if found is None:  # it hides something, so no token of it counts
        return str(leaf) in text
    return licenses(_read(text), leaf, found, terms)


@lru_cache(maxsize=256)
def _read(text: str) -> UserText:
    return UserText("", text, is_evidence=True)
