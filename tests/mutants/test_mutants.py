"""Each mutant of the product code must be killed by the tests that it names: a control whose test cannot fail is none.

The repository is never modified: package and tests are copied, and the copy is what changes and what runs.
"""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("guarded_agents", "graphs", "tests")
BY_ID = {mutant.id: mutant for mutant in MUTANTS}
LIMIT_S = 240


def copy(folder: Path) -> Path:
    """Return *folder*, into which all that the tests need was copied."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run(folder: Path, nodes: Sequence[str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run *nodes* against the package in *folder*."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *nodes, "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def apply(mutant: Mutant, source: str) -> str:
    """Return *source* with the one change of *mutant*."""
    assert source.count(mutant.original) == 1, f"{mutant.file}: the line is not there once; name it again"
    return source.replace(mutant.original, mutant.replacement)


@pytest.mark.parametrize("mutant", MUTANTS, ids=BY_ID)
def test_a_mutant_changes_one_place_that_exists_and_is_still_a_program(mutant: Mutant) -> None:
    source = (ROOT / mutant.file).read_text()
    mutated = apply(mutant, source)
    assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source))
    changed = zip(mutant.original.splitlines(), mutant.replacement.splitlines(), strict=True)
    assert sum(before != after for before, after in changed) == 1


def test_mutants_have_names_of_their_own_and_tests_that_exist() -> None:
    assert len(BY_ID) == len(MUTANTS)
    for mutant in MUTANTS:
        for node in mutant.tests:
            path, _, name = node.partition("::")
            assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(), node


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_test_that_a_mutant_names_passes_on_an_unchanged_copy(tmp_path: Path) -> None:
    nodes = sorted({node for mutant in MUTANTS for node in mutant.tests})
    done = run(copy(tmp_path), nodes)
    assert done.returncode == pytest.ExitCode.OK, done.stdout[-4_000:]


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("mutant", MUTANTS, ids=BY_ID)
def test_a_mutant_is_killed_by_its_tests(mutant: Mutant, tmp_path: Path) -> None:
    folder = copy(tmp_path)
    target = folder / mutant.file
    target.write_text(apply(mutant, target.read_text()))
    done = run(folder, mutant.tests, "-x")
    said = done.stdout[-4_000:] + done.stderr[-1_000:]
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, f"{mutant.id} survived or broke the collection: {said}"
    assert "ERROR " not in done.stdout, said
