"""What people say afterwards: of a broken glass, and of a call whose outcome nobody knows (DESIGN section 8)."""

from datetime import datetime
from secrets import token_hex
from typing import Final

from guarded_agents.approval import check_resolution, check_review, doubt_id
from guarded_agents.binding import clipped
from guarded_agents.errors import BreakGlassError, NotEligibleError, UnknownRequestError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._services import NOBODY, Services
from guarded_agents.nodes._votes import require_signed, standing_of
from guarded_agents.records import (
    BrokenGlass,
    CallKey,
    Claim,
    Principal,
    Resolution,
    Review,
    ReviewFinding,
    SignedResolution,
    SignedReview,
    Verdict,
)

_ALL: Final = 1_000_000  # more calls in doubt, or glass without a review, than anybody ever has


class Statements:
    """Prepares reviews and resolutions to sign, and takes signed ones."""

    def __init__(self, services: Services) -> None:
        """Keep the services."""
        self._services = services

    # -- broken glass ----------------------------------------------------------------------------

    def prepare_review(self, request_id: str, finding: ReviewFinding, *, reviewer: str, text: str) -> Review:
        """Return the statement that *reviewer* signs. Raises UnknownRequestError and ProofError."""
        standing = standing_of(self._services, request_id)
        return Review(
            request=request_id,
            digest=standing.request.digest,
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
        request, group = standing_of(services, review.request).request, self._reviewers()
        now = services.now()
        credentials = await services.people.prove(signed, group=group, now=now, is_fresh=True)
        members = await services.people.members(group)
        check_review(review, self._glass(request.id), request, members=members, now=now)
        return await services.store.review(signed, note=_notes.reviewed(signed, credentials), now=services.now())

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
        for glass in self._services.store.broken_glass(is_open=False, limit=_ALL):
            if glass.request == request_id:
                return glass
        raise UnknownRequestError(
            f"review of {request_id}",
            expected="a request whose glass was broken",
            got="another",
            action="list what waits for a review with `guarded-agents approvals list`",
        )

    # -- calls in doubt --------------------------------------------------------------------------

    def prepare_resolution(
        self, doubt: str, verdict: Verdict, *, resolver: str, looked_at: datetime, text: str
    ) -> Resolution:
        """Return the statement that *resolver* signs, over the attempt that is in doubt now.

        Raises UnknownRequestError.
        """
        return Resolution(
            call=doubt,
            attempt=self._claim(doubt).attempt,
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
        group, requester = self._asked(claim.key)
        now = services.now()
        credentials = await services.people.prove(signed, group=group, now=now, is_fresh=True)
        members = await services.people.members(group)
        check_resolution(resolution, claim, members=members, requester=requester, now=now)
        note = _notes.resolved(signed, credentials, key=claim.key, group=group)
        return await services.store.resolve(signed, claim.key, note=note, now=services.now())

    def _claim(self, doubt: str) -> Claim:
        for claim in self._services.store.doubts(now=self._services.now(), limit=_ALL):
            if doubt_id(claim.key) == doubt:
                return claim
        raise UnknownRequestError(
            f"resolution of {clipped(doubt)}",
            expected="the id of a call in doubt",
            got="another",
            action="list what is in doubt with `guarded-agents doctor`",
        )

    def _asked(self, key: CallKey) -> tuple[str, Principal]:
        """Return whose business the call is, and who asked for it: the group of its request, else the operators."""
        standing = self._services.store.request_of(key)
        if standing is not None:
            request = standing_of(self._services, standing.request.id).request
            return request.group, request.requester
        if self._services.operators is None:
            raise NotEligibleError(
                f"resolution of {doubt_id(key)}",
                expected="a policy that names operators, for nobody was asked about this call",
                got="one that names none",
                action="name a group as `operators` in the policy",
            )
        return self._services.operators, self._services.store.requester(key.thread, key.entry) or NOBODY
