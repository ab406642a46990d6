"""What the model proposed in a turn: recorded by its wrapper, routed by the edge after it."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.messages.tool import ToolCall
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Send

from guarded_agents._bounded import keep
from guarded_agents.errors import BindingError, StoreError
from guarded_agents.nodes._execute import INVALID
from guarded_agents.nodes._planning import pin_proposed
from guarded_agents.nodes._screen_input import InputState, entry_of, newest_human
from guarded_agents.nodes._services import CallTask, Judgement, Services, thread_of
from guarded_agents.records import BoundCall, Decision, Licence, Proposal, ThreadFacts
from guarded_agents.state import GuardContext

Destination = Literal["execute", "approval", "refuse"]
_REMEMBERED: Final = 1_024  # turns; a forgotten one is planned again


@dataclass(frozen=True, slots=True)
class Planned:
    """One call of a turn: its task, and what was decided; ``call`` is None where it has no canonical form."""

    task: CallTask
    call: BoundCall | None
    judgement: Judgement | None

    @property
    def destination(self) -> Destination:
        """Return the node that the call goes to. A wrong one is harmless: each decides again."""
        if self.judgement is None or not self.judgement.decision.permitted:
            return "refuse"
        return "execute" if self.judgement.decision.approval is None else "approval"


class Latest(NamedTuple):
    """What was last recorded of a thread: its human message and entry, and the model's message and turn."""

    human: AnyMessage
    entry: str
    proposal: AIMessage
    turn: int


class Plans:
    """Plans turns, records them, and remembers them for the edge that follows in the same process."""

    def __init__(self, services: Services) -> None:
        """Keep the services."""
        self._services = services
        self._remembered: OrderedDict[str, tuple[AIMessage, tuple[Planned, ...]]] = OrderedDict()
        self._latest: OrderedDict[str, Latest] = OrderedDict()

    async def record(
        self, shown: Sequence[AnyMessage], output: object, config: RunnableConfig, context: GuardContext | None
    ) -> None:
        """Record what the model proposes in *output*, having been shown *shown*.

        Nothing is recorded where the thread's entry is not the newest human message as it was entered, where the
        context names somebody else than the entry, or where the store fails: the calls are then denied, for no
        proposal of theirs is on record.
        """
        message = said(output)
        at = newest_human(shown)
        if message is None or at is None:
            return
        services = self._services
        try:
            facts = services.facts(config, context)
            if facts.thread and (facts.entry != self._entry(facts, shown, at) or _is_somebody_else(facts, context)):
                return
            facts = await services.exposure.of(facts, shown)
            services.exposure.remember(facts.thread, message, facts.labels)
            if not message.tool_calls:
                return
            await self._recover(message)
            turn = self._turn(facts, shown[at + 1 :])
            await pin_proposed(services, facts, message)
            planned = self.plan(facts, message, turn)
            if facts.thread:
                await self._propose(facts, planned)
                latest = Latest(shown[at], facts.entry, message, turn)
                keep(self._latest, facts.thread, latest, most=_REMEMBERED)
        except StoreError:
            return
        self._remember(facts.thread, message, planned)

    async def _propose(self, facts: ThreadFacts, planned: Sequence[Planned]) -> None:
        proposals = [
            Proposal(
                key=item.call.key,
                tool=item.call.tool,
                call_id=item.call.call_id,
                canonical=item.call.canonical,
                consequential=item.judgement.decision.claimed and item.judgement.tool is not None,
                labels=facts.labels,
                attended=_is_attended(item.judgement.decision),
            )
            for item in planned
            if item.call is not None and item.judgement is not None
        ]
        if proposals:
            durable = any(proposal.consequential for proposal in proposals)
            await self._services.store.propose(proposals, durable=durable, now=self._services.now())

    def plan(
        self, facts: ThreadFacts, message: AIMessage, turn: int, *, is_recorded: bool = False
    ) -> tuple[Planned, ...]:
        """Bind and decide each call of *message*, knowing what those before it draw on. Raises StoreError."""
        seen: Counter[str] = Counter()
        planned: list[Planned] = []
        spent: list[Licence] = []
        for call in message.tool_calls:
            task = CallTask(call=call, turn=turn, occurrence=0)
            try:
                bound = self._services.bind(facts, task)
            except BindingError:
                planned.append(Planned(task, None, None))
                continue
            occurrence = seen[bound.key.digest]
            seen[bound.key.digest] += 1
            if occurrence:
                task = CallTask(call=call, turn=turn, occurrence=occurrence)
                bound = replace(bound, key=bound.key._replace(occurrence=occurrence))
            judgement = self._judged(facts, bound, call["name"], spent, is_recorded=is_recorded)
            if judgement.decision.use is not None:
                spent.append(judgement.decision.use)
            planned.append(Planned(task, bound, judgement))
        return tuple(planned)

    def _judged(
        self, facts: ThreadFacts, call: BoundCall, name: str, spent: Sequence[Licence], *, is_recorded: bool
    ) -> Judgement:
        """Decide about *call* as it was proposed: a replay may find its thread with stricter labels than then (I2)."""
        services = self._services
        judgement = services.judge(facts, call, name, spent=spent)
        if not is_recorded and judgement.decision.permitted and not judgement.decision.misses:
            return judgement
        proposal = services.store.proposal(call.key) if facts.thread else None
        if proposal is None:
            return judgement
        then = replace(facts, labels=proposal.labels)
        return services.judge(then, call, name, attended=proposal.attended, spent=spent)

    def route(self, state: InputState, config: RunnableConfig, context: GuardContext | None) -> list[Send]:
        """Return one task per call of the model's last message; an empty list where it made none. Never raises."""
        messages = state["messages"]
        message = messages[-1] if messages else None
        if not isinstance(message, AIMessage) or not (message.tool_calls or message.invalid_tool_calls):
            return []
        planned, turn = self._recall(thread_of(config), message), 1
        if planned is None:
            at = newest_human(messages)
            try:
                facts = self._services.facts(config, context)
                turn = 1 if at is None else self._turn(facts, messages[at + 1 : -1])
                planned = self.plan(facts, message, turn, is_recorded=bool(facts.thread))
            except StoreError:
                planned = tuple(
                    Planned(CallTask(call=call, turn=turn, occurrence=0), None, None) for call in message.tool_calls
                )
        sends = [Send(item.destination, item.task) for item in planned]
        sends += [
            Send("refuse", CallTask(call=_unparsed(call["name"], call["id"]), turn=turn, occurrence=0))
            for call in message.invalid_tool_calls
        ]
        return sends

    async def _recover(self, message: AIMessage) -> None:
        """Look again at the servers of called tools that are quarantined: a server may have come back."""
        catalog = self._services.catalog
        tools = [tool for call in message.tool_calls if (tool := catalog.resolve(call["name"])) is not None]
        for server in {tool.ref.server for tool in tools if catalog.quarantine_reason(tool.ref.key) is not None}:
            await self._services.recover(server)

    def _turn(self, facts: ThreadFacts, since: Sequence[AnyMessage]) -> int:
        """Return the number of the model's turn (from 1) after the messages *since* the entry.

        Only proposals that are on record count: a message that somebody else put there opens no new turn, so what
        the model then proposes again finds its claim. The usual case, all on record, costs one look-up.
        """
        last = next((message for message in reversed(since) if isinstance(message, AIMessage)), None)
        latest = self._latest.get(facts.thread)
        if last is not None and latest is not None and latest.proposal is last and latest.entry == facts.entry:
            return latest.turn + 1  # the very message that was recorded here, one turn ago
        proposing = [message for message in since if isinstance(message, AIMessage) and message.tool_calls]
        if not proposing or self._is_on_record(facts, proposing[-1], len(proposing)):
            return 1 + len(proposing)
        turn = 1
        for message in proposing:
            turn += self._is_on_record(facts, message, turn)
        return turn

    def _entry(self, facts: ThreadFacts, shown: Sequence[AnyMessage], at: int) -> str:
        latest = self._latest.get(facts.thread)
        if latest is not None and latest.human is shown[at]:
            return latest.entry  # the very message that was found to be its entry, one turn ago
        return entry_of(shown, at)

    def _is_on_record(self, facts: ThreadFacts, message: AIMessage, turn: int) -> bool:
        if not facts.thread:
            return True  # without a thread nothing is recorded, and nothing is claimed
        for call in message.tool_calls:
            try:
                key = self._services.bind(facts, CallTask(call=call, turn=turn, occurrence=0)).key
            except BindingError:
                continue
            return self._services.store.proposal(key) is not None
        return False

    def _remember(self, thread: str, message: AIMessage, planned: tuple[Planned, ...]) -> None:
        keep(self._remembered, thread, (message, planned), most=_REMEMBERED)

    def _recall(self, thread: str, message: AIMessage) -> tuple[Planned, ...] | None:
        known = self._remembered.pop(thread, None)
        return known[1] if known is not None and known[0].tool_calls == message.tool_calls else None


def _unparsed(name: str | None, call_id: str | None) -> ToolCall:
    """Return the call that stands for one whose arguments were no JSON; `refuse` tells the model so."""
    return {"name": name or "", "args": {}, "id": call_id, "type": INVALID}  # type: ignore[typeddict-item]  # LangChain's own mark


def _is_attended(decision: Decision) -> bool:
    """Return whether a person has to agree for where the call's values come from, whatever else demands it."""
    return decision.permitted and bool(decision.misses)


def said(output: object) -> AIMessage | None:
    """Return the last message of *output*, a node's return value, that the model wrote."""
    if isinstance(output, Command):
        output = output.update
    found = output.get("messages") if isinstance(output, dict) else output
    candidates = found if isinstance(found, list | tuple) else [found]
    for message in reversed(candidates):
        if isinstance(message, AIMessage):
            return message
    return None


def _is_somebody_else(facts: ThreadFacts, context: GuardContext | None) -> bool:
    return context is not None and (context.principal, context.tenant) != (facts.requester, facts.tenant)
