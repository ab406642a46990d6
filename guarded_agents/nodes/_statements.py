"""What people say afterwards: of a broken glass, and of a call whose outcome nobody knows (DESIGN section 8)."""

from dataclasses import replace
from datetime import datetime
from secrets import token_hex

from guarded_agents.approval import check_resolution, check_review, doubt_id, groups_asked
from guarded_agents.binding import clipped
from guarded_agents.errors import ApprovalError, BreakGlassError, NotEligibleError, UnknownRequestError
from guarded_agents.moments import utc
from guarded_agents.nodes import _notes
from guarded_agents.nodes._services import NOBODY, Services
from guarded_agents.nodes._votes import require_signed, standing_of
from guarded_agents.records import (
    HOLDERS,
    Answer,
    ApprovalRequest,
    BrokenGlass,
    CallKey,
    Claim,
    ClaimStatus,
    Principal,
    Resolution,
    Review,
    ReviewFinding,
    SignedResolution,
    SignedReview,
    SignedVote,
    Verdict,
)
from guarded_agents.stores import claim_named, sending_named


class Statements:
    """Prepares reviews and resolutions to sign, and takes signed ones."""

    def __init__(self, services: Services) -> None:
        """Keep the services."""
        self._services = services

    # -- broken glass ----------------------------------------------------------------------------

    def prepare_review(self, request_id: str, finding: ReviewFinding, *, reviewer: str, text: str) -> Review:
        """Return the statement that *reviewer* signs. Raises UnknownRequestError and ProofError."""
        return Review(
            request=request_id,
            digest=self._broken(request_id)[0].digest,
            reviewer=reviewer,
            finding=finding,
            text=text,
            at=self._services.now(),
            nonce=token_hex(16),
        )

    async def review(self, signed: SignedReview) -> BrokenGlass:
        """Verify *signed* in full and record it.

        Raises the ApprovalError that says why it does not count, and DirectoryError.
        """
        require_signed(signed, SignedReview)
        services, review = self._services, signed.review
        (request, breaker), group = self._broken(review.request), self._reviewers()
        now = services.now()
        heard = await services.people.heard(signed, request, asked=(group,), now=now)
        if breaker is not None:
            await services.people.prove(breaker, group=HOLDERS, now=now, is_fresh=False)
        check_review(review, self._glass(request.id), request, members=heard.circle.groups[group], now=now)
        return await services.store.review(signed, note=_notes.reviewed(signed, heard.credentials), now=services.now())

    def _broken(self, request_id: str) -> tuple[ApprovalRequest, SignedVote | None]:
        """Return the request of that id, and where its arguments were erased the vote that still proves its digest.

        Raises UnknownRequestError, and ProofError where its row was changed otherwise.
        """
        standing = self._services.store.request(request_id)
        if standing is not None and not standing.request.arguments:
            for signed in self._services.store.votes(request_id):
                vote, request = signed.vote, standing.request
                if (vote.request, vote.digest, vote.answer) == (request.id, request.digest, Answer.BREAK_GLASS):
                    return request, signed
        return standing_of(self._services, request_id).request, None

    def _reviewers(self) -> str:
        terms = self._services.people.glass
        if terms is None:
            raise BreakGlassError(
                "review",
                expected="a policy with break_glass",
                got="one without",
                action="name who reviews in the policy",
            )
        return terms.reviewers

    def _glass(self, request_id: str) -> BrokenGlass:
        glass = self._services.store.glass_of(request_id)
        if glass is None:
            raise UnknownRequestError(
                f"review of {request_id}",
                expected="a request whose glass was broken",
                got="another",
                action="list what waits for a review with `guarded-agents approvals list`",
            )
        return glass

    # -- calls in doubt --------------------------------------------------------------------------

    def prepare_resolution(
        self, doubt: str, verdict: Verdict, *, resolver: str, looked_at: datetime, text: str
    ) -> Resolution:
        """Return the statement that *resolver* signs, over the attempt that is in doubt now.

        Raises UnknownRequestError, and ApprovalError for a call under its sender's lease.
        """
        claim = self._claim(doubt)
        _require_over(claim)
        return Resolution(
            call=doubt,
            attempt=claim.attempt,
            verdict=verdict,
            resolver=resolver,
            looked_at=looked_at,
            text=text,
            at=self._services.now(),
            nonce=token_hex(16),
        )

    async def resolve(self, signed: SignedResolution) -> Claim:
        """Verify *signed* in full and settle the call.

        Raises the ApprovalError that says why it does not count, and DirectoryError.
        """
        require_signed(signed, SignedResolution)
        services, resolution = self._services, signed.resolution
        claim = self._claim(resolution.call)
        request = self._request(claim.key)
        now = services.now()
        asked, requester = self._asked(claim.key, request, now=now)
        heard = await services.people.heard(signed, request, asked=asked, now=now)
        _require_over(claim)  # whoever is not proven is not told where the call stands
        check_resolution(resolution, claim, groups=heard.circle.groups, requester=requester, now=now)
        note = _notes.resolved(signed, heard.credentials, key=claim.key, group=heard.group)
        return await services.store.resolve(signed, claim.key, note=note, now=services.now())

    def _claim(self, doubt: str) -> Claim:
        """Return the claim of that id: in doubt, as one is whose lease has lapsed, settled, or under its sender's."""
        now = self._services.now()
        claim = claim_named(self._services.store, doubt, now=now)
        if claim is not None:
            return replace(claim, status=ClaimStatus.IN_DOUBT) if claim.status is ClaimStatus.SENDING else claim
        claim = sending_named(self._services.store, doubt, now=now)
        if claim is not None:
            return claim
        raise UnknownRequestError(
            f"resolution of {clipped(doubt)}",
            expected="the id of a call in doubt",
            got="another",
            action="list what is in doubt with `guarded-agents doctor`",
        )

    def _request(self, key: CallKey) -> ApprovalRequest | None:
        """Return the request of the call, intact; None where nobody was asked. Raises ProofError."""
        standing = self._services.store.request_of(key)
        return None if standing is None else standing_of(self._services, standing.request.id).request

    def _asked(
        self, key: CallKey, request: ApprovalRequest | None, *, now: datetime
    ) -> tuple[tuple[str, ...], Principal]:
        """Return whose business the call is at *now* (UTC), and who asked for it.

        It is that of the groups that are asked about its request, whatever became of that, else the operators'.
        """
        if request is not None:
            return groups_asked(request, now=now), request.requester
        if self._services.operators is None:
            raise NotEligibleError(
                f"resolution of {doubt_id(key)}",
                expected="a policy that names operators, for nobody was asked about this call",
                got="one that names none",
                action="name a group as `operators` in the policy",
            )
        return (self._services.operators,), self._services.store.requester(key.thread, key.entry) or NOBODY


def _require_over(claim: Claim) -> None:
    """Raise ApprovalError for a call whose sender may still hear of it."""
    if claim.status is ClaimStatus.SENDING:
        raise ApprovalError(
            f"resolution of {doubt_id(claim.key)}",
            expected="a call in doubt",
            got=f"one that is being sent, still under its sender's lease until {utc(claim.lease_until)}",
            action="look and say what you saw after that, unless a reply has come by then",
        )
