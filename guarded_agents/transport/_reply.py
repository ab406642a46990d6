"""From what a server answered to a `ToolReply` and an `ObservedTool`. Nothing here raises: servers send junk."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Final, cast

import orjson
from pydantic import JsonValue

from guarded_agents.transport._protocol import ObservedTool, ToolReply

MAX_TEXT_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 64  # the schemas and structured contents of real servers stay below 20
_MAX_WORD: Final = 200
_MAX_URI: Final = 2_048
_CUT: Final = f"\n[cut here: the answer is longer than {MAX_TEXT_BYTES} bytes]"
_LEFT_OUT: Final = "[structured content left out: too large, too deep or not JSON]"
_NO_CONTENT: Final = "[the server's answer has no readable content]"


def reply_of(result: Mapping[str, object]) -> ToolReply:
    """Return the reply that the result of tools/call stands for (MCP 2025-11-25, server/tools).

    Text blocks stand as they are, others as one line each, in their order. Text is cut at
    `MAX_TEXT_BYTES` with a notice; lone surrogates, which nothing can store, become question marks.
    Structured content that is too large, too deep or not JSON is left out with a notice.
    """
    is_error = result.get("isError") not in (False, None)  # anything odd counts as an error
    structured = result.get("structuredContent")
    content = result.get("content")
    parts = [_block(block) for block in content] if isinstance(content, list) else []
    if structured is not None and not is_plain(structured):
        structured = None
        parts.append(_LEFT_OUT)
    if not parts and structured is not None:
        parts.append(orjson.dumps(structured).decode())
    elif not isinstance(content, list) and not parts:
        is_error = True  # no result of a tool at all
        parts.append(_NO_CONTENT)
    text = parts[0] if len(parts) == 1 else "\n".join(parts)
    return ToolReply(
        _storable(text),
        cast("JsonValue", structured),
        is_error,
        is_embedding=not all(map(_is_text, content)) if isinstance(content, list) else False,
        repeats=structured is not None and _repeats(parts, structured),
    )


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and block.get("type") == "text"


def _repeats(parts: list[str], structured: object) -> bool:
    """Return whether *parts* say what *structured* says: in one, or each item of a list in a part of its own."""
    whole = structured["result"] if isinstance(structured, dict) and [*structured] == ["result"] else structured
    if len(parts) == 1 and (_says(parts[0], whole) or (whole is not structured and _says(parts[0], structured))):
        return True
    return isinstance(whole, list) and len(parts) == len(whole) and all(map(_says, parts, whole))


def _says(part: str, item: object) -> bool:
    """Return whether *part* is *item*: a string as it is, or anything as JSON."""
    if part == item:
        return True
    try:
        said = orjson.loads(part)
    except orjson.JSONDecodeError:
        return False
    return bool(said == item) and not _is_ambiguous(part)


def _is_ambiguous(part: str) -> bool:
    """Return whether an object in *part*, JSON, has a name twice: the model reads both, and a parser the last only."""
    names: list[bool] = []
    json.loads(part, object_pairs_hook=lambda pairs: names.append(len(dict(pairs)) < len(pairs)))
    return any(names)


def observed_of(server: str, raw: object) -> ObservedTool | None:
    """Return the tool that one entry of tools/list describes, None where it describes none.

    An entry with any part of the wrong type, or with what is not JSON, is no definition.
    """
    if not isinstance(raw, dict):
        return None
    name, title, description = raw.get("name"), raw.get("title"), raw.get("description")
    annotations, output_schema = raw.get("annotations"), raw.get("outputSchema")
    input_schema = raw.get("inputSchema")
    if not (isinstance(name, str) and name and isinstance(input_schema, dict)):
        return None
    if not (isinstance(title, str | None) and isinstance(description, str | None)):
        return None
    if not (isinstance(output_schema, dict | None) and isinstance(annotations, dict | None)):
        return None
    if not is_plain([name, title, description, input_schema, output_schema, annotations]):
        return None
    return ObservedTool(server, name, title, description or "", input_schema, output_schema, annotations or {})


def is_plain(value: object) -> bool:
    """Return whether *value* is JSON that can be stored: no NaN, no lone surrogate, integers of 64 bits.

    Also False beyond `MAX_DEPTH` levels, and beyond `MAX_TEXT_BYTES` of characters and items.
    """
    size = 0
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, dict | list):
            if depth > MAX_DEPTH or not (isinstance(item, list) or _plain_names(item)):
                return False
            children = item if isinstance(item, list) else item.values()
            waiting.extend((child, depth + 1) for child in children)
            size += len(item) if isinstance(item, list) else sum(map(len, item))
        elif isinstance(item, str):
            size += len(item)
        if size > MAX_TEXT_BYTES or not (isinstance(item, dict | list) or _plain_leaf(item)):
            return False
    return True


def _plain_names(item: Mapping[object, object]) -> bool:
    return all(isinstance(name, str) and _has_utf8(name) for name in item)


def _plain_leaf(item: object) -> bool:
    if isinstance(item, str):
        return _has_utf8(item)
    if isinstance(item, float):
        return isfinite(item)
    return item is None or isinstance(item, bool) or (isinstance(item, int) and -(2**63) <= item < 2**64)


def _has_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _storable(text: str) -> str:
    if text.isascii():  # the usual case costs nothing
        return text if len(text) <= MAX_TEXT_BYTES else text[:MAX_TEXT_BYTES] + _CUT
    data = text.encode("utf-8", "replace")
    if len(data) <= MAX_TEXT_BYTES:
        return data.decode()
    return data[:MAX_TEXT_BYTES].decode("utf-8", "ignore") + _CUT


def _block(block: object) -> str:
    if not isinstance(block, dict):
        return "[unreadable content left out]"
    kind, text = block.get("type"), block.get("text")
    if kind == "text" and isinstance(text, str):
        return text
    if kind in ("image", "audio") and isinstance(block.get("data"), str):
        return f"[{kind}: {_mime(block)}, {_decoded_size(block['data'])} bytes, left out]"
    if kind == "resource_link":
        size = block.get("size")
        length = f"{size} bytes" if isinstance(size, int) else "unknown size"
        return f"[resource link: {_word(block.get('name'))}, {_mime(block)}, {length}, {_uri(block)}]"
    if kind == "resource" and isinstance(block.get("resource"), dict):
        return _resource(block["resource"])
    return f"[content of type {_word(kind)} left out]"


def _resource(resource: Mapping[str, object]) -> str:
    text, blob = resource.get("text"), resource.get("blob")
    if isinstance(text, str):
        return f"[resource: {_mime(resource)}, {_uri(resource)}]\n{text}"
    if isinstance(blob, str):
        return f"[binary resource: {_mime(resource)}, {_decoded_size(blob)} bytes, {_uri(resource)}, left out]"
    return f"[unreadable resource: {_mime(resource)}, {_uri(resource)}]"


def _mime(block: Mapping[str, object]) -> str:
    return _word(block.get("mimeType"))


def _uri(block: Mapping[str, object]) -> str:
    return _word(block.get("uri"), _MAX_URI)


def _word(value: object, most: int = _MAX_WORD) -> str:
    """Return a server's word on one line; the line would else not be ours."""
    return " ".join(value[:most].split()) if isinstance(value, str) else "unknown"


def _decoded_size(base64: str) -> int:
    return len(base64) * 3 // 4 - base64[-2:].count("=")  # RFC 4648 section 4
