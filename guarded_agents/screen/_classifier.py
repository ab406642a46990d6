"""A small trained classifier: which stretch of a tool result reads most like an order to the model.

Every word, pair of neighbours and pair with one word between has a weight, from a table that training fills
(docs/model-card.md); words also count as the family that they belong to. A text's score is that of the stretch whose
sum is largest, of what stands inside it, so that an injection in a long document counts as it would alone: text before
or after it never lowers the score.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import repeat
from typing import Final, NamedTuple
from zlib import crc32

from guarded_agents.errors import ConfigurationError
from guarded_agents.screen._clean import CleanText
from guarded_agents.screen._families import FAMILY
from guarded_agents.screen._finding import Finding, Kind, Required, Stage

MAGIC: Final = b"guarded-agents classifier 2\n"
BITS: Final = 18
"""Of a place in the table: 262,144 weights of one byte each."""
MAX_BYTES: Final = 256_000
"""Of a text, in UTF-8 as patterns see it, that are scored. Of a longer one the first and the last half of this are
scored, where what is meant to be read stands, and a finding says that the rest was not: 1 MB would take 0.3 s."""
MAX_WORDS: Final = 50_000
"""Of a text that are scored, in the same way: as many as 300 KB of English have. Words of one letter cost most."""
INJECTION: Final = "classifier:injection"
UNREAD: Final = "classifier:part-unread"

_SLOTS: Final = 1 << BITS
_MASK: Final = _SLOTS - 1
_OTHER_BITS: Final = 32 - BITS  # of a code, so that a pair with a word between has another place than one without
_STEM: Final = 6  # bytes of a word of no family that stand for it and its kin
_KIN: Final = 1  # what codes of families and stems begin with: another place than that of a word
_NUMBER_BYTES: Final = 4
_DIGEST_BYTES: Final = 32
_NOTHING_BEFORE: Final = -10_000  # lower than any two words can lift above 0: the first has no word before it
_SIZE: Final = len(MAGIC) + 2 * _NUMBER_BYTES + _SLOTS + _DIGEST_BYTES
# Letters in lower case, any digit as 0, what is not ASCII as it is; all else parts words.
_FOLDED: Final = bytes(
    code + 32 if 65 <= code <= 90 else 48 if 48 <= code <= 57 else code if 97 <= code <= 122 or code > 127 else 32  # noqa: PLR2004
    for code in range(256)
)


class Places(NamedTuple):
    """The places in the table of each word of a text, one list for each of what it counts as."""

    words: list[int]
    kin: list[int]
    pairs: list[int]  # with the word before
    kin_pairs: list[int]
    kin_gaps: list[int]  # with the word before that one


class InjectionClassifier:
    """Scores tool results with a table of weights. Immutable; threads may share it."""

    def __init__(self, weights: bytes, *, required: Required = Required.ASK) -> None:
        """Take the table *weights*, as `packed` makes it, and what a finding requires.

        Raises ConfigurationError where the table is not whole. About one ordinary text in a hundred is found, so that
        more than ASK costs what these were for.
        """
        self.threshold, self.drift, self._weights = _unpacked(weights)
        self._required: Final = required

    def detect(self, text: CleanText, *, stage: Stage) -> tuple[Finding, ...]:
        """Return a finding where *text* is a tool result that scores the threshold or more, sorted by id.

        A text too long to be scored whole has a second one, which requires the same: length hides nothing.
        """
        if stage is not Stage.TOOL_RESULT:
            return ()
        scored, is_whole = _parts(text.eyes.encode())
        findings = []
        if max(map(self._score, scored)) >= self.threshold:
            findings.append(Finding(id=INJECTION, kind=Kind.INJECTION, stage=stage, required=self._required))
        if not is_whole:
            findings.append(Finding(id=UNREAD, kind=Kind.UNSCREENED, stage=stage, required=self._required))
        return tuple(findings)

    def score(self, eyes: str) -> int:
        """Return what the stretch of *eyes* (a text as patterns see it) scores that scores most; 0 or more."""
        return max(map(self._score, _parts(eyes.encode())[0]))

    def _score(self, words: Sequence[bytes]) -> int:
        """Return the score of the best stretch: its words, its pairs less the drift, and pairs with one between."""
        found, weights, drift = places(words), self._weights, self.drift
        alone = [weights[word] + weights[kin] for word, kin in zip(found.words, found.kin, strict=True)]
        links = [weights[pair] + weights[kin] - drift for pair, kin in zip(found.pairs, found.kin_pairs, strict=True)]
        best, longer, single = max(alone, default=0), _NOTHING_BEFORE, _NOTHING_BEFORE
        for own, link, gap in zip(alone, links, map(weights.__getitem__, found.kin_gaps), strict=True):
            # One that begins at the word before has none before that. A call of max() takes as long as all the rest.
            longer = (single if single > longer + gap else longer + gap) + link + own  # noqa: FURB136
            single = own
            if longer > best:  # noqa: PLR1730
                best = longer
        return max(0, best)


def words_of(eyes: bytes) -> list[bytes]:
    """Return the words of *eyes* as they are weighed: letters in lower case, digits as 0, without apostrophes."""
    return eyes.translate(_FOLDED, b"'").split()


def places(words: Sequence[bytes]) -> Places:
    """Return for each of *words* its places in the table.

    A pair is hashed like the word that both make when run together, so that a word parted by a blank is still met.
    """
    codes = [*map(crc32, words)]
    kin = [FAMILY.get(word) or word[:_STEM] for word in words]
    kin_codes = [*map(crc32, kin, repeat(_KIN))]
    return Places(
        _masked(codes),
        _masked(kin_codes),
        _masked(map(crc32, words, [0, *codes])),
        _masked(map(crc32, kin, [0, *kin_codes])),
        [code >> _OTHER_BITS for code in map(crc32, kin, [0, 0, *kin_codes])],
    )


def _masked(codes: Iterable[int]) -> list[int]:
    return [code & _MASK for code in codes]


def packed(weights: Sequence[int], *, threshold: int, drift: int) -> bytes:
    """Return the file of a table: *weights* of -128 to 127 by place, *threshold* and *drift*, and a digest of all.

    Raises ValueError where there are not 2 to the power of BITS weights, OverflowError where a number is out of range.
    """
    if len(weights) != _SLOTS:
        raise ValueError(f"expected {_SLOTS} weights, got {len(weights)}")
    numbers = threshold.to_bytes(_NUMBER_BYTES, "big") + drift.to_bytes(_NUMBER_BYTES, "big")
    table = b"".join(weight.to_bytes(1, "big", signed=True) for weight in weights)
    body = MAGIC + numbers + table
    return body + sha256(body).digest()


def _unpacked(data: bytes) -> tuple[int, int, tuple[int, ...]]:
    if not data.startswith(MAGIC):
        raise _wrong("a table of format 2", "another format")
    if len(data) != _SIZE:
        raise _wrong(f"{_SIZE} bytes", str(len(data)))
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if sha256(body).digest() != digest:
        raise _wrong("weights that match their digest", "others")
    numbers = body[len(MAGIC) : -_SLOTS]
    threshold, drift = (int.from_bytes(numbers[at : at + _NUMBER_BYTES], "big") for at in (0, _NUMBER_BYTES))
    return threshold, drift, tuple(memoryview(body[-_SLOTS:]).cast("b"))


def _parts(eyes: bytes) -> tuple[tuple[list[bytes], ...], bool]:
    """Return the words of *eyes* that are scored, in one part or two, and whether they are all."""
    few = MAX_WORDS // 2
    if len(eyes) > MAX_BYTES:
        half = MAX_BYTES // 2
        return (words_of(eyes[:half])[:few], words_of(eyes[-half:])[-few:]), False
    words = words_of(eyes)
    if len(words) > MAX_WORDS:
        return (words[:few], words[-few:]), False
    return (words,), True


def _wrong(expected: str, got: str) -> ConfigurationError:
    return ConfigurationError("classifier weights", expected=expected, got=got, action="install the package again")
