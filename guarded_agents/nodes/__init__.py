"""The nodes that stand between the model and the tools."""

from guarded_agents.nodes._approval import Approval, approval_subgraph
from guarded_agents.nodes._door import Door
from guarded_agents.nodes._execute import Endings
from guarded_agents.nodes._exposure import Exposure
from guarded_agents.nodes._extending import Extensions
from guarded_agents.nodes._loop import HomeLoop, context_of, dual
from guarded_agents.nodes._people import People
from guarded_agents.nodes._plan import Plans
from guarded_agents.nodes._planning import PROPOSAL_SCHEMA, PROPOSAL_TEXT
from guarded_agents.nodes._provenance import PROPOSE_PLAN, Provenance, proposes
from guarded_agents.nodes._screen_input import InputState, ScreenInput
from guarded_agents.nodes._screen_response import ScreenResponse
from guarded_agents.nodes._screening import Screening
from guarded_agents.nodes._services import CallTask, Services, checked
from guarded_agents.nodes._statements import Statements
from guarded_agents.nodes._tokens import Tokens
from guarded_agents.nodes._votes import Votes, require_signed

__all__ = [
    "PROPOSAL_SCHEMA",
    "PROPOSAL_TEXT",
    "PROPOSE_PLAN",
    "Approval",
    "CallTask",
    "Door",
    "Endings",
    "Exposure",
    "Extensions",
    "HomeLoop",
    "InputState",
    "People",
    "Plans",
    "Provenance",
    "ScreenInput",
    "ScreenResponse",
    "Screening",
    "Services",
    "Statements",
    "Tokens",
    "Votes",
    "approval_subgraph",
    "checked",
    "context_of",
    "dual",
    "proposes",
    "require_signed",
]
