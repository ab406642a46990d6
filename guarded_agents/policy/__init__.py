"""May this principal call this tool with these arguments?

A policy file (YAML, DESIGN section 6) becomes a `Policy`; `RulePolicy` decides by it, `explain` says why.
"""

from guarded_agents.policy._decide import PolicyDecisionPoint, RulePolicy
from guarded_agents.policy._explain import AskedApprovers, EmergencyTerms, Explanation, explain
from guarded_agents.policy._file import PlanOrigin, Policy
from guarded_agents.policy._load import load_policy
from guarded_agents.policy._notes import seldom_meant
from guarded_agents.policy._rule import asked_of
from guarded_agents.policy._screening import SECRETS, ScreeningEntry, Spotlighting
from guarded_agents.policy._trace import Step
from guarded_agents.policy._values import authority_terms

__all__ = [
    "SECRETS",
    "AskedApprovers",
    "EmergencyTerms",
    "Explanation",
    "PlanOrigin",
    "Policy",
    "PolicyDecisionPoint",
    "RulePolicy",
    "ScreeningEntry",
    "Spotlighting",
    "Step",
    "asked_of",
    "authority_terms",
    "explain",
    "load_policy",
    "seldom_meant",
]
