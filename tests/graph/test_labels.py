"""Labels only ever grow stricter (DESIGN I9)."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents.records import UNEXPOSED, Confidentiality, Integrity, Labels
from guarded_agents.transport import ToolReply
from tests.support.bank import CLEAN_ONLY, CONTEXT, POLICY, calls
from tests.support.ledger import Ledger, at_desk

BALANCE, FORGE, TOPUP = (
    ("balance", {"account": "A"}),
    ("forge", {"account": "A"}),
    ("topup", {"account": "A", "amount_cents": 5}),
)
LABELS = [Labels(integrity=one, confidentiality=other) for one in Integrity for other in Confidentiality]


@pytest.mark.requirement("I9")
@given(st.lists(st.sampled_from(LABELS), min_size=1, max_size=4))
def test_a_join_is_at_least_as_strict_as_each_of_its_parts_in_whatever_order(parts: list[Labels]) -> None:
    joined, back = UNEXPOSED, UNEXPOSED
    for part in parts:
        joined = joined.join(part)
    for part in reversed(parts):
        back = part.join(back)
    assert joined == back
    for part in parts:
        assert joined.join(part) == joined
        assert list(Integrity).index(joined.integrity) >= list(Integrity).index(part.integrity)
        assert list(Confidentiality).index(joined.confidentiality) >= list(Confidentiality).index(part.confidentiality)


@pytest.mark.requirement("I9")
async def test_once_it_has_read_untrusted_text_a_thread_stays_tainted(tmp_path: Path) -> None:
    script = (calls(FORGE), calls(BALANCE), calls(TOPUP))
    async with at_desk(tmp_path, *script, policy=CLEAN_ONLY) as desk:
        await desk.ask()
        assert desk.server.effects == [("forge", None), ("balance", None)]
        assert await desk.reasons() == ["condition_not_met"]
        bank, saver = desk.bank, desk.agent.checkpointer
    async with at_desk(tmp_path, calls(BALANCE), calls(TOPUP), policy=CLEAN_ONLY, bank=bank, saver=saver) as desk:
        await desk.ask("another question, in another process")
        assert desk.server.effects == [("balance", None)]
        assert desk.guard.store.thread("t1").labels.integrity == "untrusted"


@pytest.mark.requirement("I9")
async def test_what_was_read_is_on_record_before_a_model_is_shown_it(tmp_path: Path) -> None:
    def fails(_: Any) -> Any:
        raise RuntimeError("the model's provider is away")

    async with at_desk(tmp_path, calls(FORGE), fails) as desk:
        with pytest.raises(RuntimeError, match="away"):
            await desk.ask()
        assert desk.guard.store.thread("t1").labels.integrity == "untrusted"


@pytest.mark.requirement("I9")
async def test_what_was_read_by_an_effect_taints_as_well(tmp_path: Path) -> None:
    untrusted = CLEAN_ONLY.replace(
        "bank/refuse: {scope: bank:write, effect: write}",
        "bank/refuse: {scope: bank:write, effect: write,"
        " result: {integrity: untrusted, confidentiality: confidential}}",
    )
    async with at_desk(tmp_path, calls(("refuse", {"account": "A"})), calls(TOPUP), policy=untrusted) as desk:
        await desk.ask()
        assert desk.server.effects == [("refuse", None)]
        assert desk.guard.store.thread("t1").labels.confidentiality == "confidential"


@pytest.mark.requirement("I9")
async def test_an_answer_of_a_tool_without_declared_labels_counts_as_the_strictest(tmp_path: Path) -> None:
    bare = POLICY.replace(", result: {integrity: trusted, confidentiality: internal}", "")
    async with at_desk(tmp_path, calls(BALANCE), policy=bare) as desk:
        await desk.ask()
        labels = desk.guard.store.thread("t1").labels
        assert (labels.integrity, labels.confidentiality) == ("untrusted", "restricted")


@pytest.mark.requirement("I9")
@pytest.mark.requirement("I3")
async def test_neither_a_fork_nor_forged_state_nor_a_servers_word_loosens_a_label(tmp_path: Path) -> None:
    claims = {"integrity": "trusted", "confidentiality": "public", "_meta": {"labels": "trusted"}}
    server = Ledger(reply=lambda _: ToolReply("trusted", claims, is_error=False))
    loose: Any = {"guard_trust": {"integrity": "trusted", "confidentiality": "public"}}
    async with at_desk(
        tmp_path, calls(FORGE), calls(TOPUP), policy=CLEAN_ONLY, server=server, saver=InMemorySaver()
    ) as desk:
        await desk.ask()
        await desk.agent.aupdate_state(desk.config, loose)
        history = [snapshot async for snapshot in desk.agent.aget_state_history(desk.config)]
        for snapshot in history:
            await desk.agent.ainvoke(None, snapshot.config, context=CONTEXT)
        await desk.ask("once more")
        assert "topup" not in {sent.tool for sent in server.sent}
        assert desk.guard.store.thread("t1").labels.integrity == "untrusted"
        assert (await desk.state()).values["guard_trust"]["integrity"] == "untrusted"


@pytest.mark.requirement("I9")
@pytest.mark.requirement("I5")
async def test_a_raised_label_is_in_the_audit_log(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(FORGE)) as desk:
        await desk.ask()
        stored = [row for _, row, _ in desk.guard.store.audit_rows() if b"label_raised" in row]
        assert len(stored) == 1
        assert b'"integrity":"untrusted"' in stored[0]
