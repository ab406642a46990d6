"""What a content argument may say while the thread is tainted."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from guarded_agents.provenance._facts import Facts
from guarded_agents.provenance._spellings import plain_number
from guarded_agents.provenance._text import Leaf, spelling
from guarded_agents.provenance._tokens import is_word
from guarded_agents.records import ContentRule

_JOINING: Final = str.maketrans("", "", "'-")
_ORDINAL: Final = re.compile(r"[0-9]{1,2}-?(?:st|nd|rd|th)")  # "second", which is free; no link, price or account


def first_news(leaf: Leaf, rule: ContentRule, facts: Facts) -> Leaf | None:
    """Return the first token in *leaf* that *rule* does not let through, the whole of *leaf* where it hides something.

    None where the rule lets it through. True and false say no token, and pass. What has a token's spelling in the
    user's texts is let through by every rule, wherever it stands there.
    """
    if rule is ContentRule.FREE or isinstance(leaf, bool):
        return None
    found = spelling(leaf)
    if found is None:
        return leaf
    known = facts.trusted_tokens if rule is ContentRule.TRUSTED_ONLY else facts.named_tokens
    for token in filter(_NEWS_OF[rule], found.tokens):
        if token not in known and not any(_in_texts(token, facts)):
            return token
    return None


def _in_texts(token: str, facts: Facts) -> Iterator[bool]:
    number = plain_number(token)
    for text in facts.texts:
        yield text.has(token) or (number is not None and text.has_number(number))


def _is_linked(token: str) -> bool:
    """Return whether *token* is more than a word: a digit or a sign stands in it, as in every link and every number."""
    if token.isalpha() or not is_word(token) or _ORDINAL.fullmatch(token):
        return False
    return not token.translate(_JOINING).isalpha()


_NEWS_OF: Final[dict[ContentRule, Callable[[str], bool]]] = {
    ContentRule.NO_NEW_LINKS: _is_linked,
    ContentRule.NO_NEW_TOKENS: is_word,
    ContentRule.TRUSTED_ONLY: is_word,
}
