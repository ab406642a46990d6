"""Patterns: regular expressions with a name, looked for all at once."""

import re
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from guarded_agents.errors import ConfigurationError
from guarded_agents.records import Record
from guarded_agents.screen._clean import CleanText, clean
from guarded_agents.screen._finding import Finding, FindingId, Kind, Required, Stage
from guarded_agents.screen._regex import MAX_MEMORY, regex, regex_set

MAX_PATTERNS: Final = 500
"""In one set. Each position of a text carries what all of them remember, and 200 is what the benchmark measures."""
MAX_LENGTH: Final = 2_000
"""Characters of one pattern: the longest built-in one, a table of a dozen languages, doubled."""
MAX_REPEATS: Final = 32
"""Of a counted repetition. A set keeps a state for each count at which it may stand, and for all at once."""

MAX_PROGRAM: Final = 4_000
"""Instructions of one pattern when compiled: nested repetitions multiply, and classes of letters are long in UTF-8."""
_MAX_WARM_UP: Final = 16_384  # characters; of the built-in patterns it is a quarter of that
UNANSWERED: Final = "screen:patterns-unanswered"
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_REPEATS: Final = re.compile(r"(?<!\\x)\{(?:[0-9]{0,9},)?([0-9]{1,9})[,}]")


class Pattern(Record):
    """A regular expression (google-re2 syntax) that sees NFKC text in either case, and what its finding requires."""

    id: FindingId
    kind: Kind
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=MAX_LENGTH)]
    required: Required = Required.ASK
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] = tuple(Stage)


class PatternDetector:
    r"""Finds which of its patterns occur in a text, in one pass over it. Compiled once; threads may share it.

    The pass is linear in the text whatever the patterns are, and theirs is how long a step of it takes: patterns of
    words and closed lists of words take some nanoseconds for a byte, many with an open gap in them (``.*``,
    ``(\w+ ){0,5}``) up to two microseconds.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        """Compile *patterns*. Raises ConfigurationError, which names the pattern, where one or all cannot be used."""
        self.patterns: Final = tuple(sorted(patterns, key=lambda pattern: pattern.id))
        _check(self.patterns)
        # The empty pattern occurs in every text. A set that runs out of memory answers that nothing was found, and so
        # without this one it would pass what it did not look at.
        self._canary: Final = len(self.patterns)
        try:
            self._set = regex_set([*(pattern.pattern for pattern in self.patterns), ""], folds_case=True)
        except ValueError as error:
            raise _wrong("patterns", f"at most {MAX_MEMORY} bytes when compiled", str(error)) from None
        self._set.Match(clean(_warm_up(self.patterns)).eyes.encode())  # so that no first text pays for it

    def detect(self, text: CleanText, *, stage: Stage) -> tuple[Finding, ...]:
        """Return a finding for each pattern of *stage* that occurs in ``text.eyes``, sorted by id.

        A finding's count is 1: whether a pattern occurs takes one pass, how often would take one for each pattern.
        """
        found = self._set.Match(text.eyes.encode())
        if found is None or self._canary not in found:
            return (Finding(id=UNANSWERED, kind=Kind.UNSCREENED, stage=stage, required=Required.DENY),)
        if len(found) == 1:
            return ()
        matched = [self.patterns[index] for index in sorted(found) if index != self._canary]
        return tuple(
            Finding(id=pattern.id, kind=pattern.kind, stage=stage, required=pattern.required)
            for pattern in matched
            if stage in pattern.stages
        )


def _check(patterns: tuple[Pattern, ...]) -> None:
    if len(patterns) > MAX_PATTERNS:
        raise _wrong("patterns", f"at most {MAX_PATTERNS}", str(len(patterns)))
    seen: set[str] = set()
    for pattern in patterns:
        subject = f"pattern {pattern.id}"
        if pattern.id in seen:
            raise _wrong(subject, "it once", "it twice")
        seen.add(pattern.id)
        if any(int(bound) > MAX_REPEATS for bound in _REPEATS.findall(pattern.pattern)):
            raise _wrong(subject, f"repetitions counted up to {MAX_REPEATS}", "a larger one")
        try:
            size = regex(pattern.pattern, folds_case=True).programsize
        except ValueError as error:
            raise _wrong(subject, "a regular expression of google-re2", str(error)) from None
        if size > MAX_PROGRAM:
            raise _wrong(subject, f"a program of at most {MAX_PROGRAM} instructions", str(size))


def _warm_up(patterns: tuple[Pattern, ...]) -> str:
    """Return the words of *patterns*, after a run of marks that has `clean` build all that it keeps.

    A set builds its states as a text asks for them, and a text of these words asks for most.
    """
    words = sorted({word for pattern in patterns for word in _WORD.findall(pattern.pattern)})
    return ("e" + "\u0301" * 31 + " " + " ".join(words))[:_MAX_WARM_UP]


def _wrong(subject: str, expected: str, got: str) -> ConfigurationError:
    return ConfigurationError(subject, expected=expected, got=got, action="correct the patterns")
