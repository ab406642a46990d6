"""The manifest, the tests and the mutants say the same."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.mutants.table import MUTANTS
from tests.requirements import INVARIANTS, REQUIREMENTS, Requirement, Status

ROOT = Path(__file__).parents[3]
BY_ID = {requirement.id: requirement for requirement in REQUIREMENTS}


def _marks(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "requirement":
            yield node


@cache
def marked() -> dict[str, set[str]]:
    """Return the test files that mark a test with each id."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for mark in _marks(ast.parse(path.read_text())):
            place = f"{path.relative_to(ROOT)}:{mark.lineno}"
            assert mark.args, f"{place}: a marker without an id"
            for argument in mark.args:
                assert isinstance(argument, ast.Constant), f"{place}: an id that is not written out"
                found[str(argument.value)].add(place)
    return found


def test_each_id_stands_once_and_each_statement_is_a_sentence() -> None:
    assert len(BY_ID) == len(REQUIREMENTS)
    for requirement in REQUIREMENTS:
        assert requirement.statement.endswith((".", ".)")), requirement.id
        assert requirement.source.startswith(("DESIGN", "FACTS", "RFC")), requirement.id


def test_the_invariants_and_bypasses_are_all_there() -> None:
    expected = {f"I{number}" for number in range(1, 13)} | {f"B{number}" for number in range(1, 17)}
    assert expected <= BY_ID.keys()
    assert [requirement.id for requirement in INVARIANTS] == [f"I{number}" for number in range(1, 13)]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=BY_ID)
def test_what_is_held_has_a_test(requirement: Requirement) -> None:
    if requirement.status is Status.HELD:
        assert marked().get(requirement.id), f"no test is marked {requirement.id}: {requirement.statement}"


def test_every_marker_names_a_requirement() -> None:
    assert {name: sorted(places) for name, places in marked().items() if name not in BY_ID} == {}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=[requirement.id for requirement in INVARIANTS])
def test_each_invariant_has_mutants_that_a_test_marked_with_it_kills(invariant: Requirement) -> None:
    killers = {
        node.partition("::")[0] for mutant in MUTANTS if mutant.requirement == invariant.id for node in mutant.tests
    }
    files = {place.partition(":")[0] for place in marked()[invariant.id]}
    assert killers & files


def test_every_mutant_is_of_a_requirement_and_of_a_line_that_exists() -> None:
    for mutant in MUTANTS:
        assert mutant.requirement in BY_ID, mutant.id
        assert (ROOT / mutant.file).read_text().count(mutant.original) == 1, mutant.id


def test_the_controls_are_spelt_as_their_standards_spell_them() -> None:
    for requirement in REQUIREMENTS:
        assert all(control[:2] in ("CC", "PI", "A1", "C1") for control in requirement.soc2), requirement.id
        assert all(control.startswith("164.") for control in requirement.hipaa), requirement.id


def test_a_marker_in_any_form_is_found() -> None:
    source = (
        'pytestmark = pytest.mark.requirement("A", "B")\n'
        '@pytest.mark.requirement("C")\ndef test_x(): ...\n'
        'CASES = [pytest.param(1, marks=pytest.mark.requirement("D"))]\n'
    )
    assert [argument.value for mark in _marks(ast.parse(source)) for argument in mark.args] == ["A", "B", "C", "D"]
