"""No sequence of answers, summaries, trimming, restarts and forged state lowers a label (DESIGN I9)."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from guarded_agents import Principal
from guarded_agents.nodes import Exposure
from guarded_agents.records import UNEXPOSED, Confidentiality, Integrity, Labels, ThreadFacts
from guarded_agents.stores import SqliteStore

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LABELS = [Labels(integrity=one, confidentiality=other) for one in Integrity for other in Confidentiality]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reads"), st.sampled_from(LABELS)),
        st.tuples(
            st.sampled_from(
                ["answers", "summarises", "trims", "restarts", "forges", "rewrites", "overwrites", "travels"]
            ),
            st.none(),
        ),
    ),
    max_size=12,
)
FORGED = (AIMessage, HumanMessage, SystemMessage)


def at_least(labels: Labels, other: Labels) -> bool:
    return labels.join(other) == labels


class Run:
    """One thread: what its state shows, and what a careful reader knows of each message in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown: list[tuple[BaseMessage, Labels]] = [(HumanMessage("please", id="m1"), UNEXPOSED)]
        self.states: list[list[tuple[BaseMessage, Labels]]] = []
        self.number = 0
        self.open()
        asyncio.run(self.enter())
        self.exposure.remember("t", self.shown[0][0], UNEXPOSED)

    def open(self) -> None:
        self.store = SqliteStore.open(self.path)
        self.exposure = Exposure(self.store, lambda: NOON)

    async def enter(self) -> None:
        await self.store.open_entry(
            thread="t", entry="e", requester=Principal(id="p"), tenant="d", labels=UNEXPOSED, now=NOON
        )

    def facts(self) -> ThreadFacts:
        facts = self.store.thread("t")
        assert facts is not None
        return facts

    def step(self, what: str, labels: Labels | None) -> None:
        self.number += 1
        self.states.append(list(self.shown))
        if labels is not None:
            answer = ToolMessage(f"answer {self.number}", tool_call_id=f"c{self.number}", id=f"r{self.number}")
            self.exposure.remember("t", answer, labels)
            self.shown.append((answer, labels))
        else:
            getattr(self, what)()
        asyncio.run(self.exposure.of(self.facts(), [message for message, _ in self.shown]))

    def answers(self) -> None:
        said = AIMessage(f"said {self.number}", id=f"a{self.number}")
        self.exposure.remember("t", said, self.facts().labels)
        self.shown.append((said, self.facts().labels))

    def summarises(self) -> None:
        summary = HumanMessage(f"In short, {self.number}", id=f"s{self.number}")
        labels = self.exposure.summarised("t", summary)
        for _, of in self.shown:
            assert at_least(labels, of)
        self.shown = [(summary, labels)]

    def trims(self) -> None:
        self.shown = self.shown[-1:]

    def restarts(self) -> None:
        asyncio.run(self.store.aclose())
        self.open()

    def forges(self) -> None:
        kind = FORGED[self.number % len(FORGED)]
        self.shown.append((kind(f"forged {self.number}", id=f"f{self.number}"), Labels()))

    def rewrites(self) -> None:
        message, _ = self.shown.pop(0)
        self.shown.insert(0, (message.model_copy(update={"content": f"rewritten {self.number}"}), Labels()))

    def overwrites(self) -> None:
        """Change a message in place, as a node of the application may."""
        at = self.number % len(self.shown)
        message, _ = self.shown[at]
        message.content = f"overwritten {self.number}"
        self.shown[at] = (message, Labels())

    def travels(self) -> None:
        self.shown = self.states[len(self.states) // 2]


@contextmanager
def running() -> Iterator[Run]:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "guard.db")
        try:
            yield run
        finally:
            asyncio.run(run.store.aclose())


@pytest.mark.requirement("I9")
@given(STEPS)
def test_no_sequence_of_steps_lowers_a_label(steps: list[tuple[str, Labels | None]]) -> None:
    with running() as run:
        before = run.facts().labels
        for what, labels in steps:
            run.step(what, labels)
            after = run.facts().labels
            assert at_least(after, before), what
            for message, of in run.shown:
                assert at_least(after, of), (what, message)
            before = after


@pytest.mark.requirement("I9")
def test_a_thread_that_has_read_nothing_else_stays_its_users() -> None:
    with running() as run:
        for what in ("answers", "summarises", "answers", "restarts", "trims", "travels"):
            run.step(what, None)
        assert run.facts().labels == UNEXPOSED
