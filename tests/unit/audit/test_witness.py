"""A witness cosigns what grew, and answers as C2SP tlog-witness has it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.audit import (
    Algorithm,
    KeySigner,
    Note,
    Status,
    Submission,
    TreeHead,
    Witness,
    leaf_hash,
    parse_note,
    parse_submission,
    prove_consistency,
    root_of,
    sign_head,
    subtrees_of,
)
from guarded_agents.errors import NoteError

LOG, OTHER = KeySigner("desk", b"1" * 32), KeySigner("desk", b"2" * 32)
WITNESS = KeySigner("auditor.example", b"3" * 32, Algorithm.COSIGNATURE)
AT = Witness(WITNESS, {"desk": (LOG.verifier,)})
NOW_S = 1_767_600_000


def tree(size: int, word: str = "entry") -> Callable[[int, int], bytes]:
    leaves = [bytes.fromhex(leaf_hash(f"{word} {number}".encode())) for number in range(size)]
    return subtrees_of(lambda level, first, count: leaves[first : first + count])


def head(size: int, word: str = "entry") -> TreeHead:
    return TreeHead("desk", size, root_of(size, tree(size, word)))


def submission(old: int, size: int, signer: KeySigner = LOG) -> Submission:
    proof = prove_consistency(old, size, tree(size)) if old <= size else ()
    return Submission(old, proof, sign_head(head(size), signer))


@given(old=st.integers(0, 40), size=st.integers(1, 40))
def test_what_grew_is_cosigned_and_nothing_else(old: int, size: int) -> None:
    before = {"desk": head(old)} if old else {}
    answer = AT.answer(submission(old, size).dump(), before, at_s=NOW_S)
    if old > size:
        assert (answer.status, answer.seen) == (Status.BAD_REQUEST, None)
        return
    assert (answer.status, answer.seen) == (Status.OK, head(size))
    note = parse_note(sign_head(head(size), LOG).dump() + answer.body.encode())
    assert WITNESS.verifier.holds(note)
    assert LOG.verifier.holds(note)


def test_a_witness_that_saw_another_head_last_says_of_what_size() -> None:
    answer = AT.answer(submission(0, 7).dump(), {"desk": head(5)}, at_s=NOW_S)
    assert (answer.status, answer.body, answer.media_type) == (Status.CONFLICT, "5\n", "text/x.tlog.size")


FORK = {"desk": head(5, "another")}
WRONG: dict[str, tuple[bytes, dict[str, TreeHead], Status]] = {
    "a log that was forked": (submission(5, 7).dump(), FORK, Status.INCONSISTENT),
    "the same size and another root": (submission(5, 5).dump(), FORK, Status.CONFLICT),
    "no proof": (submission(5, 7)._replace(proof=()).dump(), {"desk": head(5)}, Status.INCONSISTENT),
    "a proof too much": (submission(0, 7)._replace(proof=(b"0" * 32,)).dump(), {}, Status.INCONSISTENT),
    "another key": (submission(0, 7, OTHER).dump(), {}, Status.FORBIDDEN),
    "another log": (
        Submission(0, (), sign_head(TreeHead("till", 1, b"0" * 32), LOG)).dump(),
        {},
        Status.NOT_FOUND,
    ),
    "no head": (b"old 0\n\nno note", {}, Status.BAD_REQUEST),
    "no size": (b"old\n\n" + submission(0, 1).note.dump(), {}, Status.BAD_REQUEST),
    "a note that is no head": (
        Submission(0, (), Note("a text\n", submission(0, 1).note.signatures)).dump(),
        {},
        Status.BAD_REQUEST,
    ),
    "64 hashes": (submission(0, 1)._replace(proof=(b"0" * 32,) * 64).dump(), {}, Status.BAD_REQUEST),
    "too much": (b"old 0\n\n" + b"x" * 1_000_001, {}, Status.TOO_LARGE),
}


@pytest.mark.parametrize(("body", "before", "status"), WRONG.values(), ids=WRONG)
def test_what_does_not_go_on_from_the_head_before_is_not_cosigned(
    body: bytes, before: dict[str, TreeHead], status: Status
) -> None:
    answer = AT.answer(body, before, at_s=NOW_S)
    assert (answer.status, answer.seen) == (status, None)
    assert "\u2014" not in answer.body


def test_a_submission_comes_back_as_it_was_sent() -> None:
    sent = submission(3, 7)
    assert parse_submission(sent.dump()) == sent


@given(body=st.binary(max_size=200))
def test_whatever_is_sent_is_answered(body: bytes) -> None:
    assert AT.answer(body, {}, at_s=NOW_S).status == Status.BAD_REQUEST
    with pytest.raises(NoteError):
        parse_submission(body)
