"""What may happen next, and how often: what leads on is drawn more often than what ends everything."""

from typing import Any

from hypothesis import strategies as st

from guarded_agents.records import Answer, Verdict
from tests.support.approvals_around import FORGED
from tests.support.approvals_facts import ANA, ANNA, BOB, EVE, LEA, MAX, PEOPLE, RAJ, VARIANTS
from tests.support.approvals_world import LEASE_S

numbers = st.integers(0, 7)
processes = st.sampled_from([0, 0, 0, 1])
threads = st.sampled_from([0, 0, 0, 1])
tool_names = st.sampled_from(["wire", "wire", "wire", "pay", "pay", "seal", "topup"])
cents = st.sampled_from([500, 500, 600, 700, 800, 500, 600, 700, 800, 50, 60, 70, 2_000])
calls = st.lists(st.tuples(tool_names, cents), min_size=1, max_size=2)
voters = st.sampled_from([ANA, RAJ, ANA, RAJ, LEA, *PEOPLE])
pairs = st.sampled_from([(ANA, RAJ)] * 4 + [(RAJ, BOB), (ANA, BOB), (LEA, RAJ), (ANA, ANNA)])
answers = st.sampled_from([Answer.APPROVE] * 6 + [Answer.REJECT, Answer.RESPOND])
seldom = st.sampled_from([False] * 5 + [True])
flaws = st.sampled_from([None] * 9 + ["digest", "other", "key", "nonce", "early", "ahead", "future", "second"])
modes = st.sampled_from(
    ["ok"] * 7
    + ["lost", "late", "never", "lost", "late", "unsent", "proves", "error", "error_lies"]
    + ["killed", "killed_sent", "killed_after"]
)
twists = st.sampled_from(
    [None] * 6 + ["deploy", "deploy", "rewrite", "write", "cancel", "rival", "rival", "resolve", "resolve"]
)
happenings = st.sampled_from([None] * 6 + ["lease", "other", "lease+other", "entry", "sweep", "resolve", "cancel"])


EVENTS: dict[str, Any] = {
    "speak": st.builds(
        dict,
        number=numbers,
        kind=st.sampled_from(["vote"] * 4 + ["agree"] * 4 + ["edit", "edit", "delegate", "delegate", "glass"]),
        who=voters,
        to=voters,
        pair=pairs,
        answer=answers,
        amount=cents,
        flaw=flaws,
        at=processes,
        later=seldom,
        mode=modes,
        what=happenings,
        wake=st.sampled_from([True, True, False]),
        twist=twists,
        variant=st.sampled_from(VARIANTS),
    ),
    "propose": st.builds(
        dict,
        thread=threads,
        proposed=calls,
        again=st.sampled_from([False, False, True]),
        process=processes,
        mode=modes,
        what=happenings,
        routed=st.sampled_from([True, True, True, False]),
    ),
    "wake": st.builds(
        dict,
        number=numbers,
        kind=st.sampled_from(["one", "one", "two", "worker"]),
        at=processes,
        mode=modes,
        what=happenings,
    ),
    "forge": st.builds(
        dict,
        number=numbers,
        process=processes,
        goto=st.sampled_from(["execute", "execute", "refuse"]),
        change=st.sampled_from([None, None, None, "cents", "turn", "occurrence", "thread", "edit"]),
        amount=cents,
        mode=modes,
    ),
    "afterwards": st.builds(
        dict,
        number=st.integers(0, 31),
        kind=st.sampled_from(["again", "review", "resolve", "resolve"]),
        who=st.sampled_from([RAJ, RAJ, EVE, EVE, *PEOPLE]),
        verdict=st.sampled_from(list(Verdict)),
        flaw=st.sampled_from([None, None, None, "attempt", "key", "early"]),
        at=processes,
    ),
    "pass_time": st.builds(
        dict, step=st.sampled_from([1, 1, 10, 10, 130, LEASE_S + 1, LEASE_S + 1, 305, 601, 20 * 60, 31 * 60, 61 * 60])
    ),
    "change_people": st.builds(
        dict,
        what=st.sampled_from(["member", "key", "fails", "slow", *["restore"] * 4]),
        who=st.sampled_from([ANA, RAJ, MAX, LEA]),
        group=st.sampled_from(["finance", "finance", "leads"]),
        number=st.sampled_from([0, 0, 1]),
    ),
    "operate": st.builds(
        dict,
        what=st.sampled_from(
            ["crash_soon"] * 4 + ["crash", "sweep", "deploy", "drift", "write", "cancel", "arrive", "lose"]
        ),
        at=processes,
        thread=threads,
        variant=st.sampled_from(VARIANTS),
        steps=st.integers(0, 3),
        flag=st.booleans(),
    ),
    "tamper": st.builds(
        dict,
        number=numbers,
        kind=st.sampled_from([*FORGED, "status", "quorum", "policy"]),
        wake=st.booleans(),
        sure=seldom,
    ),
}
WEIGHTS = {
    "speak": 6,
    "propose": 2,
    "wake": 2,
    "forge": 1,
    "afterwards": 1,
    "pass_time": 1,
    "change_people": 1,
    "operate": 2,
    "tamper": 1,
}
events = st.sampled_from([name for name, weight in WEIGHTS.items() for _ in range(weight)]).flatmap(
    lambda name: st.tuples(st.just(name), EVENTS[name])
)
