"""What AWS answers with, XML from the Query protocol and JSON from others, read without trust."""

import json
from typing import Final
from xml.parsers import expat

#: SES's answers are below 2 KiB; an error may list fifty addresses.
LONGEST_DOCUMENT: Final = 64 * 1024
_DEEPEST: Final = 8


class _NotOurs(ValueError):
    """The document uses what no answer of AWS uses."""


def read_fields(document: bytes) -> dict[str, str] | None:
    """
    Return the texts of *document* by ``parent/name``, or None when it is not plain XML of a bounded size.

    A document type is refused as soon as it begins, so no entity is ever declared, expanded or fetched. Of a repeated
    element the first counts.
    """
    if len(document) > LONGEST_DOCUMENT:
        return None
    fields: dict[str, str] = {}
    path: list[str] = []

    def opened(name: str, _attributes: dict[str, str]) -> None:
        if len(path) >= _DEEPEST:
            raise _NotOurs("too deep")
        path.append(name)

    def read(text: str) -> None:
        place = "/".join(path[-2:])
        if text.strip():
            fields.setdefault(place, text.strip())

    def no_document_type(*_: object) -> None:
        raise _NotOurs("a document type")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = opened
    parser.EndElementHandler = lambda _name: path.pop()
    parser.CharacterDataHandler = read
    parser.StartDoctypeDeclHandler = no_document_type
    try:
        parser.Parse(document, True)  # noqa: FBT003 - expat takes no keywords
    except (expat.ExpatError, ValueError, LookupError):
        return None
    return fields


def read_object(document: bytes) -> dict[str, str] | None:
    """Return the texts of a JSON object by name, or None when *document* is no object of a bounded size."""
    if len(document) > LONGEST_DOCUMENT:
        return None
    try:
        read = json.loads(document)
    except (ValueError, RecursionError):
        return None
    return {name: text for name, text in read.items() if isinstance(text, str)} if isinstance(read, dict) else None
