"""Which tools exist, and is each still the one that was reviewed?

``tools.lock`` holds what a person reviewed: names, texts, schemas, annotations and a digest over all of it. What a
running server offers is compared with that, and whatever is not exactly the same is quarantined: unknown, changed,
gone, claimed twice, with a schema beyond limits, or simply not looked at yet.
"""

from guarded_agents.catalog._catalog import Catalog, CatalogTool
from guarded_agents.catalog._definition import ToolDefinition, of_observed
from guarded_agents.catalog._drift import Drift, DriftKind, diff
from guarded_agents.catalog._lockfile import LockedTool, Lockfile, dump_lockfile, load_lockfile, make_lock
from guarded_agents.catalog._risk import RESERVED_ARGUMENTS, reserved_arguments, risk_raised
from guarded_agents.catalog._visible import visible, visible_json

__all__ = [
    "RESERVED_ARGUMENTS",
    "Catalog",
    "CatalogTool",
    "Drift",
    "DriftKind",
    "LockedTool",
    "Lockfile",
    "ToolDefinition",
    "diff",
    "dump_lockfile",
    "load_lockfile",
    "make_lock",
    "of_observed",
    "reserved_arguments",
    "risk_raised",
    "visible",
    "visible_json",
]
