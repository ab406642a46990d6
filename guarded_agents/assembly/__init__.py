"""The guard: what it is opened from, and how it guards a graph.

`Guard` owns what outlives a run: the policy, the catalogue, the store, the sessions and the keys.
"""

from guarded_agents.assembly._guard import Guard
from guarded_agents.assembly._lint import GUARD_NODES, AnyGraph, Finding, lint
from guarded_agents.assembly._opener import GuardOpener
from guarded_agents.assembly._waiting import Waiting, waiting_of

__all__ = ["GUARD_NODES", "AnyGraph", "Finding", "Guard", "GuardOpener", "Waiting", "lint", "waiting_of"]
