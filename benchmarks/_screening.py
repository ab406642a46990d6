"""What it costs to screen a text (DESIGN section 9, row 7): ordinary ones, and ones made to be slow."""

import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Final

from benchmarks._hostile import HOSTILE, hostile
from benchmarks._measure import Row
from guarded_agents.screen import (
    WORDINGS,
    Detector,
    HidingDetector,
    InjectionClassifier,
    Kind,
    LinkScreen,
    Pattern,
    PatternDetector,
    Redactor,
    Stage,
    clean,
    screen,
)
from guarded_agents.weights import injection_weights

_PATTERNS: Final = 200
_KB: Final = 1_000
_ROUNDS: Final = 5
_ASCII_MS: Final = 1.0
_UNICODE_MS: Final = 6.0
_HOSTILE_MS: Final = 20.0
_WORST_MS: Final = {12: 20.0, 1_000: 200.0}  # of any text of so many KB
_PER_KB_US: Final = 10.0
_CLASSIFIED_PER_KB_US: Final = 500.0
_SENTENCES: Final = {
    "ASCII": "Order 4411 was sent on 2026-03-14 to the address on file; see section 3.2 for returns (30 days).\n",
    "Russian": "Заказ 4411 отправлен 14 марта по адресу из договора; условия возврата см. в разделе 3.\n",
    "Japanese": "注文4411は3月14日に登録住所へ発送しました。返品については第3章をご覧ください。\n",
    "Hindi": "ऑर्डर 4411 को 14 मार्च को दर्ज पते पर भेज दिया गया; वापसी के लिए क्षेत्र 3 देखें।\n",
    "Persian": "سفارش ۴۴۱۱ در ۱۴ مارس فرستاده شد؛ برای بازگرداندن کتاب\u200c\u0647\u0627 بخش ۳ را ببینید.\n",
    "Vietnamese, decomposed": "Đơn hàng đã gửi ngày 14 tháng 3; xem mục 3 để trả hàng lại.\n",
    "German, typeset": "Bestellung\xa04411 \u2013 verschickt am 14.\u202fMärz; „Rückgabe“ siehe §\xa03.\n",
    "emoji": "📦 sent 👩\u200d🚀 on time ❤\ufe0f 👍🏽 see the 🇩🇪 shop\n",
}

_REDACTOR: Final = Redactor(bytes(32))
_LINKS: Final = LinkScreen(hosts=["docs.example.com"])


async def screening(*, units: Sequence[str], sizes_kb: Sequence[int]) -> AsyncIterator[Row]:
    """Yield ordinary texts, then the worst of the hostile *units* at each of *sizes_kb*."""
    patterns = _patterns()
    few = PatternDetector(WORDINGS)
    many = PatternDetector(patterns)
    for row in _ordinary(many, few):
        yield row
    yield _first_sight(patterns)
    for size in (100, *sizes_kb):
        yield _worst((many,), units, size)
    classifier = InjectionClassifier(injection_weights())
    for row in _classified(few, classifier):
        yield row
    for size in sizes_kb:
        yield _worst((many, classifier), units, size, named=", classified")


def _ordinary(many: Detector, few: Detector) -> Iterator[Row]:
    texts = {name: hostile(unit, size=100 * _KB) for name, unit in _SENTENCES.items()}
    spent = {name: _ms(partial(_looked_at, many, text)) for name, text in texts.items()}
    yield Row(f"clean and {_PATTERNS} patterns, 100 KB of ASCII", spent.pop("ASCII"), "ms of CPU", _ASCII_MS)
    worst = max(spent, key=spent.__getitem__)
    yield Row(
        f"clean and {_PATTERNS} patterns, 100 KB of other writing, the slowest",
        spent[worst],
        "ms of CPU",
        _UNICODE_MS,
        more={"slowest": worst, "all": {name: round(value, 3) for name, value in spent.items()}},
    )
    for size in (1, 10, 100):
        whole = _ms(partial(_screened, (few,), texts["ASCII"][: size * _KB]), times=100 // size)
        yield Row(f"a tool result of {size} KB, redacted too", whole / size * 1e3, "us of CPU per KB", _PER_KB_US)
    links = _ms(partial(_LINKS.neutralise, texts["ASCII"][: 10 * _KB]), times=10)
    yield Row("links of an answer of 10 KB", links / 10 * 1e3, "us of CPU per KB")


def _classified(few: Detector, classifier: Detector) -> Iterator[Row]:
    """Yield what a tool result costs with the classifier, the slowest writing too."""
    texts = {name: hostile(unit, size=10 * _KB) for name, unit in _SENTENCES.items()}
    spent = {name: _ms(partial(_screened, (few, classifier), text), times=10) * 100 for name, text in texts.items()}
    worst = max(spent, key=spent.__getitem__)
    for name, value in (("ASCII", spent["ASCII"]), ("the slowest writing", spent[worst])):
        yield Row(
            f"a tool result of 10 KB, redacted and classified, {name}",
            value,
            "us of CPU per KB",
            _CLASSIFIED_PER_KB_US,
            more={"all": {name: round(value, 1) for name, value in spent.items()}},
        )


def _looked_at(detector: Detector, text: str) -> object:
    return detector.detect(clean(text), stage=Stage.TOOL_RESULT)


def _screened(others: Sequence[Detector], text: str, links: LinkScreen | None = None) -> object:
    detectors = (HidingDetector(), *others)
    return screen(text, stage=Stage.TOOL_RESULT, detectors=detectors, redactor=_REDACTOR, links=links)


def _first_sight(patterns: Sequence[Pattern]) -> Row:
    """Return the first pass over words of the patterns in random order: each step builds a state of the set."""
    chance = random.Random(7)  # noqa: S311 - the same words each time
    words = sorted({word for pattern in patterns for word in re.findall("[a-z]{3,}", pattern.pattern)})
    spent = []
    for _ in range(_ROUNDS):
        detector = PatternDetector(patterns)
        text = clean(" ".join(chance.choices(words, k=30_000))[: 100 * _KB])
        start = time.process_time()
        detector.detect(text, stage=Stage.TOOL_RESULT)
        spent.append(time.process_time() - start)
    return Row("first sight of 100 KB of the patterns' own words", median(spent) * 1e3, "ms of CPU", _HOSTILE_MS)


def _worst(detectors: Sequence[Detector], units: Sequence[str], size_kb: int, *, named: str = "") -> Row:
    spent = {}
    for name in units:
        text = hostile(HOSTILE[name], size=size_kb * _KB)
        spent[name] = _ms(partial(_screened, detectors, text, _LINKS))
    ranked = sorted(spent, key=spent.__getitem__, reverse=True)
    return Row(
        f"the whole room{named}, {size_kb} KB, the slowest of {len(units)} hostile texts",
        spent[ranked[0]],
        "ms of CPU",
        _WORST_MS.get(size_kb, _HOSTILE_MS),
        more={"slowest": {name: round(spent[name], 3) for name in ranked[:5]}},
    )


def _ms(work: Callable[[], object], *, times: int = 1) -> float:
    """Return the median milliseconds of CPU of *work*, done so many times in each round, after one that is not."""
    spent = []
    for _ in range(_ROUNDS + 1):
        start = time.process_time()
        for _ in range(times):
            work()
        spent.append((time.process_time() - start) / times)
    return median(spent[1:]) * 1e3


def _patterns() -> list[Pattern]:
    """Return the built-in patterns, and others of their words until there are enough."""
    chance = random.Random(3)  # noqa: S311 - the same patterns each time
    words = sorted({word for pattern in WORDINGS for word in re.findall("[a-z]{3,}", pattern.pattern)})
    made = []
    for number in range(_PATTERNS - len(WORDINGS)):
        first, second, last = chance.sample(words, 3)
        text = rf"\b(?:{first}|{second})\s+(?:(?:the|a|your|my)\s+)*{last}(?:ing|ed|s)?\b"
        made.append(Pattern(id=f"made:p{number}", kind=Kind.INJECTION, pattern=text))
    return [*WORDINGS, *made]
