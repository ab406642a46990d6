"""YAML without its traps: what a reviewer reads is what the program gets (FACTS L6).

Only mappings with unique text keys, sequences, text, ``true``, ``false``, ``null`` and decimal
integers exist. Anchors, aliases, tags, merge keys, directives, a second document, and every plain
word that some YAML reader takes for something else (``no``, ``012``, ``1:30``, ``1.5``, ``~``) are
refused, with line and column. Dates stay text; who expects one parses it.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import yaml

from guarded_agents.errors import PolicyError

MAX_BYTES: Final = 4 * 2**20  # a policy of 10,000 tools has about 3 MB
MAX_DEPTH: Final = 40  # 32 levels of a JSON schema (FACTS L4) below tools/name/schema

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | bool | None"
Path: TypeAlias = tuple[str | int, ...]


class Place(NamedTuple):
    """A position in the file; both count from 1."""

    line: int
    column: int


class Places(NamedTuple):
    """Where each value begins, and where the key stands that it belongs to."""

    values: dict[Path, Place]
    keys: dict[Path, Place]


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_NUMBER_ELSEWHERE: Final = re.compile(
    r"[-+]?(?:0[bxo][0-9a-fA-F_]+|[0-9][0-9_,]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*(?::[0-9.]+)+"
    r"|[0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF|nan|NaN|NAN))"
)
_WORD_ELSEWHERE: Final = frozenset(("yes", "no", "on", "off", "true", "false", "null", "~", "<<", "="))
_LONGEST_WORD: Final = 5
_PLAIN: Final[dict[str, Tree]] = {"true": True, "false": False, "null": None}
# Invisible and direction-changing characters let a reviewer see another text than the program.
_UNSEEN: Final = re.compile(
    "[^\t\n\r\x20-\x7e\xa1-\u200a\u2010-\u2027\u2030-\u205f\u2070-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U000dffff]"
    "|\xad"
)


def read_tree(text: bytes, *, source: str) -> dict[str, Tree]:
    """Return the one mapping that *text* (UTF-8) holds. Raises PolicyError with line and column."""
    return _Reader(source).read(text)


def find_places(text: bytes, *, source: str) -> Places:
    """Return where every value and key of *text* stands; slower, so only for reporting."""
    reader = _Reader(source)
    reader.places = Places({}, {})
    reader.read(text)
    return reader.places


class _Reader:
    """Builds the tree from parser events, without recursion."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.places: Places | None = None
        self.root: Tree = None
        self.container: dict[str, Tree] | list[Tree] | None = None
        self.key: str | None = None  # of the mapping being read; None where a key is due
        self.path: Path = ()
        self.stack: list[tuple[dict[str, Tree] | list[Tree] | None, Path]] = []
        self.documents = 0

    def read(self, text: bytes) -> dict[str, Tree]:
        handlers, parser = self._handlers(), _LOADER(self._decode(text))
        try:
            next_event = parser.get_event
            while (event := next_event()) is not None:
                handlers[type(event)](event)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
            raise self._error(place, "YAML", error.problem or error.context or "something else") from None
        except yaml.YAMLError as error:
            raise self._error((1, 1), "YAML", type(error).__name__) from None
        finally:
            parser.dispose()
        if not isinstance(self.root, dict):
            raise self._error((1, 1), "a mapping with 'version' and 'tools'", "something else or nothing")
        return self.root

    def _decode(self, text: bytes) -> str:
        if len(text) > MAX_BYTES:
            raise self._error((1, 1), f"at most {MAX_BYTES} bytes", str(len(text)))
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            before = text[: error.start]
            place = (before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
            raise self._error(place, "UTF-8", "other bytes") from None
        unseen = _UNSEEN.search(decoded)
        if unseen is not None:
            head = decoded[: unseen.start()]
            place = (head.count("\n") + 1, unseen.start() - head.rfind("\n"))
            raise self._error(place, "visible characters", f"U+{ord(unseen[0]):04X}")
        return decoded

    def _handlers(self) -> dict[type, Callable[..., None]]:
        return {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open_mapping,
            yaml.SequenceStartEvent: self._open_sequence,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
            yaml.DocumentEndEvent: self._pass,
            yaml.StreamStartEvent: self._pass,
            yaml.StreamEndEvent: self._pass,
        }

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if event.tag is not None or event.anchor is not None:
            raise self._at(event, "plain text; put it in quotes if it begins with ! or &", "a tag or an anchor")
        value: Tree = event.value
        if not event.style:  # plain: libyaml says "", the Python parser None
            value = self._plain(event)
        container = self.container
        if type(container) is dict and self.key is None:
            self._take_key(event, value, container)
        else:
            self._attach(event, value)

    def _plain(self, event: yaml.ScalarEvent) -> Tree:
        text: str = event.value
        if text in _PLAIN:
            return _PLAIN[text]
        if not text:
            raise self._at(event, "a value", "nothing")
        if text[0] in "0123456789+-." and _NUMBER_ELSEWHERE.fullmatch(text):
            if _INTEGER.fullmatch(text) and text != "-0":
                return int(text)
            raise self._at(event, "a decimal integer of at most 15 digits, or text in quotes", repr(text[:40]))
        if len(text) <= _LONGEST_WORD and text.lower() in _WORD_ELSEWHERE:
            raise self._at(event, "true, false, null, or text in quotes", repr(text))
        return text

    def _take_key(self, event: yaml.ScalarEvent, key: Tree, container: dict[str, Tree]) -> None:
        if type(key) is not str:
            raise self._at(event, "a key that is text (in quotes)", type(key).__name__)
        if key in container:
            raise self._at(event, "each key once", f"{key[:80]!r} again")
        self.key = key
        if self.places is not None:
            self.places.keys[*self.path, key] = _place(event)

    def _attach(self, event: yaml.Event, value: Tree) -> Path:
        """Put *value* where it belongs; return its path (only kept where places are asked for)."""
        container, path = self.container, self.path
        if type(container) is dict:
            if self.key is None:
                raise self._at(event, "a key that is text", "a mapping or a sequence")
            container[self.key] = value
            step: str | int = self.key
            self.key = None
        elif type(container) is list:
            step = len(container)
            container.append(value)
        else:
            self.root = value
            return path
        if self.places is not None:
            path = (*path, step)
            self.places.values[path] = _place(event)
        return path

    def _open_mapping(self, event: yaml.MappingStartEvent) -> None:
        self._open(event, {})

    def _open_sequence(self, event: yaml.SequenceStartEvent) -> None:
        self._open(event, [])

    def _open(self, event: yaml.CollectionStartEvent, container: dict[str, Tree] | list[Tree]) -> None:
        if event.tag is not None or event.anchor is not None:
            raise self._at(event, "a plain mapping or sequence", "a tag or an anchor")
        if len(self.stack) >= MAX_DEPTH:
            raise self._at(event, f"a depth of at most {MAX_DEPTH}", "more")
        path = self._attach(event, container)
        self.stack.append((self.container, self.path))
        self.container, self.path = container, path

    def _close(self, _event: yaml.Event) -> None:
        self.container, self.path = self.stack.pop()

    def _alias(self, event: yaml.AliasEvent) -> None:
        raise self._at(event, "the value itself", "an alias")

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1 or event.version is not None or event.tags:
            raise self._at(event, "one document without directives", "another document or a directive")

    def _pass(self, _event: yaml.Event) -> None:
        """Nothing to build."""

    def _at(self, event: yaml.Event, expected: str, got: str) -> PolicyError:
        return self._error(_place(event), expected, got)

    def _error(self, place: tuple[int, int], expected: str, got: str) -> PolicyError:
        return PolicyError(self.source, expected=expected, got=got, line=place[0], column=place[1])


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
