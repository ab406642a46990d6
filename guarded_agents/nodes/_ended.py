"""What the model is told where a request ended without its call: an approver's words, where they are proven."""

from dataclasses import replace

from guarded_agents.approval import is_intact
from guarded_agents.errors import DirectoryError, StoreError
from guarded_agents.nodes._services import Services
from guarded_agents.nodes._told import answered, refusal
from guarded_agents.records import REFUSES, Answer, CallKey, Outcome, Reason, StandingRequest


async def ended(services: Services, standing: StandingRequest | None, *, of: CallKey) -> Outcome | None:
    """Return what is told of the call *of*, whose request is *standing*; None where that is open, or there is none."""
    reason = None if standing is None else REFUSES.get(standing.status)
    if standing is None or reason is None:
        return None
    if reason is Reason.ANSWERED:
        said = await _said(services, standing, Answer.RESPOND, of)
        return refusal(Reason.VOIDED) if said is None else answered(said)
    told = refusal(reason)
    said = await _said(services, standing, Answer.REJECT, of) if reason is Reason.REJECTED else None
    if said is not None and said.strip():
        return replace(told, content=f"{told.content} The approver's reason: {said}")
    return told


async def _said(services: Services, standing: StandingRequest, answer: Answer, of: CallKey) -> str | None:
    """Return what the approver who gave *answer* signed, None where that cannot be told."""
    request = standing.request
    if request.key != of or not is_intact(request, key=services.request_key):
        return None
    try:
        return await services.people.text_of(request, answer, now=services.now())
    except (DirectoryError, StoreError):
        return None
