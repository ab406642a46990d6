"""Training of the classifier's table, in plain Python: the same rows in the same order give the same bytes."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from guarded_agents.screen._classifier import BITS, packed, places

_EPOCHS: Final = 12
_RATE: Final = 0.15
_DECAY: Final = 0.003  # of each weight that a step moves
_DRIFT: Final = 0.25  # what each further word of a stretch costs it
_MIDDLE: Final = 4.0  # the score at which either is as likely
_LONGEST: Final = 600  # words of a piece that are learnt from: beyond these an attack repeats itself
_PRIOR: Final = 0.2  # what the weights begin with, of the logarithm of how much more often attacks have a word
_SCALE: Final = 25.0  # a weight of 1 as it is packed


class Piece(NamedTuple):
    """The places of a piece of text in the table: of each word, and of each with the one before."""

    alone: list[int]
    joined: list[int]


@dataclass(frozen=True, slots=True)
class Example:
    """A text in pieces, of which one at least is what its label says; and how much it counts."""

    pieces: tuple[Piece, ...]
    is_attack: bool
    weight: float = 1.0


class Stretch(NamedTuple):
    """The stretch of a piece that scores most: its first word, the one after its last, and its score."""

    piece: Piece
    first: int
    end: int
    score: float


def example(parts: Sequence[str], *, is_attack: bool, weight: float = 1.0) -> Example:
    """Return the example that *parts* of one text make."""
    found = (places(part.encode(errors="ignore")) for part in parts)
    pieces = tuple(Piece(alone[:_LONGEST], joined[:_LONGEST]) for alone, joined in found if alone)
    return Example(pieces, is_attack, weight)


def fit(examples: Sequence[Example], *, epochs: int = _EPOCHS) -> list[float]:
    """Return the weights that tell *examples* apart: logistic regression on the stretch of each that scores most."""
    weights = [0.0] * (1 << BITS)
    squares = [1e-2] * (1 << BITS)
    order = [one for one in examples if one.pieces]
    chance = random.Random(11)  # noqa: S311 - the same order each time
    _begin(weights, order)
    for _ in range(epochs):
        chance.shuffle(order)
        for one in order:
            _step(weights, squares, one)
    return weights


def _begin(weights: list[float], examples: Sequence[Example]) -> None:
    """Set *weights* to how much more often attacks have a word than others, shrunk."""
    seen = {True: [0.0] * len(weights), False: [0.0] * len(weights)}
    total = {True: 1.0, False: 1.0}
    for one in examples:
        total[one.is_attack] += one.weight
        counts = seen[one.is_attack]
        for place in {place for piece in one.pieces for table in piece for place in table}:
            counts[place] += one.weight
    for place in range(len(weights)):
        attack, other = seen[True][place], seen[False][place]
        if attack or other:
            weights[place] = _PRIOR * math.log((attack + 1) / (other + 1) * total[False] / total[True])


def _step(weights: list[float], squares: list[float], one: Example) -> None:
    best = stretch(weights, one.pieces)
    chance = 1 / (1 + math.exp(min(30.0, _MIDDLE - best.score)))
    error = one.weight * ((1.0 if one.is_attack else 0.0) - chance)
    if abs(error) < 0.01 * one.weight:
        return
    alone, joined = best.piece
    touched = {*alone[best.first : best.end], *joined[best.first + 1 : best.end]}
    pull = error / math.sqrt(len(touched))
    for place in touched:
        squares[place] += pull * pull
        weights[place] += _RATE * pull / math.sqrt(squares[place]) - _DECAY * weights[place]


def stretch(weights: Sequence[float], pieces: Sequence[Piece], *, drift: float = _DRIFT) -> Stretch:
    """Return the stretch of *pieces* that scores most."""
    best = Stretch(pieces[0], 0, 1, -math.inf)
    for piece in pieces:
        running, first = 0.0, 0
        for at, (alone, joined) in enumerate(zip(*piece, strict=True)):
            running += weights[joined] - drift
            if running < 0 or at == 0:
                running, first = 0.0, at
            running += weights[alone]
            if running > best.score:
                best = Stretch(piece, first, at + 1, running)
    return best


def pack(weights: Sequence[float], *, threshold: float) -> bytes:
    """Return the file of *weights* at *threshold*, rounded to a byte each."""
    table = [max(-128, min(127, round(weight * _SCALE))) for weight in weights]
    return packed(table, threshold=round(threshold * _SCALE), drift=round(_DRIFT * _SCALE))
