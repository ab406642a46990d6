"""Every name that a room promises is there, and a name at the top is the room's own."""

from importlib import import_module
from pathlib import Path

import pytest

import guarded_agents

PACKAGE = Path(guarded_agents.__file__).parent
ROOMS = sorted(
    path.stem
    for path in PACKAGE.iterdir()
    if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists())
)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_every_name_that_it_promises(room: str) -> None:
    module = import_module(f"guarded_agents.{room}")
    for name in module.__all__:
        assert not name.startswith("_")
        assert getattr(module, name) is not None


def test_the_public_names_are_listed_once_and_are_those_of_the_rooms() -> None:
    names = guarded_agents.__all__
    assert len(set(names)) == len(names)
    assert dir(guarded_agents) == sorted(names)
    rooms = [import_module(f"guarded_agents.{room}") for room in ("errors", "records", "policy", "approval", "state")]
    rooms.append(import_module("guarded_agents.assembly"))
    for name in names:
        found = [room for room in rooms if name in room.__all__]
        assert len(found) == 1, name
        assert getattr(guarded_agents, name) is getattr(found[0], name)
