"""blueimp/aws-smtp-relay and its forks: flags and environment. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final, Literal

from relay.owner.migrate.model import CannotMigrate, Client, Found, Kind, Note, Tls, Wishes
from relay.owner.migrate.reading import (
    delegate_name,
    door,
    listening,
    read_networks,
    renamed,
    say,
    size_of,
    tell,
    trusting,
    why_no_hash,
)
from relay.owner.migrate.regexps import Said, lowered
from relay.owner.statements import Pattern
from relay.words.values import dataclass

#: Whose meaning the letters -f and -o have.
Fork = Literal["kamorion", "kian99", "pr19"]

#: Flags by letter: what they are, their long names (of a fork), the variables of the forks.
_FLAGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "a": ("address", "addr", "LISTEN_ADDRESS"),
    "n": ("name", "name", "SMTP_SERVICE_NAME"),
    "h": ("host", "host", "HOSTNAME"),
    "c": ("certificate", "certFile", "CERT_FILE"),
    "k": ("key", "keyFile", "KEY_FILE"),
    "s": ("starttls", "startTLS", "REQUIRE_STARTTLS"),
    "t": ("only-tls", "onlyTLS", "REQUIRE_TLS"),
    "r": ("api", "relayAPI", "RELAY_API"),
    "e": ("set", "setName", "SES_CONFIGURATION_SET_NAME"),
    "i": ("ips", "ips", "ALLOWED_IPS"),
    "u": ("user", "user", "AUTH_USERNAME"),
    "l": ("allow-from", "allowFrom", "ALLOWED_SENDERS_REGEX"),
    "d": ("deny-to", "denyTo", "DENIED_RECIPIENTS_REGEX"),
    "w": ("allow-to", "allowTo", "ALLOW_TO"),
    "m": ("allow-to-domains", "allowToDomains", "ALLOW_TO_DOMAINS"),
    "o": ("source-arn", "sourceArn", "SES_SOURCE_ARN"),
    "f": ("from-arn", "fromArn", "SES_FROM_ARN"),
    "p": ("return-path-arn", "returnPathArn", "SES_RETURN_PATH_ARN"),
    "": ("read-timeout", "readTimeout", ""),
    " ": ("write-timeout", "writeTimeout", ""),
    "  ": ("message-bytes", "maxMessageBytes", ""),
    "   ": ("debug", "debug", ""),
}
_BY_WORD: Final = {
    **{letter: what for letter, (what, _, _) in _FLAGS.items() if letter.strip()},
    **{long: what for what, long, _ in _FLAGS.values()},
}
_BY_VARIABLE: Final = {
    **{variable: what for what, _, variable in _FLAGS.values() if variable},
    "ALLOW_FROM": "allow-from",
    "DENY_TO": "deny-to",
    "BCRYPT_HASH": "bcrypt-hash",
    "PASSWORD": "password",
    "TLS_KEY_PASS": "key-pass",
    "ENABLE_LOGIN": "enable-login",
    "GIT_REV": "revision",
    "AWS_REGION": "region",
    "AWS_DEFAULT_REGION": "default-region",
}
#: The delegate of clients that need no AUTH, where it is given no other name.
_NAMELESS: Final = "app"
_BARE: Final = {"starttls", "only-tls"}
_SECRET: Final = {"bcrypt-hash", "password", "key-pass"}
_ARN_FLAGS: Final = {"source-arn": "default_source_arn", "from-arn": "default_from_arn"}
_IGNORED: Final = {
    "name": "the greeting and the Received field name the relay",
    "revision": "ses-relay logs its own version at start",
    "debug": "log.level says how much is written",
    "read-timeout": "limits.command_timeout, idle_timeout and data_timeout have defaults of their own",
    "write-timeout": "there is no such limit",
}


@dataclass(frozen=True, slots=True)
class _Given:
    """What was given, by what it is; and how the peer spells it."""

    values: Mapping[str, str] = field(repr=False)
    spelt: Mapping[str, str]
    notes: tuple[Note, ...] = ()

    def get(self, what: str) -> str:
        return self.values.get(what, "")

    def has(self, what: str) -> bool:
        return self.get(what).lower() in {"true", "1", "t"}


def read_blueimp(
    arguments: Sequence[str], environ: Mapping[str, str], wishes: Wishes, fork: Fork | None = None
) -> Found:
    """
    Read the command line, without the program's name, and the environment. Flags go before variables.

    Raises:
        CannotMigrate: What is unknown, what cannot be said here, or -f and -o without knowing whose they are.
    """
    given = _given(arguments, environ, fork)
    client, notes = _client(given, wishes)
    tls, tls_notes = _tls(given)
    open_to_all = not given.get("user")
    address = listening(given.get("address") or ":1025", given.spelt.get("address", "-a"))
    listener, door_notes = door(address, tls, require_auth=not open_to_all)
    all_notes = [*given.notes, *_told(given), *tls_notes, *door_notes, *notes, *_always(given)]
    is_v2 = fork in {"kamorion", "kian99"} or any(given.get(what) for what in ("message-bytes", "allow-to"))
    return Found(
        "blueimp",
        (listener,),
        (client,),
        certificate=given.get("certificate") if tls != "off" else "",
        key=given.get("key") if tls != "off" else "",
        region=given.get("region") or given.get("default-region"),
        is_large=is_v2,
        keys=_keys(given),
        notes=tuple(all_notes),
    )


def _given(arguments: Sequence[str], environ: Mapping[str, str], fork: Fork | None) -> _Given:
    values: dict[str, str] = {}
    spelt: dict[str, str] = {}
    notes = []
    for name, value in environ.items():
        if name in _BY_VARIABLE and value:
            values[_BY_VARIABLE[name]], spelt[_BY_VARIABLE[name]] = value, name
    unknown = [name for name in environ if name not in _BY_VARIABLE and not name.startswith("AWS_")]
    if unknown:
        notes.append(Note(Kind.LEFT, ", ".join(sorted(unknown)), "no variables of this relay"))
    problems: list[str] = []
    for what, flag, value in _flags(arguments, problems):
        values[what], spelt[what] = value, flag
    letters = {spelt[what] for what in ("source-arn", "from-arn") if what in spelt} & {"-f", "-o"}
    if letters and fork is None:
        why = "in the forks -o is SES's source and -f its from, in the pull request #19 of blueimp the other way round"
        problems.append(
            f"{' and '.join(sorted(letters))}: {why}: say whose letters they are, --fork kamorion|kian99|pr19"
        )
    if letters and fork == "pr19":
        for table in (values, spelt):
            swapped = {"source-arn": table.pop("from-arn", ""), "from-arn": table.pop("source-arn", "")}
            table.update({what: text for what, text in swapped.items() if text})
    problems += _wrong(values, spelt)
    if problems:
        raise CannotMigrate(problems)
    return _Given(values, spelt, tuple(notes))


def _flags(arguments: Sequence[str], problems: list[str]) -> list[tuple[str, str, str]]:
    """Take the command line apart as Go does: ``-a X``, ``-a=X``, ``--addr X``; bare flags are true."""
    found = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        what = _BY_WORD.get(flag.lstrip("-"), "")
        if not what or not word.startswith("-"):
            problems.append(f"{flag}: no flag of blueimp/aws-smtp-relay or its forks")
            if rest and not rest[0].startswith("-"):  # its value, perhaps a secret: never quoted
                rest.pop(0)
            continue
        if not equals and what in _BARE:
            value = rest.pop(0) if rest and rest[0].lower() in {"true", "false"} else "true"
        elif not equals:
            if not rest:
                problems.append(f"{flag}: its value is missing")
                continue
            value = rest.pop(0)
        found.append((what, flag, value))
    return found


def _wrong(values: Mapping[str, str], spelt: Mapping[str, str]) -> list[str]:
    problems = []
    api = values.get("api", "ses")
    if api == "pinpoint":
        problems.append(f"{spelt['api']} pinpoint: this relay sends by SES only, to which Pinpoint's email belongs")
    elif api != "ses":
        problems.append(
            f"{spelt['api']} {api}: ses or pinpoint; early releases had the configuration set there: give it as -e"
        )
    hashed = values.get("bcrypt-hash", "")
    if hashed and (why := why_no_hash(hashed)):
        problems.append(f"{spelt['bcrypt-hash']}: {why}")
    if values.get("user") and not hashed and not values.get("password"):
        problems.append(f"{spelt['user']}: neither BCRYPT_HASH nor PASSWORD is in the environment: give it, --env FILE")
    return problems


def _client(given: _Given, wishes: Wishes) -> tuple[Client, list[Note]]:
    notes: list[Note] = []
    called = given.get("user") or wishes.delegate or _NAMELESS
    addresses = _expression(given, "allow-from", "--from", wishes.authors, notes)
    recipients = _expression(given, "allow-to", "--recipients", wishes.recipients, notes)
    domains = [
        Pattern(f"*@{each.strip().lower()}", is_wild=True)
        for each in given.get("allow-to-domains").split(",")
        if each.strip()
    ]
    if domains and recipients and not wishes.recipients:
        raise CannotMigrate(
            [f"{given.spelt['allow-to-domains']} and {given.spelt['allow-to']}: give --recipients in their place"]
        )
    not_to = _expression(given, "deny-to", "--deny-recipients", wishes.not_to, notes, is_refusal=True)
    if not_to:
        why = (
            "one such recipient refuses the whole message (554 5.7.1), where the others got it and the client heard 451"
        )
        notes.append(Note(Kind.DIFFERENT, given.spelt.get("deny-to", "--deny-recipients"), why))
    has_user = bool(given.get("user"))
    networks, more = _networks(given, wishes)
    client = Client(
        delegate_name(called),
        called=called,
        addresses=addresses or None,
        recipients=recipients or tuple(domains),
        not_to=tuple(map(lowered, not_to)),
        hashes=(given.get("bcrypt-hash"),) if has_user and given.get("bcrypt-hash") else (),
        password=given.get("password") if has_user and not given.get("bcrypt-hash") else "",
        has_password=has_user,
        allowed_networks=networks if has_user else (),
        trusted_networks=() if has_user else networks,
        arns=_arns(given),
        configuration_set=given.get("set"),
    )
    return client, [*notes, *more, *(renamed(called) if has_user else ())]


def _expression(
    given: _Given, what: str, instead: str, wished: tuple[Pattern, ...], notes: list[Note], *, is_refusal: bool = False
) -> tuple[Pattern, ...]:
    if wished:
        if given.get(what):
            said = Said(wished)
            notes.append(Note(Kind.DIFFERENT, given.spelt[what], f"{instead} takes its place"))
        return wished
    if not given.get(what):
        return ()
    said = say(given.get(what), given.spelt[what], instead, is_refusal=is_refusal)
    notes += tell(said, given.spelt[what])
    return said.patterns


def _networks(given: _Given, wishes: Wishes) -> tuple[tuple[str, ...], list[Note]]:
    if not given.get("ips"):
        return ((), []) if given.get("user") else (wishes.trust, [trusting(wishes, "no -u and no -i")])
    flag = given.spelt["ips"]
    networks = read_networks(given.get("ips").split(","), flag)
    if given.get("user"):
        return networks, [Note(Kind.KEPT, flag, "as allowed_networks of the delegate")]
    why = "as trusted_networks: these clients are the delegate without AUTH; one that still logs in hears 535"
    return networks, [Note(Kind.TO_DO, flag, why)]


def _arns(given: _Given) -> dict[str, str]:
    keys = {**_ARN_FLAGS, "return-path-arn": "default_return_path_arn"}
    return {key: given.get(what) for what, key in keys.items() if given.get(what)}


def _tls(given: _Given) -> tuple[Tls, list[Note]]:
    demands = [what for what in ("starttls", "only-tls") if given.has(what)]
    if not (given.get("certificate") and given.get("key")):
        why = "was ignored without a certificate and key, and is so here"
        return "off", [Note(Kind.LEFT, given.spelt[what], why) for what in demands]
    notes = []
    if given.get("key-pass"):
        why = (
            f"the key must have no passphrase here: openssl pkey -in {given.get('key')} -out NEW, and name NEW in [tls]"
        )
        notes.append(Note(Kind.TO_DO, given.spelt["key-pass"], why))
    if given.has("only-tls"):
        return "implicit", notes
    if given.has("starttls") and not given.get("user"):
        why = 'clients known by their network may send without TLS here; tls = "implicit" would have all use it'
        notes.append(Note(Kind.DIFFERENT, given.spelt["starttls"], why))
    return "starttls", notes


def _keys(given: _Given) -> dict[str, dict[str, object]]:
    keys: dict[str, dict[str, object]] = {}
    if given.get("host") and given.spelt["host"] != "HOSTNAME":
        keys["server"] = {"hostname": given.get("host")}
    if given.get("message-bytes").isdecimal():
        keys["limits"] = {"message_bytes": size_of(int(given.get("message-bytes")))}
    return keys


def _told(given: _Given) -> list[Note]:
    notes = [Note(Kind.LEFT, given.spelt[what], why) for what, why in _IGNORED.items() if given.get(what)]
    if given.get("host") and given.spelt["host"] == "HOSTNAME":
        notes.append(Note(Kind.LEFT, "HOSTNAME", "the name of the machine or pod, which is the default here, too"))
    if given.get("bcrypt-hash") and given.get("user"):
        why = "kept in htpasswd; checking it needs pip install 'ses-relay[htpasswd]'"
        notes.append(Note(Kind.KEPT, given.spelt["bcrypt-hash"], why))
    if given.get("password"):
        why = "is not written down: htpasswd has an argon2 hash of it" if not given.get("bcrypt-hash") else "left out"
        notes.append(
            Note(Kind.DIFFERENT, given.spelt["password"], f"{why}. CRAM-MD5 is not offered: AUTH PLAIN or LOGIN")
        )
    if given.has("enable-login"):
        notes.append(
            Note(Kind.STRICTER, given.spelt["enable-login"], "AUTH LOGIN is offered under TLS, or on loopback")
        )
    return notes


def _always(given: _Given) -> list[Note]:
    notes = [
        Note(
            Kind.STRICTER,
            given.spelt.get("allow-from", "From"),
            "the author in From is judged, too, where the envelope alone was looked at",
        )
    ]
    if given.get("user") and given.get("certificate"):
        notes.append(Note(Kind.KEPT, given.spelt["user"], "AUTH PLAIN and LOGIN, under TLS"))
    return notes
