"""Training of the classifier's table, in plain Python: the same rows in the same order give the same bytes."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from guarded_agents.screen._classifier import BITS, packed, places, words_of

_EPOCHS: Final = 8
_SEEDS: Final = (11, 12)  # of the orders in which the examples are gone through: the weights are their mean
_RATE: Final = 0.15
_DECAY: Final = 0.0005  # of each weight that a step moves
_DRIFT: Final = 0.25  # what each further word of a stretch costs it
_MIDDLE: Final = 4.0  # the score at which either is as likely
_LONGEST: Final = 600  # words of a piece that are learnt from: beyond these an attack repeats itself
_PRIOR: Final = 0.35  # what the weights begin with, of the logarithm of how much more often attacks have a word
_SCALE: Final = 40.0  # a weight of 1 as it is packed; the drift is whole then


class Word(NamedTuple):
    """The places of a word in the table: of its own, of what it makes with the one before, and with that before it."""

    alone: tuple[int, int]
    joined: tuple[int, int]
    gap: int


Piece = list[Word]


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
    found = (_piece(words_of(part.encode(errors="ignore"))[:_LONGEST]) for part in parts)
    return Example(tuple(piece for piece in found if piece), is_attack, weight)


def _piece(words: Sequence[bytes]) -> Piece:
    rows = zip(*places(words), strict=True)
    return [Word((word, kin), (pair, kin_pair), gap) for word, kin, pair, kin_pair, gap in rows]


def fit(examples: Sequence[Example]) -> list[float]:
    """Return the weights that tell *examples* apart: logistic regression on the stretch of each that scores most."""
    order = [one for one in examples if one.pieces]
    begun = _begun(order)
    total = [0.0] * len(begun)
    for seed in _SEEDS:
        weights, squares = begun.copy(), [1e-2] * len(begun)
        chance = random.Random(seed)  # noqa: S311 - the same order each time
        seen = order.copy()
        for _ in range(_EPOCHS):
            chance.shuffle(seen)
            for one in seen:
                _step(weights, squares, one)
        total = [have + weight for have, weight in zip(total, weights, strict=True)]
    return [have / len(_SEEDS) for have in total]


def _begun(examples: Sequence[Example]) -> list[float]:
    """Return how much more often attacks have a word than others, shrunk: what the weights begin with."""
    weights = [0.0] * (1 << BITS)
    seen = {True: weights.copy(), False: weights.copy()}
    total = {True: 1.0, False: 1.0}
    for one in examples:
        total[one.is_attack] += one.weight
        counts = seen[one.is_attack]
        for place in {
            place for piece in one.pieces for word in piece for place in (*word.alone, *word.joined, word.gap)
        }:
            counts[place] += one.weight
    for place, (attack, other) in enumerate(zip(seen[True], seen[False], strict=True)):
        if attack or other:
            weights[place] = _PRIOR * math.log((attack + 1) / (other + 1) * total[False] / total[True])
    return weights


def _step(weights: list[float], squares: list[float], one: Example) -> None:
    best = stretch(weights, one.pieces)
    chance = 1 / (1 + math.exp(min(30.0, _MIDDLE - best.score)))
    error = one.weight * ((1.0 if one.is_attack else 0.0) - chance)
    if abs(error) < 0.01 * one.weight:
        return
    words = best.piece[best.first : best.end]
    touched = {place for word in words for place in word.alone}
    touched.update(place for word in words[1:] for place in word.joined)
    touched.update(word.gap for word in words[2:])
    pull = error / math.sqrt(len(touched))
    for place in touched:
        squares[place] += pull * pull
        weights[place] += _RATE * pull / math.sqrt(squares[place]) - _DECAY * weights[place]


def stretch(weights: Sequence[float], pieces: Sequence[Piece]) -> Stretch:
    """Return the stretch of *pieces* that scores most, as the classifier scores it."""
    best = Stretch(pieces[0], 0, 1, -math.inf)
    for piece in pieces:
        longer, single, first = -math.inf, -math.inf, 0
        for at, ((word, kin), (pair, kin_pair), gap) in enumerate(piece):
            longer += weights[gap]
            if single > longer:
                longer, first = single, at - 1
            single = weights[word] + weights[kin]
            longer += weights[pair] + weights[kin_pair] + single - _DRIFT
            if longer > best.score:
                best = Stretch(piece, first, at + 1, longer)
            if single > best.score:
                best = Stretch(piece, at, at + 1, single)
    return best


def pack(weights: Sequence[float], *, threshold: float) -> bytes:
    """Return the file of *weights* at *threshold*, rounded to a byte each."""
    table = [max(-128, min(127, round(weight * _SCALE))) for weight in weights]
    return packed(table, threshold=round(threshold * _SCALE), drift=round(_DRIFT * _SCALE))
