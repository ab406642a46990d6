"""No sequence of votes, delegations, clocks and revocations makes a quorum of anything but as many people who agree.

The room is held against a plain model that keeps, for each person, the first thing that the person said.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from guarded_agents.approval import check_vote, groups_asked, may_answer, quorum_met
from guarded_agents.errors import ApprovalError
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    Electorate,
    RequestStatus,
    SignedVote,
    StandingRequest,
    Vote,
)
from tests.support.approvals import KEY, TEN, TERMS, WHY, opened

GROUP = frozenset({"ana", "raj", "zoe", "lea", "bob"})  # bob is who the requester acts for
LEADS = frozenset({"kim", "ana", "desk-agent"})
HOLDERS = frozenset({"max", "lea", "desk-agent"})
PEOPLE = sorted(GROUP | LEADS | HOLDERS | {"eve"})
BARRED = {"bob", "desk-agent"}
NAMES = st.sampled_from(PEOPLE)
ANSWERS = st.sampled_from([Answer.APPROVE, Answer.APPROVE, Answer.DELEGATE, Answer.BREAK_GLASS, Answer.REJECT])
MINUTE = timedelta(minutes=1)
ALL_HOLDERS = replace(TERMS, holders=HOLDERS)


def request_of(quorum: int, *, hard: bool = False) -> ApprovalRequest:
    return opened(members=GROUP, quorum=quorum, hard=hard, backup="leads", escalate_within_s=1_800)


REQUESTS = {(quorum, hard): request_of(quorum, hard=hard) for quorum in (1, 2, 3) for hard in (False, True)}


def says(
    request: ApprovalRequest,
    name: str,
    answer: Answer,
    *,
    delegate: str = "",
    digest: str | None = None,
    keys: int = 2,
    at: datetime = TEN,
) -> SignedVote:
    vote = Vote(
        request=request.id,
        digest=digest or request.digest,
        approver=name,
        answer=answer,
        text=WHY if answer is Answer.BREAK_GLASS else None,
        delegate=delegate if answer is Answer.DELEGATE else None,
        at=at,
        nonce="0" * 32,
    )
    second = "second" if answer is Answer.BREAK_GLASS and keys == 2 else None
    return SignedVote(vote=vote, signature="proven elsewhere", second=second)


VOTES = st.lists(st.tuples(NAMES, ANSWERS, st.booleans(), st.sampled_from([1, 2]), NAMES), max_size=12)
CROWDS = st.frozensets(NAMES)


@pytest.mark.requirement("B12")
@pytest.mark.requirement("I12")
@given(said=VOTES, voters=CROWDS, holders=CROWDS, terms=st.sampled_from(sorted(REQUESTS)))
def test_any_votes_are_counted_as_a_plain_count_counts_them(
    said: list[tuple[str, Answer, bool, int, str]],
    voters: frozenset[str],
    holders: frozenset[str],
    terms: tuple[int, bool],
) -> None:
    request = REQUESTS[terms]
    votes = [
        says(request, name, answer, delegate=other, digest=None if fits else "0" * 64, keys=keys)
        for name, answer, fits, keys, other in said
    ]
    silent = {name for name, answer, *_ in said if answer is Answer.DELEGATE} | BARRED
    agreed = {name for name, answer, fits, *_ in said if answer is Answer.APPROVE and fits} - silent
    broke = {name for name, answer, fits, keys, _ in said if answer is Answer.BREAK_GLASS and fits and keys == 2}
    met = len(agreed & voters) >= request.quorum or (not request.hard and bool((broke - silent) & holders))
    assert quorum_met(request, votes, electorate=Electorate(voters, holders)) is met


class Votes(RuleBasedStateMachine):
    """One request, answered by anybody in any order, while people leave their groups and time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.group, self.leads, self.holders = set(GROUP), set(LEADS), set(HOLDERS)
        self.now, self.status = TEN, RequestStatus.PENDING
        self.cast: list[SignedVote] = []
        self.slipped: list[SignedVote] = []  # into the store, past the facade
        self.first: dict[str, Vote] = {}

    @initialize(terms=st.sampled_from(sorted(REQUESTS)))
    def ask(self, terms: tuple[int, bool]) -> None:
        self.request = REQUESTS[terms]

    @property
    def electorate(self) -> Electorate:
        groups = {"finance": self.group, "leads": self.leads}
        asked = groups_asked(self.request, now=self.now)
        return Electorate(frozenset().union(*(groups[name] for name in asked)), frozenset(self.holders))

    def voters(self) -> set[str]:
        """Return who may answer now, by the plain model."""
        escalated = self.now >= TEN + 30 * MINUTE
        return (self.group | (self.leads if escalated else set())) - BARRED

    def counts(self, vote: Vote) -> bool:
        """Return whether *vote* is to be taken, by the plain model."""
        if self.status is not RequestStatus.PENDING or self.now >= self.request.decide_by:
            return False
        if vote.answer is Answer.BREAK_GLASS:
            return vote.approver in self.holders - BARRED and not self.request.hard
        if vote.answer is Answer.DELEGATE:
            named = {said.delegate for said in self.first.values()}
            able = {name for name in self.voters() if not self.has_delegated(name)}
            return (
                vote.approver in able
                and vote.approver not in named
                and vote.delegate in able - {vote.approver}
                and vote.delegate not in self.first
                and len(able - {vote.approver}) >= self.request.quorum
            )
        return vote.approver in self.voters()

    def has_delegated(self, name: str) -> bool:
        return name in self.first and self.first[name].answer is Answer.DELEGATE

    @rule(name=NAMES, answer=ANSWERS, other=NAMES)
    def answer(self, name: str, answer: Answer, other: str) -> None:
        """Somebody answers; the store lets everybody answer once."""
        if name in self.first:
            return
        signed = says(self.request, name, answer, delegate=other, at=self.now)
        standing = StandingRequest(self.request, self.status, execute_by=self.now + MINUTE)
        expected = self.counts(signed.vote)
        try:
            check_vote(
                standing, signed, electorate=self.electorate, key=KEY, now=self.now, cast=self.cast, terms=ALL_HOLDERS
            )
        except ApprovalError:
            assert not expected
            return
        assert expected
        self.cast.append(signed)
        self.first[name] = signed.vote
        if answer is Answer.REJECT:
            self.status = RequestStatus.REJECTED
        elif self.met():
            self.status = RequestStatus.APPROVED

    @rule(name=NAMES, answer=ANSWERS, other=NAMES)
    def slip_in(self, name: str, answer: Answer, other: str) -> None:
        """A row by which nobody agreed to this request: by who may not vote, or over something else."""
        entitled = name in self.group | self.leads | self.holders and name not in BARRED
        digest = "0" * 64 if entitled else None
        if answer is not Answer.DELEGATE:
            self.slipped.append(says(self.request, name, answer, delegate=other, digest=digest, at=self.now))

    @rule(index=st.integers(min_value=0))
    def deliver_again(self, index: int) -> None:
        if self.cast:
            self.cast.append(self.cast[index % len(self.cast)])

    @rule(name=NAMES)
    def leave(self, name: str) -> None:
        for group in (self.group, self.leads, self.holders):
            group.discard(name)

    @rule(minutes=st.integers(min_value=1, max_value=90))
    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    def met(self) -> bool:
        """Return whether enough agree, by the plain model."""
        agreed = {name for name, vote in self.first.items() if vote.answer is Answer.APPROVE}
        broke = {name for name, vote in self.first.items() if vote.answer is Answer.BREAK_GLASS}
        return len(agreed & self.voters()) >= self.request.quorum or bool(broke & self.holders)

    @invariant()
    def a_quorum_is_as_many_people_who_agree(self) -> None:
        assert quorum_met(self.request, self.cast + self.slipped, electorate=self.electorate) is self.met()

    @invariant()
    def who_delegates_and_the_delegate_are_one_person(self) -> None:
        places = {name: vote.delegate for name, vote in self.first.items() if vote.answer is Answer.DELEGATE}
        agreed = {name for name, vote in self.first.items() if vote.answer is Answer.APPROVE}
        assert not agreed & set(places)
        assert not set(places) & set(places.values())

    @invariant()
    def nobody_answers_twice(self) -> None:
        for name in self.first:
            assert not may_answer(self.request, name, electorate=self.electorate, cast=self.cast)


Votes.TestCase.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
test_no_sequence_of_votes_meets_a_quorum_that_is_none = pytest.mark.requirement("I7")(Votes.TestCase)
