"""The only door to a tool (DESIGN I1): `Door.execute_once`.

A plain read is recorded with group commit and sent. Everything else is admitted first, in one durable
transaction that consumes the permit, claims the call and writes the intent (section 8b.1); from then
until the outcome is stored it is shielded from cancellation.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Final

from opentelemetry.trace import Span

from guarded_agents.errors import DirectoryError, NotSentError, StoreError, TransportError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._screening import Shown
from guarded_agents.nodes._services import Services, requester_of
from guarded_agents.nodes._told import WAITING, in_doubt, refusal, told_of
from guarded_agents.records import (
    Answered,
    BoundCall,
    Claim,
    ClaimStatus,
    Labels,
    Outcome,
    Permit,
    Reason,
    ThreadFacts,
    ToolEffect,
)
from guarded_agents.stores import Admission, AuditNote, Proven, Told
from guarded_agents.telemetry import Stage, meta_of, time_ns
from guarded_agents.transport import ToolReply

_POLL_MAX_S: Final = 0.25  # how often a concurrent loser looks whether the owner has settled, at the slowest
_IDEMPOTENCY: Final = "guarded_agents/idempotency_key"
_MISFIT: Final = "The server's answer was withheld: it does not fit the tool's reviewed output schema."


class Door:
    """Sends permitted calls, each at most once."""

    def __init__(self, services: Services) -> None:
        """Keep the services; hold strong references to what is being sent."""
        self._services = services
        self._sending: set[asyncio.Task[Outcome]] = set()

    async def execute_once(self, call: BoundCall, permit: Permit, *, span: Span) -> Outcome:
        """Send *call* if *permit* covers it, and return what the model is to be told.

        Never raises for what a store, a server or another owner does: each of them is an outcome.
        """
        if not permit.covers(call):
            return refusal(Reason.GUARD_FAILED)
        if permit.decision.approval is not None and permit.request is None:
            return self._unasked(permit)
        if permit.decision.claimed or permit.request is not None:
            return await self._claimed(permit, span)
        return await self._read(permit, span)

    def _unasked(self, permit: Permit) -> Outcome:
        """Return what is told of a call that people have to approve and that no request is there for."""
        try:
            claim = self._services.store.claim(permit.call.key)
        except StoreError:
            return refusal(Reason.STORE_UNAVAILABLE)
        return WAITING if claim is None else told_of(claim)

    async def drain(self, *, timeout_s: float) -> None:
        """Wait until what is being sent has settled, at most *timeout_s* seconds; the rest is in doubt later."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=timeout_s)

    # -- reads -----------------------------------------------------------------------------------

    async def _read(self, permit: Permit, span: Span) -> Outcome:
        call, services = permit.call, self._services
        try:
            services.store.note([self._decided(permit)], now=services.now())
            outcome, is_suspect = self._screened(permit, await self._send(permit, span))
        except StoreError:
            return refusal(Reason.STORE_UNAVAILABLE)
        except NotSentError:
            outcome, is_suspect = _failed("The tool's server could not be reached; the call was not sent."), False
        except TransportError:
            outcome, is_suspect = _failed("The tool's server did not answer."), False
        try:
            if outcome.answer is not None:  # an error is the server's text too
                await self._label(permit, outcome.answer.labels)
            ended = [_notes.ended(call, outcome)]
            if is_suspect:  # durable, with what waits: no crash may forget it
                await services.store.append(ended, now=services.now())
            else:
                services.store.note(ended, now=services.now())
        except StoreError:
            return refusal(Reason.STORE_UNAVAILABLE)
        return outcome

    async def _label(self, permit: Permit, added: Labels) -> None:
        """Make what the thread is now exposed to durable, where that is more than before."""
        if permit.labels.join(added) == permit.labels:
            return  # the thread's labels are at least those of the proposal: they only grow
        known = self._services.store.thread(permit.call.key.thread)
        if known is not None and (joined := known.labels.join(added)) != known.labels:
            await self._services.store.relabel(known.thread, joined)
            await self._services.store.append([_raised(known, joined)], now=self._services.now())

    # -- everything else -------------------------------------------------------------------------

    async def _claimed(self, permit: Permit, span: Span) -> Outcome:
        since_ns = time_ns()
        outcome = await self._once(permit, span)
        self._services.telemetry.staged(span, Stage.EXECUTE, since_ns)
        return outcome

    async def _once(self, permit: Permit, span: Span) -> Outcome:
        try:
            told = await self._admit(permit)
            admitted = told if isinstance(told, Admission) else await self._settled_by_others(permit, told)
        except DirectoryError:
            return await self._undecidable(permit)
        except StoreError:
            return refusal(Reason.STORE_UNAVAILABLE)
        if isinstance(admitted, Outcome):
            return admitted
        sending = asyncio.ensure_future(self._send_and_settle(permit, admitted.claim, span))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        return await asyncio.shield(sending)

    async def _admit(self, permit: Permit) -> Admission | Told:
        call, services = permit.call, self._services
        proven = await self._proven(permit)
        now = services.now()  # after the directory has answered: execute-by may have passed meanwhile
        request = None if permit.request is None else permit.request.id
        decided, since_s = self._decided(permit), perf_counter()
        told = await services.store.admit(
            call.key,
            owner=services.owner,
            lease_until=now + services.lease,
            proven=proven,
            limits=permit.decision.limits,
            notes=(
                decided,
                _notes.intended(call, request=request, idempotency_key=services.idempotency_key(call.key)),
            ),
            refusal=decided,
            now=now,
            use=services.provenance.use_of(permit),
        )
        services.telemetry.metrics.appended(perf_counter() - since_s)
        return told

    async def _proven(self, permit: Permit) -> Proven | None:
        """Return what is proven now of the request of *permit*, if it has one. Raises DirectoryError and StoreError."""
        people, request = self._services.people, permit.request
        return None if request is None else await people.proven(request, now=self._services.now())

    async def _undecidable(self, permit: Permit) -> Outcome:
        """Close a call of which it cannot be told who agreed: doubt is a deny (I6). The model may ask again later.

        Closed it is before the model is told (8b.2). One that still waits for people does not come here (8b.3).
        """
        services, outcome = self._services, refusal(Reason.DIRECTORY_UNAVAILABLE)
        kind, fields = self._decided(permit)
        note = AuditNote(kind, {**fields, "reason": outcome.reason.value})
        try:
            claim = await services.store.refuse(
                permit.call.key, reason=outcome.reason, outcome=outcome, note=note, now=services.now()
            )
        except StoreError:
            return refusal(Reason.STORE_UNAVAILABLE)
        return outcome if claim.reason is Reason.NOT_PROPOSED else told_of(claim)

    async def _settled_by_others(self, permit: Permit, told: Told) -> Outcome | Admission:
        """Return what stands in place of an admission; wait where another owner is about to settle."""
        if told.waiting:
            return WAITING
        if told.claim is None:
            return refusal(told.reason)
        claim, services = told.claim, self._services
        pause_s = 0.005
        while claim.status is ClaimStatus.SENDING and services.now() < claim.lease_until:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _POLL_MAX_S)
            claim = services.store.claim(claim.key) or claim
        if claim.status is ClaimStatus.SENDING:  # the lease lapsed: asking again makes the row IN_DOUBT
            again = await self._admit(permit)
            claim = again.claim or claim
        if permit.decision.idempotent and claim.status in (ClaimStatus.IN_DOUBT, ClaimStatus.SENDING):
            proven = await self._proven(permit)
            now = services.now()
            again = await services.store.retry(
                claim.key,
                owner=services.owner,
                attempt=claim.attempt,
                lease_until=now + services.lease,
                proven=proven,
                now=now,
            )
            if isinstance(again, Admission):
                return again
            claim = again.claim or claim
        return told_of(claim)

    async def _send_and_settle(self, permit: Permit, claim: Claim, span: Span) -> Outcome:
        call, services = permit.call, self._services
        since_ns = until_ns = 0
        try:
            reply, since_ns = await self._send(permit, span), time_ns()
            outcome, _ = self._screened(permit, reply)
            until_ns = time_ns()
        except NotSentError:
            outcome = _failed("The tool's server could not be reached; the call was not sent.")
        except TransportError:
            outcome = in_doubt()
        settled: Claim | None = None
        with suppress(StoreError):  # it ran, and that could not be recorded: the row stays SENDING and lapses
            settled = await services.store.settle(
                call.key,
                attempt=claim.attempt,
                outcome=outcome,
                labels=permit.decision.result_labels if outcome.answer is None else outcome.answer.labels,
                note=_notes.ended(call, outcome),
                now=services.now(),
            )
        if until_ns:
            services.telemetry.staged(span, Stage.SCREEN, since_ns, until_ns)
        return in_doubt() if settled is None else told_of(settled)

    # -- both ------------------------------------------------------------------------------------

    def _decided(self, permit: Permit) -> AuditNote:
        facts = ThreadFacts(
            permit.call.key.thread, permit.call.key.entry, permit.principal, permit.tenant, permit.labels
        )
        return _notes.decided(permit.call, facts, permit.decision, definition=permit.tool.definition)

    async def _send(self, permit: Permit, span: Span) -> ToolReply:
        meta = {_IDEMPOTENCY: self._services.idempotency_key(permit.call.key)} if permit.decision.claimed else {}
        meta |= meta_of(span)
        services = self._services
        sent = services.transport.call(
            permit.tool.server,
            permit.tool.name,
            permit.call.arguments,
            principal=requester_of(permit.principal, permit.tenant),  # no session is shared between two of them
            meta=meta,
            timeout_s=services.timeout_s,
        )
        return await services.home.run(sent)

    def _screened(self, permit: Permit, reply: ToolReply) -> tuple[Outcome, bool]:
        """Return the outcome of a reply (what may be shown, what it proves, what it was), and if it is suspect."""
        answer = self._services.provenance.answered(permit.tool.key, reply)
        since_s = perf_counter()
        shown = self._services.screening.answer(permit.call.key, reply, answer.labels)
        self._services.telemetry.metrics.screened(perf_counter() - since_s)
        outcome = self._outcome(permit, reply, shown)
        is_shown = not shown.is_withheld and outcome.content != _MISFIT  # what the model does not see is no evidence
        return replace(outcome, answer=Answered(answer.value if is_shown else None, shown.labels)), shown.is_suspect

    def _outcome(self, permit: Permit, reply: ToolReply, shown: Shown) -> Outcome:
        effect = permit.decision.tool_effect is not ToolEffect.READ
        if reply.is_error:
            if effect and not (permit.decision.atomic or reply.proves_nothing_happened):
                return in_doubt(shown.text)
            return _failed(shown.text)
        tool = self._services.catalog.by_key(permit.tool.key)
        if tool is not None and tool.result is not None and not tool.result.accepts(reply.structured):
            return Outcome(ClaimStatus.EXECUTED if effect else ClaimStatus.FAILED, _MISFIT, is_error=True)
        return Outcome(ClaimStatus.EXECUTED, shown.text, is_error=shown.is_withheld, artifact=shown.structured)


def _failed(text: str) -> Outcome:
    return Outcome(ClaimStatus.FAILED, text, is_error=True)


def _raised(known: ThreadFacts, labels: Labels) -> AuditNote:
    return _notes.label_raised(replace(known, labels=labels))
