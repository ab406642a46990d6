"""Moments as people and logs read them (RFC 3339, in UTC)."""

from datetime import datetime


def exact(moment: datetime) -> str:
    """Return *moment* (UTC), with what it has of a second."""
    return moment.isoformat().replace("+00:00", "Z")


def utc(moment: datetime) -> str:
    """Return *moment* (UTC) to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


__all__ = ["exact", "utc"]
