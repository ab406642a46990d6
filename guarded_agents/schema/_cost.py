"""What a JSON Schema can cost, measured before an engine sees it (FACTS L4).

An engine follows references without counting: a 2 KB chain of ``$ref`` costs ten times more per level. So the schema
is expanded here as an engine would evaluate it, and refused where it goes beyond a limit. A recursive schema is
accepted only if it is linear: no place of the instance may be reached by two ways round the cycle, for two ways are
2^depth evaluations. That admits trees, lists and filters, and refuses cycles that never descend.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import orjson
from pydantic import JsonValue

from guarded_agents.errors import SchemaError
from guarded_agents.schema._ways import ANY_ELEMENT, ANY_MEMBER, Ways

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 32  # of the document's own nesting
MAX_REFS: Final = 1_000  # expanded
MAX_SUBSCHEMAS: Final = 5_000  # expanded
MAX_EXPANDED_DEPTH: Final = 64  # subschemas within subschemas, through references
MAX_PATTERNS: Final = 100
MAX_UNEVALUATED_DEPTH: Final = 3  # engines evaluate what lies under each `unevaluated…` again, 3 to 4 times a level

# These change what a reference means, and nobody needs them in a tool's schema.
_REBASING: Final = ("$id", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor")
_SCANNED: Final = (b'"$id"', b'"$dynamic', b'"$recursive', b'"pattern')
_EXPANDED: Final = (b'"$ref"', b'"unevaluated')
_UNEVALUATED: Final = frozenset({"unevaluatedProperties", "unevaluatedItems"})

# Where subschemas stand, over all dialects: at the same place of the instance, or at a child of it.
_HERE_ONE: Final = ("not", "if", "then", "else")
_HERE_MANY: Final = ("allOf", "anyOf", "oneOf")
_HERE_NAMED: Final = ("dependentSchemas", "dependencies")
_CHILD_ONE: Final[tuple[tuple[str, str | int], ...]] = (
    ("unevaluatedProperties", ANY_MEMBER),
    ("propertyNames", ANY_MEMBER),
    ("unevaluatedItems", ANY_ELEMENT),
    ("contains", ANY_ELEMENT),
)
_ESCAPED: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def document(schema: Mapping[str, JsonValue], *, subject: str) -> dict[str, JsonValue]:
    """Return a copy of *schema* that is plain JSON, shares nothing, and costs no more to evaluate than allowed.

    Raises SchemaError where it is not JSON or exceeds a limit of this module, where it has an ``$id`` below its root
    or a dynamic reference, where a reference leaves it or names no part of it, and where a recursion is not linear.
    """
    try:
        text = orjson.dumps(dict(schema))
    except (TypeError, ValueError):
        raise _refused(subject, "JSON values only", "another value, or over 254 levels") from None
    if len(text) > MAX_BYTES:
        raise _refused(subject, f"at most {MAX_BYTES} bytes", str(len(text)))
    plain: dict[str, JsonValue] = orjson.loads(text)
    objects = list(_objects(plain, subject))
    if any(word in text for word in _SCANNED):
        _scan(plain, objects, subject)
    if len(text) > MAX_SUBSCHEMAS or any(word in text for word in _EXPANDED):  # else there is nothing to expand
        _Expansion(plain, subject).enter(plain, _Place())
    return plain


def property_names(plain: dict[str, JsonValue]) -> frozenset[str]:
    """Return every name that a schema, which `document` returned, itself gives to a member."""
    named = (node.get("properties") for node in _objects(plain, ""))
    return frozenset(name for names in named if isinstance(names, dict) for name in names)


def _objects(plain: dict[str, JsonValue], subject: str) -> Iterator[dict[str, JsonValue]]:
    """Yield every object within *plain*. Raises SchemaError beyond MAX_DEPTH."""
    level: list[dict[str, JsonValue] | list[JsonValue]] = [plain]
    for _ in range(MAX_DEPTH):
        yield from (node for node in level if isinstance(node, dict))
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _refused(subject, f"at most {MAX_DEPTH} levels", "more")


def _scan(plain: dict[str, JsonValue], objects: Iterable[dict[str, JsonValue]], subject: str) -> None:
    """Refuse what changes the meaning of references, and too many patterns, wherever they stand."""
    patterns = 0
    for node in objects:
        for keyword in _REBASING:
            if isinstance(node.get(keyword), str | bool) and not (node is plain and keyword == "$id"):
                raise _refused(subject, "no $id below its root and no dynamic reference", keyword)
        named = node.get("patternProperties")
        patterns += isinstance(node.get("pattern"), str) + (len(named) if isinstance(named, dict) else 0)
    if patterns > MAX_PATTERNS:
        raise _refused(subject, f"at most {MAX_PATTERNS} patterns", str(patterns))


def _refused(subject: str, expected: str, got: str) -> SchemaError:
    return SchemaError(subject, expected=f"a schema with {expected}", got=got, action="have the server simplify it")


class _Place(NamedTuple):
    """Where the walk stands: how deep in subschemas, how deep in the instance, how deep under `unevaluated…`."""

    depth: int = 0
    descents: int = 0
    unevaluated: int = 0


class _Entered(NamedTuple):
    """A schema that is being expanded: its order among those, and where the walk stood when it was entered."""

    order: int
    place: _Place


class _Expansion:
    """One walk over one schema."""

    def __init__(self, root: dict[str, JsonValue], subject: str) -> None:
        self._root, self._subject = root, subject
        self._refs = self._subschemas = 0
        self._entered: dict[int, _Entered] = {}  # by identity: `document` made each object once

    def enter(self, target: JsonValue, place: _Place) -> Ways:
        """Expand the root or what a reference names, and return the ways that lead back beyond it."""
        order = len(self._entered)
        self._entered[id(target)] = _Entered(order, place)
        ways = self._visit(target, place)
        del self._entered[id(target)]
        if ways.here + ways.most_below() > 1:
            raise _refused(self._subject, "recursion in one way at a time", "several that reach the same value")
        return ways if ways.outermost < order else Ways()

    def _visit(self, node: JsonValue, place: _Place) -> Ways:
        ways = Ways()
        if isinstance(node, bool):
            return ways
        if not isinstance(node, dict):
            raise _refused(self._subject, "objects or booleans as subschemas", type(node).__name__)
        self._subschemas += 1
        if self._subschemas > MAX_SUBSCHEMAS:
            raise _refused(self._subject, f"at most {MAX_SUBSCHEMAS} expanded subschemas", "more")
        under = place.unevaluated + (not _UNEVALUATED.isdisjoint(node))
        if under > MAX_UNEVALUATED_DEPTH:
            raise _refused(self._subject, f"at most {MAX_UNEVALUATED_DEPTH} nested unevaluated… keywords", "more")
        if place.depth > MAX_EXPANDED_DEPTH:
            raise _refused(self._subject, f"at most {MAX_EXPANDED_DEPTH} levels when expanded", "more")
        here = _Place(place.depth + 1, place.descents, under)
        if "$ref" in node:
            ways.add_here(self._follow(node["$ref"], here))
        for subschema in _here(node):
            ways.add_here(self._visit(subschema, here))
        below = here._replace(descents=here.descents + 1)
        for child, subschema, but in _children(node):
            ways.add_child(child, self._visit(subschema, below), but=but)
        return ways

    def _follow(self, ref: JsonValue, place: _Place) -> Ways:
        self._refs += 1
        if self._refs > MAX_REFS:
            raise _refused(self._subject, f"at most {MAX_REFS} expanded references", "more")
        target = self._resolve(ref)
        entered = self._entered.get(id(target)) if isinstance(target, dict) else None
        if entered is None:
            return self.enter(target, place)
        if entered.place.descents == place.descents:
            raise _refused(self._subject, "references that come to an end", "a cycle")
        if entered.place.unevaluated != place.unevaluated:
            raise _refused(self._subject, "no unevaluated… keyword within a recursion", "one")
        return Ways(here=1, outermost=entered.order)

    def _resolve(self, ref: JsonValue) -> JsonValue:
        if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
            raise _refused(self._subject, "local references (# or #/…)", "another one")
        node: JsonValue = self._root
        try:
            for token in _ESCAPED.sub(_unescape, ref[2:]).split("/") if len(ref) > 1 else ():
                step = token.replace("~1", "/").replace("~0", "~")
                node = node[int(step)] if isinstance(node, list) else node[step]  # type: ignore[index]
        except (LookupError, TypeError, ValueError):
            raise _refused(self._subject, "references that name a part of it", "one that names none") from None
        return node


def _unescape(escaped: re.Match[str]) -> str:
    return bytes.fromhex(escaped[0].replace("%", "")).decode()  # RFC 6901 section 6


def _here(node: dict[str, JsonValue]) -> Iterator[JsonValue]:
    """Yield the subschemas that look at the same place of the instance as *node*."""
    for keyword in _HERE_ONE:
        if keyword in node:
            yield node[keyword]
    for keyword in _HERE_MANY:
        many = node.get(keyword)
        if isinstance(many, list):  # where it is none, the engine refuses the schema
            yield from many
    for keyword in _HERE_NAMED:
        named = node.get(keyword)
        if isinstance(named, dict):
            yield from (child for child in named.values() if not isinstance(child, list))


def _children(node: dict[str, JsonValue]) -> Iterator[tuple[str | int, JsonValue, tuple[str | int, ...]]]:
    """Yield (child, subschema, children that it leaves out) for those that look at a child."""
    named, matching = node.get("properties"), node.get("patternProperties")
    names: tuple[str, ...] = ()
    if isinstance(named, dict):
        names = tuple(named)
        yield from ((f"/{name}", child, ()) for name, child in named.items())  # so that none is called `*`
    if isinstance(matching, dict):
        yield from ((ANY_MEMBER, child, ()) for child in matching.values())
    if "additionalProperties" in node:
        yield ANY_MEMBER, node["additionalProperties"], tuple(f"/{name}" for name in names)
    items = node.get("items")
    prefix = items if isinstance(items, list) else node.get("prefixItems")  # a list until draft 2019-09
    indexes: tuple[int, ...] = ()
    if isinstance(prefix, list):
        indexes = tuple(range(len(prefix)))
        yield from ((index, child, ()) for index, child in enumerate(prefix))
    if "items" in node and not isinstance(items, list):
        yield ANY_ELEMENT, items, indexes
    if "additionalItems" in node:
        yield ANY_ELEMENT, node["additionalItems"], indexes
    for keyword, child in _CHILD_ONE:
        if keyword in node:
            yield child, node[keyword], ()
