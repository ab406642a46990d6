"""Which addresses stay on this machine, and which are safe to send to or to believe."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def is_loopback(host: str) -> bool:
    """Return whether *host* is ``localhost`` or a loopback address (RFC 6761 section 6.3)."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def safe_address(url: str) -> SplitResult | None:
    """Return the parts of *url*, None unless it is https (http to a loopback address, RFC 6761 section 6.3).

    An address with a user, a password or a fragment is not safe either.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or port == 0 or "@" in parts.netloc or "#" in url or not url.isprintable() or " " in url:
        return None
    return parts if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)) else None


__all__ = ["is_loopback", "safe_address"]
