"""Where did this value come from, and does that give it authority?

Detectors miss most injections, so what a call may do unattended is not decided by how its text looks but by where its
values come from (DESIGN section 7). `weigh` answers for one call; `Facts` is what is on record of its thread.
"""

from guarded_agents.provenance._facts import Facts, NamedRecord, SeenResult, endorsements, pin_plan, value_digest
from guarded_agents.provenance._labels import Field, fields_of, joined, resolve, result_labels
from guarded_agents.provenance._rule import AuthorityRule, compile_authority
from guarded_agents.provenance._shapes import Authority, Plan, Ruling
from guarded_agents.provenance._text import UserText
from guarded_agents.provenance._verbs import DEFAULT_VERBS
from guarded_agents.provenance._weigh import weigh

__all__ = [
    "DEFAULT_VERBS",
    "Authority",
    "AuthorityRule",
    "Facts",
    "Field",
    "NamedRecord",
    "Plan",
    "Ruling",
    "SeenResult",
    "UserText",
    "compile_authority",
    "endorsements",
    "fields_of",
    "joined",
    "pin_plan",
    "resolve",
    "result_labels",
    "value_digest",
    "weigh",
]
