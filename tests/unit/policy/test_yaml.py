"""The YAML of a policy file: what a reviewer reads is what the program gets."""

import pytest
import yaml

from guarded_agents.errors import PolicyError
from guarded_agents.policy import _yaml
from guarded_agents.policy._yaml import find_places, read_tree

REFUSED = {
    "a duplicate key": ("a: 1\nb: 2\na: 3\n", 3, 1, "each key once"),
    "a nested duplicate key": ("a:\n  b: 1\n  'b': 2\n", 3, 3, "each key once"),
    "no": ("a: no\n", 1, 4, "true, false"),
    "yes": ("a: [x, yes]\n", 1, 8, "true, false"),
    "On": ("a: On\n", 1, 4, "true, false"),
    "TRUE": ("a: TRUE\n", 1, 4, "true, false"),
    "a tilde": ("a: ~\n", 1, 4, "true, false"),
    "nothing": ("a:\nb: 1\n", 1, 3, "a value"),
    "octal": ("a: 012\n", 1, 4, "decimal integer"),
    "octal of 1.2": ("a: 0o12\n", 1, 4, "decimal integer"),
    "hexadecimal": ("a: 0x1F\n", 1, 4, "decimal integer"),
    "sexagesimal": ("a: 1:30\n", 1, 4, "decimal integer"),
    "sexagesimal float": ("a: 1:30:12.5\n", 1, 4, "decimal integer"),
    "underscores": ("a: 1_000\n", 1, 4, "decimal integer"),
    "a float": ("a: 1.5\n", 1, 4, "decimal integer"),
    "an exponent": ("a: 1e3\n", 1, 4, "decimal integer"),
    "infinity": ("a: -.inf\n", 1, 4, "decimal integer"),
    "not a number": ("a: .nan\n", 1, 4, "decimal integer"),
    "plus": ("a: +1\n", 1, 4, "decimal integer"),
    "minus zero": ("a: -0\n", 1, 4, "decimal integer"),
    "sixteen digits": ("a: 1234567890123456\n", 1, 4, "decimal integer"),
    "an anchor": ("a: &x 1\n", 1, 4, "plain text"),
    "an anchored mapping": ("a: &x {b: 1}\n", 1, 4, "a plain mapping"),
    "an alias": ("a: {b: *x}\n", 1, 8, "the value itself"),
    "a tag": ("a: !!str 1\n", 1, 4, "plain text"),
    "a local tag": ("a: !args.dry_run\n", 1, 4, "plain text"),
    "a tagged sequence": ("a: !!set [b]\n", 1, 4, "a plain mapping"),
    "a Python tag": ("a: !!python/object/apply:os.system [ls]\n", 1, 4, "a plain mapping"),
    "a merge key": ("a: {<<: 1}\n", 1, 5, "true, false"),
    "a second document": ("a: 1\n---\nb: 2\n", 2, 1, "one document"),
    "a directive": ("%YAML 1.1\n---\na: 1\n", 1, 1, "one document"),
    "an integer as key": ("1: a\n", 1, 1, "a key that is text"),
    "a boolean as key": ("a: {true: 1}\n", 1, 5, "a key that is text"),
    "a mapping as key": ("{a: 1}: b\n", 1, 1, "a key that is text"),
    "a sequence at the top": ("- a\n", 1, 1, "a mapping"),
    "nothing at all": ("", 1, 1, "a mapping"),
    "a tab": ("a:\n\tb: 1\n", 2, 1, "YAML"),
    "an open bracket": ("a: [1, 2\n", 2, 1, "YAML"),
    "a hidden character": ("a: 1\nb: x\u200by\n", 2, 5, "visible"),
    "a direction override": ("a: x\u202ey\n", 1, 5, "visible"),
    "a byte order mark": ("\ufeffa: 1\n", 1, 1, "visible"),
    "a control character": ("a: \x07\n", 1, 4, "visible"),
    "too deep": ("a: " + "[" * 100_000, 1, 43, "a depth"),
}


@pytest.mark.requirement("policy:yaml")
@pytest.mark.parametrize(("text", "line", "column", "expected"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("loader", [_yaml._LOADER, yaml.SafeLoader], ids=["libyaml", "python"])
def test_what_yaml_readers_disagree_about_is_refused_with_its_place(
    monkeypatch: pytest.MonkeyPatch, loader: type, text: str, line: int, column: int, expected: str
) -> None:
    monkeypatch.setattr(_yaml, "_LOADER", loader)
    with pytest.raises(PolicyError) as caught:
        read_tree(text.encode(), source="p.yaml")
    assert expected in caught.value.expected
    assert caught.value.line == line
    if expected != "YAML":  # the two parsers put the same fault at different columns
        assert caught.value.column == column
    assert str(caught.value).startswith(f"p.yaml:{line}:")


@pytest.mark.parametrize("loader", [_yaml._LOADER, yaml.SafeLoader], ids=["libyaml", "python"])
def test_the_rest_is_read_as_it_stands(monkeypatch: pytest.MonkeyPatch, loader: type) -> None:
    monkeypatch.setattr(_yaml, "_LOADER", loader)
    text = """
a: {b: [1, -20, 0], c: true, d: false, e: null}
f: "no"
g: '012'
h: 2027-01-31
i: |
  two
  lines
'j': 4h
k: a && b < 5
l: []
m: é
n: 10.0.0.1
"""
    assert read_tree(text.encode(), source="p") == {
        "a": {"b": [1, -20, 0], "c": True, "d": False, "e": None},
        "f": "no",
        "g": "012",
        "h": "2027-01-31",
        "i": "two\nlines\n",
        "j": "4h",
        "k": "a && b < 5",
        "l": [],
        "m": "é",
        "n": "10.0.0.1",
    }


def test_other_bytes_than_utf_8_are_refused_with_their_place() -> None:
    with pytest.raises(PolicyError, match="p:2:4: expected UTF-8"):
        read_tree(b"a: 1\nb: \xff\n", source="p")


def test_a_file_beyond_the_size_limit_is_refused_unread() -> None:
    with pytest.raises(PolicyError, match="at most 4194304 bytes"):
        read_tree(b"a" * (4 * 2**20 + 1), source="p")


def test_a_fault_without_a_position_is_reported_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(yaml.SafeLoader):
        fault: yaml.YAMLError = yaml.YAMLError("x")

        def get_event(self) -> None:
            raise self.fault

    monkeypatch.setattr(_yaml, "_LOADER", Broken)
    with pytest.raises(PolicyError, match="p:1:1: expected YAML, got YAMLError"):
        read_tree(b"a: 1", source="p")
    Broken.fault = yaml.MarkedYAMLError()
    with pytest.raises(PolicyError, match="p:1:1: expected YAML, got something else"):
        read_tree(b"a: 1", source="p")


def test_an_event_without_a_mark_stands_at_the_beginning() -> None:
    assert _yaml._place(yaml.StreamStartEvent(None, None)) == (1, 1)


def test_places_are_those_of_keys_and_values() -> None:
    places = find_places(b"a:\n  - {b: 1}\n  - x\n", source="p")
    assert places.values == {("a",): (2, 3), ("a", 0): (2, 5), ("a", 0, "b"): (2, 9), ("a", 1): (3, 5)}
    assert places.keys == {("a",): (1, 1), ("a", 0, "b"): (2, 6)}
