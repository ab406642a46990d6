"""What people sign: votes, reviews of broken glass, resolutions of calls in doubt, and extensions of plans."""

from datetime import datetime
from enum import StrEnum

from guarded_agents.records._base import Record


class Answer(StrEnum):
    """What an approver answers. The first four are LangChain's words."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    RESPOND = "respond"
    DELEGATE = "delegate"  # another member answers in the voter's place; both count as one person
    BREAK_GLASS = "break_glass"  # one person, with two keys and a justification; somebody else reviews it later


class Vote(Record):
    """The statement that an approver signs. ``at`` is UTC; ``nonce`` is 32 hex digits."""

    request: str
    digest: str  # of the request, or of the edited one where ``answer`` is edit
    approver: str
    answer: Answer
    arguments: str | None = None  # canonical JSON of the edited arguments
    text: str | None = None  # the reason of a rejection, the response, or the justification of a broken glass
    delegate: str | None = None  # who answers in the approver's place, where ``answer`` is delegate
    at: datetime
    nonce: str


class ReviewFinding(StrEnum):
    """What a reviewer finds of a broken glass."""

    REVIEWED = "reviewed"
    VIOLATION = "violation"


class Review(Record):
    """The statement that a reviewer of a broken glass signs. ``at`` is UTC; ``nonce`` is 32 hex digits."""

    request: str
    digest: str
    reviewer: str
    finding: ReviewFinding
    text: str
    at: datetime
    nonce: str


class Verdict(StrEnum):
    """What a person says of a call in doubt (DESIGN section 8b.5)."""

    HAPPENED = "happened"
    NOT_HAPPENED = "not_happened"  # the sender has ended, nothing is under way, and the look came after both
    NOT_OBSERVED = "not_observed"  # anything less: it may still happen


class Resolution(Record):
    """The statement that settles a call in doubt, over the attempt that was looked at. Times are UTC."""

    call: str  # the id of the call, as `doubt_id` gives it
    attempt: int
    verdict: Verdict
    resolver: str
    looked_at: datetime  # when the resolver looked at the system that the call acts on
    text: str  # what was seen, and where
    at: datetime
    nonce: str


class PlanExtension(Record):
    """The statement that adds *tool*, "server/tool", to the plan of one thread.

    ``at`` is UTC; ``nonce`` is 32 hex digits.
    """

    thread: str
    tool: str
    approver: str
    text: str | None = None  # why
    at: datetime
    nonce: str


class Scheme(StrEnum):
    """How a statement is proven to be its author's."""

    ED25519 = "ed25519"  # a signature over the statement's bytes (RFC 8032), base64
    OIDC = "oidc"  # an ID token whose nonce is the statement's digest (OpenID Connect Core 1.0), compact JWS


class Signed(Record):
    """The proof of a statement. ``second`` is a signature by another key of the same person, base64."""

    signature: str
    scheme: Scheme = Scheme.ED25519
    second: str | None = None


class SignedVote(Signed):
    """A vote and its proof."""

    vote: Vote


class SignedReview(Signed):
    """A review and its proof."""

    review: Review


class SignedResolution(Signed):
    """A resolution and its proof."""

    resolution: Resolution


class SignedPlanExtension(Signed):
    """An extension of a plan and its proof."""

    extension: PlanExtension
