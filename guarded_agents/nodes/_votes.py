"""The facade of DESIGN I7: the one way in which an answer of a person reaches the store."""

from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from typing import Final

from guarded_agents.approval import SignedStatement, check_edit, check_vote, edit_request, groups_asked, is_intact
from guarded_agents.binding import canonical, clipped, parse
from guarded_agents.errors import ApprovalError, BindingError, NotEligibleError, ProofError, UnknownRequestError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._services import CallTask, Judgement, Services
from guarded_agents.nodes._traced import spans_behind
from guarded_agents.records import (
    AccessRequest,
    Answer,
    ApprovalObligation,
    ApprovalRequest,
    BoundCall,
    Reason,
    Record,
    RequestStatus,
    SignedVote,
    StandingRequest,
    ThreadFacts,
    ToolRef,
    Vote,
)
from guarded_agents.stores import originals
from guarded_agents.telemetry import Scope

MAX_EDITS: Final = 32  # of one call, one after the other: whoever waits follows so many
MAX_SIGNED_CHARS: Final = 262_144  # edited arguments, quoted once more, an ID token, and all the rest


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
        delegate: str | None = None,
    ) -> Vote:
        """Return the statement that *approver* signs to give *answer*; *arguments* are those of an edit.

        *delegate* is who answers in the approver's place. Raises UnknownRequestError, ProofError
        where the request's row was changed, BindingError, and NotEligibleError where the policy denies the edited call.
        """
        services = self._services
        standing, now = standing_of(services, request_id), services.now()
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
            delegate=delegate,
            at=now,
            nonce=token_hex(16),
        )

    async def cast(self, signed: SignedVote) -> StandingRequest:
        """Verify *signed* in full and record it; return the request that now stands.

        Raises the ApprovalError that says why the vote does not count, and DirectoryError where it cannot be told
        whether it does; the request is then as it was.
        """
        require_signed(signed, SignedVote)
        standing = standing_of(self._services, signed.vote.request)
        with self._services.telemetry.voting(signed, standing) as scope:
            scope.link(spans_behind(self._services.store, standing))
            settled = await self._cast(signed, standing, scope)
            self._services.telemetry.voted(scope, signed, standing, settled)
        return settled

    async def _cast(self, signed: SignedVote, standing: StandingRequest, scope: Scope) -> StandingRequest:
        services, vote = self._services, signed.vote
        request, now = standing.request, services.now()
        # First of all: nobody else is told where the request stands, or what the policy says of an edit.
        heard = await services.people.heard(signed, request, asked=groups_asked(request, now=now), now=now)
        electorate, edited = heard.circle.electorate, None
        if vote.answer is Answer.EDIT and vote.arguments is not None and standing.status is RequestStatus.PENDING:
            edited = self._edited(request, _arguments(vote), now=now)
        check_vote(
            standing,
            signed,
            electorate=electorate,
            cast=services.people.votes_on(request),
            terms=services.people.glass,
            edited=edited,
            key=services.request_key,
            now=now,
        )
        _check_policy(services, request, now=now)
        if edited is not None:  # its terms may ask another group
            check_edit(edited, signed, electorate=(await services.people.circle(edited, now=now)).electorate)
        return await services.store.vote(
            signed,
            electorate=electorate,
            edited=edited,
            glass=services.people.glass,
            credentials=heard.credentials,
            note=_notes.voted(
                signed, heard.credentials, group=heard.group, successor=None if edited is None else edited.id
            ),
            now=services.now(),  # after the directory has answered: decide-by may have passed meanwhile
            trace=scope.context,
        )

    def _edited(self, parent: ApprovalRequest, arguments: object, *, now: datetime) -> ApprovalRequest:
        """Return the request of the edited call, decided afresh; it inherits no vote (I8)."""
        services = self._services
        self._check_depth(parent)
        facts = ThreadFacts(parent.thread, parent.entry, parent.requester, parent.tenant, parent.labels)
        tool = services.catalog.by_key(f"{parent.server}/{parent.tool}")
        name = parent.tool if tool is None else tool.alias
        task = CallTask(
            call={"name": name, "args": arguments, "id": parent.call_id, "type": "tool_call"},  # type: ignore[typeddict-item]  # bind refuses what is no object
            turn=parent.turn,
            occurrence=parent.occurrence,
        )
        call = services.bind(facts, task)
        if call.key == parent.key:
            raise NotEligibleError(
                f"approval {parent.id}",
                expected="arguments that differ from those of the call",
                got="the same, so that nothing would change",
                action="approve it as it is, or edit it otherwise",
            )
        judgement = services.judge(facts, call, name)
        if judgement.tool is None or not judgement.decision.permitted:
            raise NotEligibleError(
                f"approval {parent.id}",
                expected="edited arguments that the policy permits",
                got=_denied(judgement, call),
                action="edit it otherwise, or reject it",
            )
        obligation = judgement.decision.approval or _inherited(parent)
        members = parent.members if obligation.group == parent.group else obligation.members
        decision = replace(judgement.decision, approval=obligation)
        return edit_request(parent, call, decision, members=frozenset(members), key=services.request_key, now=now)

    def _check_depth(self, request: ApprovalRequest) -> None:
        """Raise NotEligibleError where *request* has been edited so often that nobody would follow one edit more."""
        if sum(1 for _ in originals(self._services.store, request.id)) > MAX_EDITS:
            raise NotEligibleError(
                f"approval {request.id}",
                expected=f"at most {MAX_EDITS} edits of one call, one after the other",
                got="one more",
                action="approve it as it is, or reject it",
            )


def _denied(judgement: Judgement, call: BoundCall) -> str:
    """Return why an edited call is none that may be asked about; of its arguments only names that the schema has."""
    reason = judgement.decision.reason
    if reason is Reason.SCHEMA_MISMATCH and judgement.tool is not None:
        return f"arguments that do not fit the tool's schema at {judgement.tool.arguments.problem(call.arguments)}"
    return f"a call decided as {reason.value} by {judgement.decision.rule}"


def standing_of(services: Services, request_id: str) -> StandingRequest:
    """Return the request of that id, intact. Raises UnknownRequestError, and ProofError where its row was changed."""
    standing = services.store.request(request_id)
    if standing is None:
        raise UnknownRequestError(
            f"approval {clipped(request_id)}",
            expected="the id of a recorded request",
            got="one that is not in the store",
            action="list what waits with `guarded-agents approvals list`",
        )
    if not is_intact(standing.request, key=services.request_key):
        raise ProofError(
            f"approval {request_id}",
            expected="the row as it was written",
            got="a changed one",
            action="sign nothing; verify the audit log",
        )
    return standing


def _check_policy(services: Services, request: ApprovalRequest, *, now: datetime) -> None:
    """Raise ProofError unless this guard decides the call of *request* by the entries that the request was made under.

    A command may be run with a policy of one's own: its groups, holders and terms count for no other guard's request.
    """
    tool = ToolRef(request.server, request.tool, request.definition)
    arguments = parse(request.arguments.encode())
    access = AccessRequest(request.requester, request.tenant, tool, arguments, request.labels)
    if services.decide(access, now=now).policy != request.policy:
        raise ProofError(
            f"approval {request.id}",
            expected="the policy that the request was made under",
            got="another",
            action="answer with the application's policy file; where it has changed, the call must be asked for anew",
        )


def require_signed(signed: object, kind: type[SignedStatement]) -> None:
    """Raise ProofError unless *signed* is a *kind* of a size that a person can have meant."""
    if not isinstance(signed, kind):
        raise _unsigned(f"a {kind.__name__}", type(signed).__name__)
    if (chars := _chars(signed)) > MAX_SIGNED_CHARS:
        raise _unsigned(f"at most {MAX_SIGNED_CHARS:,} characters", f"{chars:,}")


def _chars(record: Record) -> int:
    fields = [value for _, value in record]
    return sum(len(value) for value in fields if isinstance(value, str)) + sum(
        _chars(value) for value in fields if isinstance(value, Record)
    )


def _unsigned(expected: str, got: str) -> ProofError:
    return ProofError("answer", expected=expected, got=got, action="prepare a statement, and sign that")


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


def _inherited(parent: ApprovalRequest) -> ApprovalObligation:
    """Return the obligation of an edited call that the policy asks none for: the editor's own signature is enough."""
    return ApprovalObligation(
        rule=parent.approval_rule,
        group=parent.group,
        members=parent.members,
        quorum=1,
        decide_within_s=1,  # the parent's decide-by stays
        execute_within_s=parent.execute_within_s,
        editor_may_approve=True,
        backup=parent.backup,
        escalate_within_s=None if parent.backup is None else 1,  # the parent's escalate-at stays
    )
