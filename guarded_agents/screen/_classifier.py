"""A small trained classifier: which stretch of a tool result reads most like an order to the model.

Every word and every pair of neighbours has a weight, from a table that training fills (docs/model-card.md). A text's
score is that of the stretch whose sum is largest, so that an injection in a long document counts as it would alone:
text before or after it never lowers the score.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from zlib import crc32

from guarded_agents.errors import ConfigurationError
from guarded_agents.screen._clean import CleanText
from guarded_agents.screen._finding import Finding, Kind, Required, Stage

MAGIC: Final = b"guarded-agents classifier 1\n"
BITS: Final = 16
"""Of a place in the table: 65,536 weights of one byte each."""
MAX_BYTES: Final = 256_000
"""Of a text, in UTF-8 as patterns see it, that are scored. Of a longer one the first and the last half of this are
scored, where what is meant to be read stands, and a finding says that the rest was not: 1 MB would take 0.2 s."""
INJECTION: Final = "classifier:injection"
UNREAD: Final = "classifier:part-unread"

_SLOTS: Final = 1 << BITS
_MASK: Final = _SLOTS - 1
_NUMBER_BYTES: Final = 4
_DIGEST_BYTES: Final = 32
_NOTHING_BEFORE: Final = -1_000  # lower than any pair can lift above 0: the first word has none
_SIZE: Final = len(MAGIC) + 2 * _NUMBER_BYTES + _SLOTS + _DIGEST_BYTES
# Letters in lower case, any digit as 0, what is not ASCII as it is; all else parts words.
_FOLDED: Final = bytes(
    code + 32 if 65 <= code <= 90 else 48 if 48 <= code <= 57 else code if 97 <= code <= 122 or code > 127 else 32  # noqa: PLR2004
    for code in range(256)
)


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
        if max(self._score(part) for part in scored) >= self.threshold:
            findings.append(Finding(id=INJECTION, kind=Kind.INJECTION, stage=stage, required=self._required))
        if not is_whole:
            findings.append(Finding(id=UNREAD, kind=Kind.UNSCREENED, stage=stage, required=self._required))
        return tuple(findings)

    def score(self, eyes: str) -> int:
        """Return what the stretch of *eyes* (a text as patterns see it) scores that scores most; 0 or more."""
        return max(self._score(part) for part in _parts(eyes.encode())[0])

    def _score(self, eyes: bytes) -> int:
        weights, drift = self._weights, self.drift
        best, running = 0, _NOTHING_BEFORE
        for alone, joined in zip(*places(eyes), strict=True):
            running += weights[joined] - drift
            if running < 0:  # noqa: PLR1730  a call of max() for each word takes as long as all the rest
                running = 0
            running += weights[alone]
            if running > best:  # noqa: PLR1730  the same
                best = running
        return best


def places(eyes: bytes) -> tuple[list[int], list[int]]:
    """Return for each word of *eyes* its place in the table, and the place of it together with the word before.

    A pair is hashed like the word that both make when run together, so that a word parted by a blank is still met.
    """
    words = eyes.translate(_FOLDED, b"'").split()
    codes = [*map(crc32, words)]
    pairs = map(crc32, words, [0, *codes[:-1]])
    return [code & _MASK for code in codes], [code & _MASK for code in pairs]


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
        raise _wrong("a table of format 1", "another format")
    if len(data) != _SIZE:
        raise _wrong(f"{_SIZE} bytes", str(len(data)))
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if sha256(body).digest() != digest:
        raise _wrong("weights that match their digest", "others")
    numbers = body[len(MAGIC) : -_SLOTS]
    threshold, drift = (int.from_bytes(numbers[at : at + _NUMBER_BYTES], "big") for at in (0, _NUMBER_BYTES))
    return threshold, drift, tuple(memoryview(body[-_SLOTS:]).cast("b"))


def _parts(eyes: bytes) -> tuple[tuple[bytes, ...], bool]:
    if len(eyes) <= MAX_BYTES:
        return (eyes,), True
    half = MAX_BYTES // 2
    return (eyes[:half], eyes[-half:]), False


def _wrong(expected: str, got: str) -> ConfigurationError:
    return ConfigurationError("classifier weights", expected=expected, got=got, action="install the package again")
