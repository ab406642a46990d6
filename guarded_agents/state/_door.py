"""The one door between JSON and records: parsed strictly on the way in, plain on the way out (STYLE rule 1)."""

from typing import TypeVar

import orjson
from pydantic import JsonValue, ValidationError

from guarded_agents.errors import RecordError
from guarded_agents.records import Record

RecordT = TypeVar("RecordT", bound=Record)


def load(model_type: type[RecordT], value: object) -> RecordT:
    """Return *value*, plain JSON as it comes out of a checkpoint, as a record of *model_type*.

    Lists become tuples, strings become enums and times; nothing else is converted: ``"60"`` is no
    integer. Raises RecordError, which names the field and the rule that it broke, never the value.
    """
    try:
        return model_type.model_validate_json(orjson.dumps(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = first["loc"][0] if first["loc"] else None
        # A field that the record does not have was named by whoever wrote the value: it is not quoted.
        where = f" at {place}" if isinstance(place, str) and place in model_type.model_fields else ""
        raise RecordError(model_type.__name__, got=f"{first['type']}{where}") from None
    except TypeError as error:  # orjson's JSONEncodeError is one
        raise RecordError(model_type.__name__, got=type(error).__name__) from None


def dump(record: Record) -> dict[str, JsonValue]:
    """Return *record* as plain JSON: tuples as lists, enums and times (UTC, ISO 8601) as strings."""
    return record.model_dump(mode="json")
