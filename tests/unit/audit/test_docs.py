"""The entry in docs/audit.md is one."""

import re
from pathlib import Path

from guarded_agents.audit import Kind, verify

PAGE = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")


def test_the_entry_on_the_page_has_the_hash_on_the_page() -> None:
    stored = re.search(r"```json\n(.*)\n```", PAGE)
    root = re.search(r"`([0-9a-f]{64})`", PAGE)
    assert stored is not None
    assert root is not None
    assert verify([(0, stored[1].encode(), root[1])], log="desk").verified


def test_every_kind_is_on_the_page() -> None:
    assert [kind for kind in Kind if f"`{kind}`" not in PAGE] == []
