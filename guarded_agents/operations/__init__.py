"""Is everything that was answered told, and does what is stored fit together?

A `Worker` does what nobody waits for; `diagnose` finds what went wrong, and `repair` puts right what needs no person.
"""

from guarded_agents.operations._ailments import Ailment, AilmentKind
from guarded_agents.operations._doctor import MAX_CHECKPOINTS, Repaired, diagnose, repair
from guarded_agents.operations._witness import WitnessFile, cosign, witness_server
from guarded_agents.operations._worker import Failure, Round, Worker

__all__ = [
    "MAX_CHECKPOINTS",
    "Ailment",
    "AilmentKind",
    "Failure",
    "Repaired",
    "Round",
    "WitnessFile",
    "Worker",
    "cosign",
    "diagnose",
    "repair",
    "witness_server",
]
