"""The base of the records that cross a door."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of the records that cross a door: frozen, closed, strict."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
