"""What the graph state shows of the guard, and the one door between its JSON and records (DESIGN section 3).

State is a mirror: it shows who asked, what was decided and where the proof is, and enforcement
trusts none of it. Its values are plain JSON and messages, so a checkpoint needs no type of ours.
"""

from guarded_agents.state._conversation import derived_id
from guarded_agents.state._door import dump, load
from guarded_agents.state._messages import MessagesChannel, merge_messages
from guarded_agents.state._mirrors import GuardChannel, merge_audit, merge_calls, merge_requester, merge_trust
from guarded_agents.state._schema import GUARD_KEYS, GuardContext, GuardedState

__all__ = [
    "GUARD_KEYS",
    "GuardChannel",
    "GuardContext",
    "GuardedState",
    "MessagesChannel",
    "derived_id",
    "dump",
    "load",
    "merge_audit",
    "merge_calls",
    "merge_messages",
    "merge_requester",
    "merge_trust",
]
