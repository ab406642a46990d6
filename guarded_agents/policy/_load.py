"""From the bytes of a policy file to a Policy, or one clear error with line and column."""

from hashlib import sha256

import orjson
from pydantic import ValidationError

from guarded_agents.errors import PolicyError
from guarded_agents.policy._check import first_fault
from guarded_agents.policy._file import Policy, PolicyFile
from guarded_agents.policy._yaml import Path, Place, Places, find_places, read_tree


def load_policy(text: bytes, *, source: str) -> Policy:
    """Return the policy that *text* (YAML, UTF-8) holds; *source* names the file in errors.

    Raises PolicyError with line and column (from 1) for what is no safe YAML, an unknown key, a
    wrong type, a condition outside the fence, an id used twice, and a rule that cannot be met.
    """
    tree = read_tree(text, source=source)
    try:
        file = PolicyFile.model_validate_json(orjson.dumps(tree))
    except ValidationError as error:
        raise _shape_error(error, text, source) from None
    fault = first_fault(file)
    if fault is not None:
        place = _place_of(find_places(text, source=source), fault.path, at_key=False)
        raise _error(source, fault.path, (fault.expected, fault.got), place)
    sections = {name: getattr(file, name) for name in PolicyFile.model_fields}
    return Policy(**sections, digest=sha256(text).hexdigest(), source=source)


def _shape_error(error: ValidationError, text: bytes, source: str) -> PolicyError:
    """Word the topmost problem that pydantic found, missing keys last."""
    places = find_places(text, source=source)
    found = []
    for problem in error.errors(include_url=False, include_context=False):
        kind, path = problem["type"], problem["loc"]
        at_key = kind == "extra_forbidden" or path[-1:] == ("[key]",)
        if path[-1:] == ("[key]",):
            path = path[:-1]
        if kind == "extra_forbidden":
            wording = ("a key of this section", f"{str(path[-1])[:80]!r}")
        elif kind == "missing":
            wording = (f"the key {str(path[-1])!r}", "none")
        else:
            wording = (_said(problem["msg"]), _shown(problem["input"]))
        # A misspelt key is both unknown and missing; the first says what to correct.
        found.append((kind == "missing", _place_of(places, path, at_key=at_key), path, wording))
    _, place, path, wording = min(found, key=lambda item: item[:2])
    return _error(source, path, wording, place)


def _place_of(places: Places, path: Path, *, at_key: bool) -> Place:
    """Return where *path* stands, or the nearest section around it that is in the file."""
    if at_key and path in places.keys:
        return places.keys[path]
    for length in range(len(path), 0, -1):
        if path[:length] in places.values:
            return places.values[path[:length]]
    return Place(1, 1)


def _error(source: str, path: Path, wording: tuple[str, str], place: Place) -> PolicyError:
    where = ".".join(str(step)[:80] for step in path)
    expected, got = wording
    return PolicyError(source, expected=f"{expected} at {where}", got=got, line=place.line, column=place.column)


def _said(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return text[:1].lower() + text[1:]


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"{value[:40]!r}"
    return str(value)[:40] if isinstance(value, int) else f"a {'mapping' if isinstance(value, dict) else 'sequence'}"
