"""Names that load when they are first used."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guarded_agents._late import loads_late
from guarded_agents.errors import ConfigurationError

UNUSABLE = {
    "not installed": ("import jwt_of_no_extra", "no module jwt_of_no_extra"),
    "lacks a name": ("from json import jwt_of_another_version", "modules that do not fit together"),
    "of another version": ("raise ImportError('renamed')", "modules that do not fit together"),
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose module ``_door`` a test writes."""
    folder = tmp_path / "shop_of_late"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


def load(name: str) -> object:
    late = loads_late(
        "shop_of_late", {"Door": "_door"}, what="shop", expected="PyJWT 2", action="install guarded-agents[shop]"
    )
    return late(name)


def test_a_name_is_that_of_its_module_which_is_loaded_no_earlier(shop: Path) -> None:
    (shop / "_door.py").write_text("Door = 'open'")
    with pytest.raises(AttributeError, match="module 'shop_of_late' has no attribute 'Window'"):
        load("Window")
    assert "shop_of_late._door" not in sys.modules
    assert load("Door") == "open"


@pytest.mark.parametrize(("source", "got"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_missing_is_said_with_the_way_to_get_it(shop: Path, source: str, got: str) -> None:
    (shop / "_door.py").write_text(source)
    with pytest.raises(ConfigurationError) as raised:
        load("Door")
    assert str(raised.value) == f"shop Door: expected PyJWT 2, got {got}; install guarded-agents[shop]"
