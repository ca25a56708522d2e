"""
Decision records at rest: the JSON of some dozens compressed together, to a twelfth; of one alone to a fifth.

The first octet of a pack names the dictionary: what most records have in common, so that one alone is small, too. A
dictionary is never changed, for records that were packed with it are kept: a later one is added beside it.
"""

import zlib
from collections.abc import Sequence
from functools import cache
from typing import Final

#: What follows the first octet is a raw deflate stream (RFC 1951).
_WINDOW: Final = -15
_MEMORY: Final = 6
_FAST: Final = 2
#: Records of a pack, and characters that it may have before another is put in: who wants one record unpacks all, and
#: what fits into twice the window beside the dictionary is never moved while it is compressed.
MOST_RECORDS: Final = 64
MOST_CHARACTERS: Final = 60_000
#: The most octets that a pack is unpacked to. A record of a thousand long recipients stays below.
LONGEST: Final = 8 << 20
#: Between records: no JSON has it but inside a text, and there it is written otherwise.
_BETWEEN: Final = "\n"

# The words that are met most stand last: near ones are cheapest to refer to.
_FIRST: Final = (
    b'"unenforced":{"code":451,"status":"4.7.1","text":"Access denied: User `arn:aws:iam::111111111111:user/x\' is not'
    b" authorized to perform `ses:SendRawEmail' on resource `arn:aws:ses:us-east-1:888888888888:identity/example.com'"
    b' (delegate x, from; ses:FromAddress is x@example.com; decision "},"ses_id":null,"ses_error":"queue_id":"'
    b'"outcome":"rejected","reason":"policy-not-allowed","outcome":"rejected","reason":"policy-denied",'
    b'"outcome":"deferred","reason":"policy-undecided","outcome":"rejected","reason":"message-form",'
    b'"outcome":"aborted","reason":"client-gone","outcome":"deferred","reason":"ses-throttled",'
    b'"outcome":"rejected","reason":"identity-unknown","outcome":"deferred","reason":"ses-unavailable",'
    b'"verdict":"denied","verdict":"not-allowed","verdict":"undecided","verdict":"sealed",'
    b'"role":"envelope","named":{"by":"X-SES-SOURCE-ARN","arn":"default_source_arn","api":"ses:SendEmail",'
    b'"reply":{"code":554,"status":"5.7.1","text":"Access denied: User `'
    b'"reply":{"code":250,"status":"2.0.0","text":"Ok queued as "outcome":"queued","reason":"none",'
    b'{"time":"2026-01-01T00:00:00.000000Z","schema":3,"id":"","session":"","listener":"127.0.0.1:2525",'
    b'"client":"10.0.0.1","delegate":"","principal":"arn:aws:iam::111111111111:role/","reverse_path":"@example.com",'
    b'"recipients":["@example.net"],"roles":[{"role":"from","address":"@example.com","identity":"arn:aws:ses:us-east-1:'
    b'888888888888:identity/example.com","chosen":"example.com governs; inferred: only account 888888888888 in'
    b' us-east-1 has a verified identity for ","named":null,"agreeing":[],"digests":[""],"verdict":"allowed",'
    b'"deciding":[""],"why":"allowed by "},{"role":"feedback","address":"","identity":"arn:aws:ses:us-east-1:'
    b'888888888888:identity/example.com","chosen":" governs; inferred: only account 888888888888 in us-east-1 has a'
    b' verified identity for ","named":null,"agreeing":[],"digests":["","",""],"verdict":"allowed","deciding":["'
    b'"],"why":"allowed by "}],"display_name":null,"display_name_raw":null,"rule":null,"repairs":[],'
    b'"api":"ses:SendRawEmail","region":"us-east-1","account":"888888888888","mode":"enforce","unenforced":null,'
    b'"ses_id":"01000000000000-00000000-0000-0000-0000-000000000000-000000","ses_error":null,"queue_id":null,'
    b'"traceparent":null,"outcome":"accepted","reason":"none","reply":{"code":250,"status":"2.0.0","text":"Ok '
    b'-000000"},"bytes":1000,"timings":{"judgement":0.0001,"ses":0.002,"total":0.003}}'
)
_DICTIONARIES: Final = {1: _FIRST}
_NEWEST: Final = 1


def pack(texts: Sequence[str]) -> bytes:
    """Pack *texts*, the JSON of one record each, at least one."""
    squeezed = _fresh().copy()
    return b"".join((bytes((_NEWEST,)), squeezed.compress(_BETWEEN.join(texts).encode()), squeezed.flush()))


@cache
def _fresh() -> "zlib._Compress":
    """Return what is copied for each pack: the dictionary is read once, and not for every one."""
    return zlib.compressobj(_FAST, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _DICTIONARIES[_NEWEST])


def unpack(packed: bytes) -> list[str]:
    """
    Return the JSON texts that were packed.

    Raises:
        ValueError: They are damaged, or packed with a dictionary of a later release.
    """
    dictionary = _DICTIONARIES.get(packed[0] if packed else 0)
    if dictionary is None:
        raise ValueError("a record that this release cannot unpack")
    loosened = zlib.decompressobj(_WINDOW, zdict=dictionary)
    try:
        text = loosened.decompress(packed[1:], LONGEST)
    except zlib.error as error:
        raise ValueError(f"a damaged record: {error}") from None
    if not loosened.eof:
        raise ValueError("a damaged record: its end is missing")
    return text.decode().split(_BETWEEN)
