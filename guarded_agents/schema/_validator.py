"""JSON Schemas of tools, compiled once, offline and within limits (FACTS L4, F19).

A schema comes from an MCP server, so it may try to fetch, to stall or to leak. Here only local references count
(``#`` and ``#/…``), regular expressions run in linear time, and what a schema can cost is measured before the engine
sees it: references and subschemas as they expand, and a recursion may visit a place of the instance only once.
The dialect is JSON Schema 2020-12 where ``$schema`` says nothing (MCP 2025-11-25, "JSON Schema Usage").
"""

from collections.abc import Mapping
from typing import Final

import jsonschema_rs
import orjson
from pydantic import JsonValue

from guarded_agents.errors import SchemaError
from guarded_agents.schema._cost import document, property_names

_DIALECTS: Final[Mapping[str, type[jsonschema_rs.Validator]]] = {
    "https://json-schema.org/draft/2020-12/schema": jsonschema_rs.Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema_rs.Draft201909Validator,
    "http://json-schema.org/draft-07/schema": jsonschema_rs.Draft7Validator,
}
_DEFAULT_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MAX_AUTOMATON_BYTES: Final = 1 << 20  # of one compiled pattern; 8 ms at worst to find out
_MASK: Final = "…"
_STRICT: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


class SchemaValidator:
    """A compiled schema. Thread-safe: nothing in it changes after it was built."""

    __slots__ = ("_engine", "_is_valid", "_plain")

    def __init__(self, engine: jsonschema_rs.Validator, plain: dict[str, JsonValue]) -> None:
        """Keep the engine and the schema it was built from. Made by `compile_schema` only."""
        self._engine, self._is_valid, self._plain = engine, engine.is_valid, plain

    def accepts(self, value: JsonValue) -> bool:
        """Return whether *value* is valid. What JSON cannot spell is not: a lone surrogate, 2^64, a depth over 254."""
        try:
            orjson.dumps(value, option=_STRICT)  # the engine by itself lets some lone surrogates pass
            return self._is_valid(value)
        except (TypeError, ValueError):  # JSONEncodeError is a TypeError, UnicodeEncodeError a ValueError
            return False

    def problem(self, value: JsonValue) -> str | None:
        """Return the first violation as ``<place>: <keyword>``, or None. It quotes nothing of the instance.

        The place is a JSON pointer (RFC 6901) in which names that the schema does not know read ``*``.
        """
        try:
            orjson.dumps(value, option=_STRICT)
            self._engine.validate(value)  # stops at the first one; `iter_errors` collects all of them before it yields
        except jsonschema_rs.ValidationError as first:
            error = first
        except (TypeError, ValueError):
            return "(root): no JSON value"
        else:
            return None
        known = property_names(self._plain)  # these may be told, for they are the schema's own
        place = "".join(f"/{step}" if isinstance(step, int) or step in known else "/*" for step in error.instance_path)
        return f"{place or '(root)'}: {_keyword(error)}"


def _keyword(error: jsonschema_rs.ValidationError) -> str:
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return f"required {kind.property!r}"  # the schema's word, not the instance's
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Type):
        return f"type {' or '.join(sorted(kind.types))}"
    return kind.name


def compile_schema(schema: Mapping[str, JsonValue], *, subject: str, asserts_formats: bool = True) -> SchemaValidator:
    """Return the validator of *schema*; *subject* names it in errors.

    ``format`` is an annotation in what a server answers, and asserted of what is sent (JSON Schema Validation 2020-12
    section 7.2 allows both): without *asserts_formats* no value is refused because of it.

    Raises SchemaError where it is no schema of a known dialect, refers outside itself, has a pattern that needs more
    than linear time (look-around, back-references), or exceeds a limit of ``_cost``.
    """
    plain = document(schema, subject=subject)
    dialect = plain.pop("$schema", _DEFAULT_DIALECT)
    engine_type = _DIALECTS.get(dialect.rstrip("#")) if isinstance(dialect, str) else None
    if engine_type is None:
        raise SchemaError(
            subject,
            expected="a $schema of draft 2020-12, 2019-09 or 07",
            got="another dialect",
            action="have the server declare a known one, or none",
        )
    plain.pop("$id", None)  # only local references are left, so the base URI has no say
    return SchemaValidator(_engine(engine_type, plain, subject, asserts_formats=asserts_formats), plain)


def _engine(
    engine_type: type[jsonschema_rs.Validator], plain: dict[str, JsonValue], subject: str, *, asserts_formats: bool
) -> jsonschema_rs.Validator:
    try:
        return engine_type(
            plain,
            offline=True,
            validate_formats=asserts_formats,
            mask=_MASK,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_MAX_AUTOMATON_BYTES),
        )
    except jsonschema_rs.ValidationError as error:
        place = "".join(f"/{step}" for step in error.instance_path) or "(root)"
        got = f"{error.kind.name} violated at {place}"
    except (ValueError, jsonschema_rs.ReferencingError) as error:  # whatever else a server's schema sets off
        got = type(error).__name__
    raise SchemaError(
        subject,
        expected="a valid JSON Schema whose patterns run in linear time",
        got=got,
        action="have the server correct it",
    )


__all__ = ["SchemaValidator", "compile_schema"]
