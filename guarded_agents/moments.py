"""Moments as people and logs read them (RFC 3339, in UTC), and how long something lasts."""

from datetime import datetime


def exact(moment: datetime) -> str:
    """Return *moment* (UTC), with what it has of a second."""
    return moment.isoformat().replace("+00:00", "Z")


def utc(moment: datetime) -> str:
    """Return *moment* (UTC) to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def duration(seconds: float) -> str:
    """Return *seconds* in words, of two units at most: ``45 s``, ``12 min``, ``3 h 58 min``, ``2 d 4 h``."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3_600), int(seconds // 86_400)
    if days:
        return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


__all__ = ["duration", "exact", "utc"]
