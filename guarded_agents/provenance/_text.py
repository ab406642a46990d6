"""What the user wrote, tokenised once, and what it names.

The text is authority, so whatever is in doubt in it names nothing: what stands in a clause with a negation, and single
tokens that say too little to name anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final, NamedTuple

from guarded_agents.provenance._spellings import (
    NAMED_BY_SIGN,
    joined_thousands,
    plain_iban,
    plain_number,
    written_dates,
    written_ibans,
    written_number,
)
from guarded_agents.provenance._tokens import SIGNS, is_word, spelt, tokens_of
from guarded_agents.provenance._verbs import Verbs
from guarded_agents.records import ArgumentTerms, ArgumentUse

Leaf = str | int | float  # of JSON; true and false are integers to Python

_ENDS_CLAUSE: Final = frozenset(".;!?\n") | {"but", "sondern", "aber"}  # a comma may go on with what is negated
_NEGATING: Final = """not never cannot without except excluding instead avoid stop refrain skip
    dont doesnt didnt wont cant shouldnt mustnt
    nicht nie niemals ohne kein keine keinen keinem keiner keines außer ausser statt anstatt vermeide"""
_NEGATES: Final = frozenset(_NEGATING.split())
_TURNED_BY: Final = frozenset({"if", "falls", "wenn", "vergiss"})  # "if not", "vergiss nicht"
_TURNED_AFTER: Final = frozenset({"forget", "hesitate"})  # "do not forget to"
_NUMBERED_BY: Final = frozenset({"#", "no", "nr", "number", "nummer", "id"})
_DATE_WORDS: Final = 3  # of one written out: 3 April 2026
_SHORT_NUMBER: Final = 3  # digits: "1 item", "30 days"; longer ones are seldom written by chance
_FILLING: Final = """the an of to in on at for from with and or by is are be it its this that these those all any each
    every everyone everybody everything nobody me my you your we our us he him his she her they them their as if so do
    yes ok please now then than when what who which there here not no but into about after before up out new one two
    der die das den dem des ein eine einen einem einer eines ich mir mich mein meine du dir dich sie er es ihm ihn ihr
    ihre wir uns unser und oder mit von zu zum zur nach für bei auf im am um aus ist sind wie was wer wenn dann alle
    allen alles jede jeder jedem jeden bitte ja nein neu"""
_LEFT_OUT: Final = "\1"  # no token of a value has it
_SAYS_NOTHING: Final = frozenset(_FILLING.split())


class Spelling(NamedTuple):
    """A value that a model wrote, in the spellings by which it may be found."""

    tokens: tuple[str, ...]
    iban: str | None


def spelling(leaf: Leaf) -> Spelling | None:
    """Return the spellings of *leaf*; None where it hides something."""
    value = leaf if isinstance(leaf, str) else str(leaf)
    tokens = spelt(value)
    return None if tokens is None else Spelling(tokens, plain_iban(value))


def canonical_target(leaf: Leaf, found: Spelling | None) -> str:
    """Return one spelling for all in which the target *leaf*, spelt as *found*, may be licensed.

    Its uses are counted by it, so that another spelling of one target makes no new use.
    """
    if found is None:
        return f"?{leaf}"
    if found.iban is not None:
        return found.iban
    words = found.tokens if len(found.tokens) == 1 else [token for token in found.tokens if token not in SIGNS]
    if len(words) != 1:
        said = " ".join([_bare(word) for word in words])
        return next(written_dates(said), said) if len(words) == _DATE_WORDS else said
    word = _bare(words[0]).removeprefix("https://")
    return next(written_dates(word), word) if word[:1].isdigit() else word


@dataclass(frozen=True)
class UserText:
    """One text of the user's own, as it was recorded at entry. *id* is that of its message.

    With *is_evidence* it is no authority but a text in which a value is looked for: then what is negated counts too.
    """

    id: str
    text: str = field(repr=False)
    is_evidence: bool = False
    _words: tuple[str | None, ...] = field(init=False, repr=False)
    _known: frozenset[str] = field(init=False, repr=False)
    _runs: tuple[str, str] = field(init=False, repr=False)  # all words, as they stand and by what they call
    _numbers: frozenset[str] = field(init=False, repr=False)
    _wholes: frozenset[str] = field(init=False, repr=False)  # dates, account numbers, currencies

    def __post_init__(self) -> None:
        """Tokenise the text. What stands in a negated clause is left out."""
        tokens = tokens_of(joined_thousands(self.text))
        words = tuple[str | None, ...](tokens if self.is_evidence else _affirmed(tokens))
        called = [None if word is None else _called(word) for word in words]
        beside = [None, *words, None]
        numbers = {written_number(word, beside[place : place + 3]) for place, word in enumerate(words) if word}
        wholes = {name for word in words if word for sign, name in NAMED_BY_SIGN.items() if sign in word}
        wholes.update(written_ibans(words), written_dates(" ".join([word or _LEFT_OUT for word in words])))
        made = {
            "_words": words,
            "_known": frozenset(word for word in (*words, *called) if word is not None),
            "_runs": (_run(words), _run(called)),
            "_numbers": frozenset(numbers),
            "_wholes": frozenset(wholes),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def has(self, token: str) -> bool:
        """Return whether *token*, in its one spelling, is a whole token of the text, or a date or currency in it."""
        return token in self._known or token in self._wholes

    def asks(self, verbs: Verbs) -> bool:
        """Return whether one of *verbs* is in the text."""
        return not verbs.words.isdisjoint(self._known) or any(map(self.has_run, verbs.runs))

    def has_run(self, tokens: Sequence[str]) -> bool:
        """Return whether *tokens* stand in the text one after the other."""
        run = _run(tokens)
        return bool(tokens) and (run in self._runs[0] or run in self._runs[1])

    def has_number(self, number: str) -> bool:
        """Return whether a number is in the text that has this one spelling."""
        return number in self._numbers

    def names(self, found: Spelling) -> bool:
        """Return whether the text names the value *found*: its tokens one after the other, or one that means the same.

        A value that says nothing (function words, one letter, a short number that is not called one) is not named.
        """
        tokens = found.tokens
        if found.iban in self._wholes:
            return True
        if len(tokens) == 1:
            return self._names_one(tokens[0])
        return any(map(_says_something, tokens)) and self.has_run(tokens)

    def _names_one(self, token: str) -> bool:
        if token in self._wholes:
            return True
        if token not in self._known:
            return token.startswith("https://") and self._names_host(token.removeprefix("https://"))
        if _says_something(token):
            return True
        return token.isdigit() and any(map(self._is_numbered, range(len(self._words)), repeat(token)))

    def _names_host(self, address: str) -> bool:
        """Return whether the text has *address* without its scheme: ``example.com`` names ``https://example.com``."""
        host = address.partition("/")[0]
        return "@" not in host and any(map(str.isalpha, host.rpartition(".")[2])) and "." in host and self.has(address)

    def _is_numbered(self, place: int, token: str) -> bool:
        """Return whether *token*, a number, stands at *place* and is called one: ``#12``, ``no. 12``, ``id: 12``."""
        word = self._words[place]
        if word != token:
            return word is not None and _called(word) == token
        before = [word for word in self._words[max(0, place - 2) : place] if word not in {".", ":"}]
        return bool(before) and before[-1] in _NUMBERED_BY


def licenses(text: UserText, leaf: Leaf, found: Spelling | None, terms: ArgumentTerms) -> bool:
    """Return whether *text* has the value *leaf*, spelt as *found*, for an argument of *terms*."""
    if terms.use is ArgumentUse.AMOUNT:
        number = plain_number(leaf, terms.minor_units)
        if number is not None:
            return text.has_number(number)
    return found is not None and text.names(found)


def _called(word: str) -> str:
    """Return what *word* calls by name: ``#general`` a channel, ``@ana`` a person, ``bob's`` Bob; else itself."""
    other = word.removesuffix("'s")
    other = other[1:] if other[:1] in {"#", "@"} else other
    return other or word


def _run(words: Iterable[str | None]) -> str:
    """Return *words* as a text in which a run of whole words is found as a part."""
    return "".join([f"\0{word or _LEFT_OUT}" for word in words]) + "\0"


def _bare(word: str) -> str:
    return word.lstrip("#@").removesuffix("'s")


def _says_something(token: str) -> bool:
    if token.isdigit():
        return len(token) > _SHORT_NUMBER
    return len(token) > 1 and token not in _SAYS_NOTHING and is_word(token)


def _affirmed(tokens: list[str]) -> Iterator[str | None]:
    """Yield each token, but None for each of a clause that negates."""
    clause: list[str] = []
    for token in [*tokens, "\n"]:
        if token in _ENDS_CLAUSE:
            negated = _negates(clause)
            yield from (None if negated else word for word in clause)
            yield token
            clause = []
        else:
            clause.append(token)


def _negates(clause: list[str]) -> bool:
    return any(
        _is_negation(word, after) and before not in _TURNED_BY and after not in _TURNED_AFTER
        for before, word, after in zip(["", *clause], clause, [*clause[1:], ""], strict=False)
    )


def _is_negation(word: str, after: str) -> bool:
    if word == "no":
        return after[:1].isalpha()  # "no mail to"; neither "no, send it" nor "no 12"
    return word in _NEGATES or word.endswith("n't")
