"""A control layer inside LangGraph: every tool call is decided, approved where need be, run once, and recorded.

The names load when they are first used, so that a command which only reads a policy does not wait for LangGraph.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guarded_agents.approval import Authenticator, Directory, doubt_id, load_private_key, sign
    from guarded_agents.assembly import Finding, Guard
    from guarded_agents.errors import (
        ApprovalError,
        ApprovalExpiredError,
        AssemblyError,
        AuditError,
        BindingError,
        BreakGlassError,
        ConfigurationError,
        DirectoryError,
        GuardError,
        LockfileError,
        NotEligibleError,
        PolicyError,
        ProofError,
        RequestClosedError,
        StoreError,
        TransportError,
        UngatedToolError,
        UnknownRequestError,
        WrongLoopError,
    )
    from guarded_agents.policy import PolicyDecisionPoint
    from guarded_agents.records import (
        AccessRequest,
        Answer,
        Decision,
        Effect,
        PlanExtension,
        Principal,
        Resolution,
        Review,
        ReviewFinding,
        Scheme,
        SignedPlanExtension,
        SignedResolution,
        SignedReview,
        SignedVote,
        Verdict,
        Vote,
    )
    from guarded_agents.state import GuardContext, GuardedState

__all__ = [
    "AccessRequest",
    "Answer",
    "ApprovalError",
    "ApprovalExpiredError",
    "AssemblyError",
    "AuditError",
    "Authenticator",
    "BindingError",
    "BreakGlassError",
    "ConfigurationError",
    "Decision",
    "Directory",
    "DirectoryError",
    "Effect",
    "Finding",
    "Guard",
    "GuardContext",
    "GuardError",
    "GuardedState",
    "LockfileError",
    "NotEligibleError",
    "PlanExtension",
    "PolicyDecisionPoint",
    "PolicyError",
    "Principal",
    "ProofError",
    "RequestClosedError",
    "Resolution",
    "Review",
    "ReviewFinding",
    "Scheme",
    "SignedPlanExtension",
    "SignedResolution",
    "SignedReview",
    "SignedVote",
    "StoreError",
    "TransportError",
    "UngatedToolError",
    "UnknownRequestError",
    "Verdict",
    "Vote",
    "WrongLoopError",
    "doubt_id",
    "load_private_key",
    "sign",
]

_ROOMS = ("errors", "records", "policy", "approval", "state", "assembly")  # the cheap ones first


def __getattr__(name: str) -> object:
    """Return a public name, loading the room it lives in (PEP 562)."""
    if name in __all__:
        for room in _ROOMS:
            module = import_module(f"guarded_agents.{room}")
            if hasattr(module, name):
                value: object = getattr(module, name)
                globals()[name] = value
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
