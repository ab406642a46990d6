"""What every Python that the package runs on reads alike."""

import re
from pathlib import Path

import pytest

import guarded_agents

_GROUP_REPEATED: re.Pattern[str] = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
SOURCES = sorted(Path(guarded_agents.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("pattern", [r"(?:a|b)*+", r"(ab)++", r"(?:a)?+", r"(?:a|b){2,3}+"])
def test_a_possessive_repeat_of_a_group_is_seen(pattern: str) -> None:
    assert _GROUP_REPEATED.search(pattern)


def test_no_group_is_repeated_possessively() -> None:
    """Before 3.11.5 ``re`` matches ``(?:…)*+`` wrongly (CPython issue 106052): half a private key would stay.

    ``(?>(?:…)*)`` says the same, and is read alike by all.
    """
    assert len(SOURCES) > 100
    found = [
        f"{source.name}: {line.strip()}"
        for source in SOURCES
        for line in source.read_text(encoding="utf-8").splitlines()
        if _GROUP_REPEATED.search(line)
    ]
    assert found == []
