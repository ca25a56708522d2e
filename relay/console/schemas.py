"""What the API takes and answers, as JSON Schemas (draft 2020-12). Objects say all of their fields, and no other."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from relay.words.endings import Outcome, Reason

Schema: TypeAlias = Mapping[str, Any]


def text(about: str = "", **more: Any) -> dict[str, Any]:
    """Any string."""
    return {"type": "string", **({"description": about} if about else {}), **more}


def number(about: str = "", **more: Any) -> dict[str, Any]:
    """Any number."""
    return {"type": "number", **({"description": about} if about else {}), **more}


def count(about: str = "") -> dict[str, Any]:
    """A whole number, 0 or more."""
    return {"type": "integer", "minimum": 0, **({"description": about} if about else {})}


def flag(about: str = "") -> dict[str, Any]:
    """True or false."""
    return {"type": "boolean", **({"description": about} if about else {})}


def or_null(schema: Schema) -> dict[str, Any]:
    """*schema*, or nothing at all."""
    about = {"description": schema["description"]} if "description" in schema else {}
    inner = {key: value for key, value in schema.items() if key != "description"}
    return {"anyOf": [inner, {"type": "null"}], **about}


def many(items: Schema, about: str = "", **more: Any) -> dict[str, Any]:
    """An array."""
    return {"type": "array", "items": items, **({"description": about} if about else {}), **more}


def named(about: str = "", needs: tuple[str, ...] | None = None, /, **fields: Schema) -> dict[str, Any]:
    """An object of these fields, all of them there unless *needs* names fewer; and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(fields if needs is None else needs),
        "properties": dict(fields),
        **({"description": about} if about else {}),
    }


def by_name(values: Schema, about: str = "") -> dict[str, Any]:
    """An object whose keys are names."""
    return {"type": "object", "additionalProperties": values, **({"description": about} if about else {})}


TEXT: Final = text()
NULL_TEXT: Final = or_null(text())
MOMENT: Final = text(format="date-time")
ANY_OBJECT: Final[Schema] = {"type": "object"}

VERDICTS: Final = ("denied", "not-allowed", "undecided", "sealed", "allowed")
DECISION: Final[Schema] = {"$ref": "#/components/schemas/DecisionRecord"}
DECISIONS: Final = named(
    decisions=many(DECISION, maxItems=500),
    next=or_null(text("The after of the next page; null on the last.")),
)
PAST: Final = named(
    not_judged_again=or_null(text("Why there is no explanation.")),
    policies_gone=many(TEXT, "Digests of policies by which it was judged and that nobody has any more."),
    same_answer=or_null(flag("Whether the judge says what it said then.")),
    explanation=or_null({"type": "object", "description": "As `POST /api/explain` answers."}),
)
ERROR: Final = named(error=text("Why not, in words."))
EMPTY: Final = named()

STATES: Final = ("due", "sending", "held", "failed", "quarantined")

_POLICY: Final = named(
    name=text(),
    digest=text("SHA-256 of its text, hexadecimal."),
    problem=or_null(text("Why it cannot be judged by.")),
)
_IDENTITY: Final = named(
    arn=text(),
    verified=flag("Verified, as far as is known."),
    age=or_null(number("Seconds since it was read; null where it never was.")),
    problem=or_null(text("Why nothing is known of it.")),
    policies=many(_POLICY),
    in_use=or_null(flag("Whether mail was allowed by it lately; null where nobody counts.")),
)
_PLACE: Final = named(
    account=text(),
    region=text(),
    source={"enum": ["ses", "directory"]},
    identities=count(),
    in_use=or_null(count()),
    listed_age=or_null(number("Seconds since the list was read.")),
    revocation=or_null(number("Seconds in which a withdrawn permission ends.")),
    problem=NULL_TEXT,
    troubles=many(TEXT),
)
IDENTITIES: Final = named(
    identities=many(_IDENTITY),
    next=or_null(text("The after of the next page; null on the last.")),
    places=many(_PLACE, "Every account and region."),
)
_ELEMENT: Final = named(negated=flag("It is the Not form of the element."), values=many(TEXT))
_STATEMENT: Final = named(
    sid=NULL_TEXT,
    index=count(),
    effect={"enum": ["Allow", "Deny"]},
    principals=_ELEMENT,
    actions=_ELEMENT,
    resources=_ELEMENT,
    conditions=many(named(operator=text(), key=text(), values=many(TEXT))),
)
POLICIES: Final = named(
    arn=text(),
    policies=many(
        named(
            name=text(),
            digest=text("SHA-256 of its text, hexadecimal."),
            text=or_null(text("As it was read; null where it is not at hand, or was changed a moment ago.")),
            problems=many(named(path=text(), why=text()), "Why it cannot be judged by."),
            statements=many(_STATEMENT, "What the relay reads in it, in its own spelling."),
        )
    ),
)
REFRESH: Final = named("", (), identity=text("The ARN of one identity; all without it."))
REFRESHING: Final = named(refreshing=text("An ARN, or all."))

_SPOOL_FIELDS: Final[Mapping[str, Schema]] = {
    "id": text(),
    "kind": {"enum": ["message", "notification"]},
    "state": {"enum": list(STATES)},
    "hold_asked": flag("It is held when the attempt is over."),
    "delegate": text(),
    "mail_from": text(),
    "recipients": count(),
    "first_recipient": NULL_TEXT,
    "size": count("Octets."),
    "accepted_at": or_null(MOMENT),
    "age": number("Seconds.", minimum=0),
    "next_attempt_at": or_null(MOMENT),
    "kept_until": or_null(MOMENT),
    "attempts": count(),
    "maybe_sent": count("After so many attempts SES may have the message."),
    "crashes": count(),
    "reason": text(),
    "last": NULL_TEXT,
    "notice": or_null(text("Of a failed message: the ID of its notification, owed, or none.")),
    "is_readable": flag(),
}
SPOOL_ENTRY: Final = named(**_SPOOL_FIELDS)
SPOOL_ENTRY_WHOLE: Final = named(
    **_SPOOL_FIELDS,
    retried_at=or_null(MOMENT),
    session=named(id=text(), listener=text(), client=text(), helo=text(), protocol=text()),
    fates=many(
        named(recipient=text(), fate={"enum": ["open", "sent", "refused"]}, ses_id=NULL_TEXT, why=NULL_TEXT),
    ),
)
SPOOL: Final = named(
    entries=many(SPOOL_ENTRY),
    next=or_null(text("The after of the next page; null on the last.")),
    counts=or_null(named("By state; null for a token of some delegates only.", **{state: count() for state in STATES})),
)
SPOOL_CHANGED: Final = named(
    id=text(), state={"enum": [*STATES, "removed"]}, entry={"anyOf": [SPOOL_ENTRY, {"type": "null"}]}
)
DELETION: Final = named("", (), notify=flag("Whether its author is notified that it failed."))

_PASTED: Final = by_name(
    by_name({"type": ["object", "string"]}, "Policies by their names: documents, or their texts."),
    "By the ARN of an identity: judged as if it were verified and had these policies, and no others. 81,920 characters "
    "together.",
)
EXPLAIN: Final = named(
    "",
    ("delegate",),
    delegate=text("Who sends it: a name of the settings."),
    message=text("The message; lines may end in LF."),
    message_base64=text("The message, octet by octet.", contentEncoding="base64"),
    **{"from": text("The author, where there is no message yet.")},
    mail_from=text("The reverse-path; `<>` for the null one. Without it, the author."),
    recipients=many(TEXT, "At most 100. Without them, those in To and Cc."),
    policies=_PASTED,
    at=text("As if it were sent at this time, such as 2026-11-21T12:00:00Z; now without it.", format="date-time"),
)
#: Keys are only added to it: relay/judgement/explanation.py.
EXPLANATION: Final[Schema] = {
    "type": "object",
    "required": ["format", "verdict", "reason", "delegate", "reply"],
    "properties": {
        "format": {"const": 1},
        "verdict": {
            "enum": ["allowed", "sealed", "denied", "not-allowed", "undecided", "refused", "malformed"],
            "description": "On the whole message; malformed: not even judged.",
        },
        "reason": text("Why it would end so, in the word of metrics."),
        "delegate": {"type": "object"},
        "message": {"type": ["object", "null"]},
        "envelope": {"type": ["object", "null"]},
        "questions": many(ANY_OBJECT, "One for each role of an address, with every statement that was asked."),
        "permit": {"type": ["object", "null"], "description": "What SES would be told; null when it may not go."},
        "reply": or_null(text("What the client would hear; null when SES decides that.")),
        "unenforced": or_null(text("The refusal that observing spares it.")),
        "repairs": many(TEXT),
        "rule": or_null(text("Of a malformed message: the rule that it breaks.")),
        "repair": or_null(text("Of a malformed message: what would let it pass.")),
    },
}

_DELEGATE: Final = named(
    name=text(),
    principal=or_null(text("Who it is to AWS; null for the relay itself until STS has told who that is.")),
    role=or_null(
        named(
            "Sends its mail.", None, arn=text(), session=text(), trouble=or_null(text("Why it cannot be assumed now."))
        )
    ),
    mechanisms=many(TEXT, "Of AUTH, that may be right for it."),
    allowed_networks=many(TEXT, "AUTH is accepted from there; from everywhere if empty."),
    trusted_networks=many(TEXT, "Clients from there need no AUTH, on listeners that ask for none."),
    rate=or_null(number("Recipients a second; null for no limit.")),
    daily_recipients=or_null(count("Recipients in 24 hours; null for no limit.")),
    recipients_today=or_null(count("Of those; null where nobody counts.")),
    mode={"enum": ["enforce", "observe"]},
    observed_until=or_null(MOMENT),
    last_seen=or_null(MOMENT),
    messages=by_name(count(), "By their outcome, since counted_since."),
    recipients=count("Of the messages that were accepted or queued since then."),
    feedback=or_null({"type": "object", "description": "What SES told of its mail; null where nobody listens."}),
)
DELEGATES: Final = named(
    delegates=many(_DELEGATE),
    next=or_null(text("The after of the next page; null on the last.")),
    counted_since=MOMENT,
)
RESUMED: Final = named(name=text(), standing={"const": "good"})
TRAFFIC: Final = named(
    since=MOMENT,
    step=count("Seconds that are counted together."),
    spans=count("How many of them."),
    series=many(
        named(
            delegate=text("- for mail before AUTH."),
            outcome={"enum": [each.value for each in Outcome]},
            reason={"enum": [each.value for each in Reason]},
            counts=many(count(), "Messages in each span, the oldest first."),
        ),
        "The most first.",
    ),
    left_out=count("Messages of series that are not listed."),
)

_MAIL: Final[Mapping[str, Schema]] = {
    "id": text("SES's name of it."),
    "received_at": MOMENT,
    "source": NULL_TEXT,
    "recipients": many(TEXT),
    "from": text(),
    "subject": text(),
    "size": count("Octets."),
    "principal": text("Whom the embedded SES took the relay for."),
}
INBOX: Final = named(messages=many(named(**_MAIL)), next=or_null(text("The after of the next page; null on the last.")))
MAIL: Final = named(
    **_MAIL,
    arns=named(source_arn=NULL_TEXT, from_arn=NULL_TEXT, return_path_arn=NULL_TEXT),
    headers=many(many(TEXT, minItems=2, maxItems=2), "Name and value of each field."),
    text=text("Its plain texts."),
    html=text("The source of its HTML."),
    others=many(named(type=text(), name=text()), "What else it holds."),
)
