"""The facade of DESIGN I7: the one way in which an answer of a person reaches the store."""

from dataclasses import replace
from datetime import datetime
from secrets import token_hex

from guarded_agents.approval import check_vote, edit_request, is_intact
from guarded_agents.audit import Kind
from guarded_agents.binding import canonical, parse
from guarded_agents.errors import ApprovalError, BindingError, NotEligibleError, ProofError, UnknownRequestError
from guarded_agents.nodes._services import CallTask, Services
from guarded_agents.records import (
    Answer,
    ApprovalObligation,
    ApprovalRequest,
    Decision,
    RequestStatus,
    SignedVote,
    StandingRequest,
    ThreadFacts,
    Vote,
)
from guarded_agents.stores import AuditNote


class Votes:
    """Prepares statements to sign, and takes signed ones."""

    def __init__(self, services: Services) -> None:
        """Keep the services."""
        self._services = services

    def prepare(
        self,
        request_id: str,
        answer: Answer,
        *,
        approver: str,
        arguments: dict[str, object] | None = None,
        text: str | None = None,
    ) -> Vote:
        """Return the statement that *approver* signs to give *answer*; *arguments* are those of an edit.

        Raises UnknownRequestError, ProofError where the request's row was changed, BindingError, and
        NotEligibleError where the policy denies the edited call.
        """
        services, standing = self._services, self._standing(request_id)
        if not is_intact(standing.request, key=services.request_key):
            raise ProofError(
                f"approval {request_id}",
                expected="the row as it was written",
                got="a changed one",
                action="sign nothing; verify the audit log",
            )
        now = services.now()
        edit, digest = None, standing.request.digest
        if answer is Answer.EDIT:
            edited = self._edited(standing.request, arguments or {}, now=now)
            edit, digest = edited.arguments, edited.digest
        return Vote(
            request=request_id,
            digest=digest,
            approver=approver,
            answer=answer,
            arguments=edit,
            text=text,
            at=now,
            nonce=token_hex(16),
        )

    async def cast(self, signed: SignedVote) -> StandingRequest:
        """Verify *signed* in full and record it; return the request that now stands.

        Raises the ApprovalError that says why the vote does not count; the request is then as it was.
        """
        services, vote = self._services, signed.vote
        standing = self._standing(vote.request)
        now = services.now()
        edited = None
        if vote.answer is Answer.EDIT and vote.arguments is not None and standing.status is RequestStatus.PENDING:
            services.signers.verify(signed, now=now)  # before the policy answers anything about what it proposes
            edited = self._edited(standing.request, _arguments(vote), now=now)
        members = services.members(standing.request.group)
        check_vote(
            standing,
            signed,
            edited=edited,
            members=members,
            signers=services.signers,
            key=services.request_key,
            now=now,
        )
        note = AuditNote(
            Kind.VOTE,
            {
                "request": vote.request,
                "digest": vote.digest,
                "approver": vote.approver,
                "answer": vote.answer.value,
                "nonce": vote.nonce,
                "signed_at": vote.at.isoformat(),
                "signature": signed.signature,
                "successor": None if edited is None else edited.id,
            },
        )
        return await services.store.vote(signed, eligible=members, edited=edited, note=note, now=now)

    def _standing(self, request_id: str) -> StandingRequest:
        standing = self._services.store.request(request_id)
        if standing is None:
            raise UnknownRequestError(
                f"approval {request_id}",
                expected="the id of a recorded request",
                got="one that is not in the store",
                action="list what waits with `guarded-agents approvals list`",
            )
        return standing

    def _edited(self, parent: ApprovalRequest, arguments: object, *, now: datetime) -> ApprovalRequest:
        """Return the request of the edited call, decided afresh; it inherits no vote (I8)."""
        services = self._services
        facts = ThreadFacts(parent.thread, parent.entry, parent.requester, parent.tenant, parent.labels)
        tool = services.catalog.by_key(f"{parent.server}/{parent.tool}")
        name = parent.tool if tool is None else tool.alias
        task = CallTask(
            call={"name": name, "args": arguments, "id": parent.call_id, "type": "tool_call"},  # type: ignore[typeddict-item]  # bind refuses what is no object
            turn=parent.turn,
            occurrence=parent.occurrence,
        )
        call = services.bind(facts, task)
        judgement = services.judge(facts, call, name)
        if judgement.tool is None or not judgement.decision.permitted or call.key == parent.key:
            raise NotEligibleError(
                f"approval {parent.id}",
                expected="edited arguments that differ and that the policy permits",
                got=f"a call decided as {judgement.decision.reason.value} by {judgement.decision.rule}",
                action="edit it otherwise, or reject it",
            )
        decision = _with_approval(judgement.decision, parent)
        return edit_request(parent, call, decision, key=services.request_key, now=now)


def _arguments(vote: Vote) -> object:
    try:
        arguments = parse((vote.arguments or "").encode())
        canonical(arguments)
    except (BindingError, ValueError):
        raise ApprovalError(
            f"vote on {vote.request}",
            expected="arguments in JSON, as proposals have them",
            got="another text",
            action="sign the edit again",
        ) from None
    return arguments


def _with_approval(decision: Decision, parent: ApprovalRequest) -> Decision:
    """Return *decision* with an obligation: where the edited call needs none, the editor's own signature is enough."""
    if decision.approval is not None:
        return decision
    obligation = ApprovalObligation(
        rule=parent.approval_rule,
        group=parent.group,
        members=parent.members,
        quorum=1,
        decide_within_s=1,  # the parent's decide-by stays
        execute_within_s=parent.execute_within_s,
        editor_may_approve=True,
    )
    return replace(decision, approval=obligation)
