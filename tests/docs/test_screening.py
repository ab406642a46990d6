"""Every example of docs/screening.md is run, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "screening.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_page_does_what_it_says(example: str) -> None:
    assert "assert " in example
    exec(compile(example, "screening.md", "exec"), {"__name__": "example"})


def test_every_block_of_the_page_is_an_example() -> None:
    assert len(EXAMPLES) == PAGE.count("\n```") / 2


def test_every_link_of_the_page_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGE):
        assert (DOCS / target).exists(), target
