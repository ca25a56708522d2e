"""The types of values: what each key accepts, and the sentence when it does not."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from relay.dns.servers import Server, read_server
from relay.settings.keys import Form
from relay.settings.units import read_duration, read_instant, read_rate, read_size, shown
from relay.words.addresses import Address, AddressProblem, parse_address
from relay.words.arns import ArnProblem, check_arn_text, parse_identity_arn
from relay.words.certificates import read_certificate_name
from relay.words.hashes import MOST_PASSWORDS, is_argon2
from relay.words.patterns import on_demand
from relay.words.values import dataclass

ClientNetwork: TypeAlias = IPv4Network | IPv6Network

_NAME = on_demand(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HOST = on_demand(
    r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
    re.ASCII,
)
_ACCOUNT = on_demand(r"[0-9]{12}", re.ASCII)
_REGION = on_demand(r"[a-z]{2,4}(?:-[a-z0-9]+)+-[0-9]{1,2}", re.ASCII)
_SERVICE = on_demand(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?", re.ASCII)
_IAM = on_demand(r"arn:aws[a-z-]*:iam::[0-9]{12}:(?:root|(?:user|role)/(?:[!-~]+/)?[\w+=,.@-]{1,64})", re.ASCII)
_SESSION = on_demand(r"arn:aws[a-z-]*:sts::[0-9]{12}:assumed-role/[\w+=,.@-]{1,64}/[\w+=,.@-]{2,64}", re.ASCII)
_ROLE = on_demand(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/(?:[!-~]+/)?[\w+=,.@-]{1,64}", re.ASCII)
_EXTERNAL_ID = on_demand(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_ORGANIZATION = on_demand(r"o-[a-z0-9]{10,32}", re.ASCII)
_SECRET_ID = on_demand(
    r"(?:arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,512}", re.ASCII
)
_SQLITE = on_demand(r"//?[^/?#]+(?:/[^/?#]+)*")
_ENDPOINT_OR_VPC = on_demand(r"vpce?-[0-9a-f]{8,17}", re.ASCII)

_STANDINGS: Final = ("warn", "slow", "suspend")

#: What may stand behind the question mark of a URL of Redis, in the words of its own tools.
SHARED_PARAMETERS: Final = frozenset(
    {"db", "prefix", "ssl_ca_certs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
)
#: How some of them are written, and the sentence where they are not.
_PARAMETERS: Final = {
    "db": (r"[0-9]+", "db is the number of a database"),
    "prefix": (r"[A-Za-z0-9_.:-]+", "prefix consists of letters, digits and - _ . :"),
    "ssl_check_hostname": (r"(?i:true|false)", "ssl_check_hostname is true or false"),
}
#: What may sign a token: by a key pair only, for who can check a shared secret can also sign with it.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
#: What every message says for itself: an operator cannot make it known (semantics of a question).
FROM_THE_MESSAGE: Final = frozenset({"ses:fromaddress", "ses:fromdisplayname", "ses:feedbackaddress", "ses:recipients"})


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """An address to listen on: a name or an IP address without brackets, and a TCP port; 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def is_wildcard(self) -> bool:
        """Whether it takes every address of the machine."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is no text: write it in quotes")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def read_host_port(value: object) -> HostPort:
    """Read ``127.0.0.1:2525``, ``[::1]:2525`` or ``localhost:2525``."""
    text = _text(value)
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not colon or not (port.isascii() and port.isdigit()) or int(port[:6]) > 65535 or not _is_host(bare, bracketed):
        raise ValueError(f"{shown(text)} is no address to listen on: write 127.0.0.1:2525, [::1]:2525 or 0.0.0.0:2525")
    return HostPort(bare, int(port))


def _is_host(host: str, bracketed: bool) -> bool:  # noqa: FBT001 - a yes or no of the caller's own reading
    try:
        return (ip_address(host).version == 6) == bracketed
    except ValueError:
        return not bracketed and bool(_HOST.fullmatch(host))


def read_network(value: object) -> ClientNetwork:
    """Read ``10.0.0.0/8``, ``2001:db8::/32`` or one address."""
    text = _text(value)
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{shown(text)} is no network: write 10.0.0.0/8, 2001:db8::/32 or one address") from None
    raise ValueError(f"{shown(text)} is an address inside a network: write {meant}")


def _read_name(value: object) -> str:
    text = _text(value)
    if not _NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} is no name: 1 to 64 letters, digits, hyphens and underscores")
    return text


def _read_hostname(value: object) -> str:
    text = _text(value)
    if not _HOST.fullmatch(text):
        raise ValueError(
            f"{shown(text)} is no host name: labels of letters, digits and inner hyphens, with dots between"
        )
    return text


def _read_account(value: object) -> str:
    text = _text(value)
    if not _ACCOUNT.fullmatch(text):
        raise ValueError(f"{shown(text)} is no account: 12 digits in quotes")
    return text


def _read_region(value: object) -> str:
    text = _text(value)
    if not _REGION.fullmatch(text):
        raise ValueError(f"{shown(text)} is no region: write one such as us-east-1")
    return text


def _read_principal(value: object) -> str:
    text = _text(value)
    if text == "caller" or any(form.fullmatch(text) for form in (_ACCOUNT, _IAM, _SESSION, _SERVICE)):
        return text
    raise ValueError(
        f"{shown(text)} is no principal: write a user, role or session ARN (arn:aws:iam::111122223333:user/NAME), "
        'an account of 12 digits, a service (NAME.amazonaws.com) or "caller"'
    )


def _read_role(value: object) -> str:
    text = _text(value)
    if not _ROLE.fullmatch(text):
        raise ValueError(f"{shown(text)} is no role: write arn:aws:iam::111122223333:role/NAME")
    return text


def _read_external_id(value: object) -> str:
    text = _text(value)
    if not _EXTERNAL_ID.fullmatch(text):
        raise ValueError("no external id: 2 to 1224 letters, digits and _+=,.@:/- without blanks")
    return text


def _read_identity_arn(value: object) -> str:
    text = _text(value)
    try:
        arn = parse_identity_arn(text)
    except ArnProblem as problem:
        raise ValueError(f"{shown(text)}: {problem}") from None
    if arn.region == "*":
        raise ValueError(f"{shown(text)}: name one region; identities of global endpoints cannot be configured")
    return text


def _read_identity(value: object) -> str:
    text = _text(value)
    if text.startswith("arn:"):
        return _read_identity_arn(text)
    try:
        parse_address(text if "@" in text else f"postmaster@{text}")
    except AddressProblem:
        raise ValueError(f"{shown(text)} is no identity: write its domain, its address or its ARN") from None
    return text


def _read_arn(value: object) -> str:
    text = _text(value)
    try:
        check_arn_text(text)
    except ArnProblem as problem:
        raise ValueError(f"{shown(text)}: {problem}") from None
    return text


def _read_address(value: object) -> Address:
    text = _text(value)
    try:
        return parse_address(text).with_domain_lowered()
    except AddressProblem as problem:
        raise ValueError(f"{shown(text)}: {problem}") from None


def _read_return_path(value: object) -> Any:
    if value in ("envelope", "author"):
        return value
    if isinstance(value, str) and "@" not in value:
        raise ValueError(f'{shown(value)} is none of "envelope", "author" and an address')
    return _read_address(value)


def _read_hashes(value: object) -> object:
    """Take one hash, or several in a list or in words of one text: they are kept as lines."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        value = " ".join(value)
    return "\n".join(value.split()) if isinstance(value, str) else value


def _check_hashes(value: SecretStr) -> SecretStr:
    hashes = value.get_secret_value().splitlines()
    if not hashes or not all(map(is_argon2, hashes)):
        raise ValueError("no argon2 hash: make one with `ses-relay delegate hash`")
    if len(hashes) > MOST_PASSWORDS:
        raise ValueError(f"more than {MOST_PASSWORDS} hashes: remove the old ones")
    return value


def _read_certificate(value: object) -> str:
    text = _text(value)
    try:
        return str(read_certificate_name(text))
    except ValueError as problem:
        raise ValueError(f"{shown(text)} is no name of a certificate: {problem}") from None


def _read_algorithm(value: object) -> str:
    text = _text(value)
    if text not in ALGORITHMS:
        raise ValueError(f"{shown(text)} is none of {', '.join(ALGORITHMS)}")
    return text


def _read_secret_id(value: object) -> str:
    text = _text(value)
    if not _SECRET_ID.fullmatch(text):
        raise ValueError(
            "no secret of Secrets Manager: write its name or its ARN"
        )  # not quoted: it may be the password
    return text


def _read_path(value: object) -> Path:
    text = str(value) if isinstance(value, Path) else _text(value)
    if not text or not text.isprintable() or len(text) > 4096:
        raise ValueError("no path: name a file")  # not quoted: it may be what the file should hold
    return Path(text)


def _read_url(value: object) -> str:
    text = _text(value)
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if not is_url or not text.isprintable() or " " in text:
        raise ValueError("no URL: write https://HOST or http://HOST:PORT")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an endpoint has no user, query or fragment: write https://HOST or http://HOST:PORT")
    return text.rstrip("/")


def _read_spool_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()  # never quoted: it may hold a password
    scheme, _, rest = text.partition("://")
    if scheme in ("redis", "rediss", "unix") and rest:
        return _read_promise(_read_redis_url(value, SHARED_PARAMETERS | {"durability", "replicas"}))
    if scheme != "sqlite" or not _SQLITE.fullmatch(rest) or not text.isprintable():
        raise ValueError("no spool: write sqlite:///var/lib/ses-relay/spool.db, an absolute path, or redis://HOST")
    return value


def _read_promise(value: SecretStr) -> SecretStr:
    asked = dict(parse_qsl(urlsplit(value.get_secret_value()).query, keep_blank_values=True))
    if asked.get("durability", "always") not in ("always", "everysec", "unchecked"):
        raise ValueError("durability is always, everysec or unchecked")
    if asked.get("replicas", "0") not in ("0", "1", "2", "3", "4", "5"):
        raise ValueError("replicas is a number up to 5")
    return value


def _read_shared_url(value: SecretStr) -> SecretStr:
    return _read_redis_url(value, SHARED_PARAMETERS)


def _read_redis_url(value: SecretStr, known: frozenset[str]) -> SecretStr:
    text = value.get_secret_value()  # never quoted: it may hold a password
    try:
        parts = urlsplit(text)
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        is_url = text.isprintable() and not parts.fragment and (parts.port is None or parts.port > 0)
    except ValueError:
        is_url = False
    if not is_url or parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("no URL of Redis: write redis://HOST:PORT, or rediss://HOST:PORT for TLS")
    if not (parts.path.strip("/") if parts.scheme == "unix" else parts.hostname):
        raise ValueError("names no server: write redis://HOST:PORT, or unix:///PATH")
    if parts.scheme != "unix" and not re.fullmatch(r"/?[0-9]{0,5}", parts.path):
        raise ValueError("after the host stands the number of a database: redis://HOST:PORT/0")
    if unknown := sorted(asked.keys() - known):
        raise ValueError(f"unknown parameter {shown(unknown[0])}: known are {', '.join(sorted(known))}")
    _check_parameters(parts.scheme, asked)
    return value


def _check_parameters(scheme: str, asked: dict[str, str]) -> None:
    for name, (form, why) in _PARAMETERS.items():
        if name in asked and not re.fullmatch(form, asked[name]):
            raise ValueError(why)
    if scheme != "rediss" and any(name.startswith("ssl_") and asked[name].lower() != "true" for name in asked):
        raise ValueError("parameters that begin with ssl_ need rediss://")


def _read_send_rate(value: object) -> Any:
    if value == "auto":
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1_000_000:
        raise ValueError(f'{shown(value)} is neither "auto" nor a number of recipients a second')
    return float(value)


def _read_egress(value: object) -> str:
    text = _text(value)
    if _ENDPOINT_OR_VPC.fullmatch(text):
        return text
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(
            f"{shown(text)} is neither an address nor a VPC endpoint (vpce-...) or VPC (vpc-...)"
        ) from None


def _read_organization(value: object) -> str:
    text = _text(value)
    if not _ORGANIZATION.fullmatch(text):
        raise ValueError(f"{shown(text)} is no organization: write o- and 10 to 32 letters and digits")
    return text


def _read_context(value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise ValueError(f"{shown(value)} is no table of condition keys")  # noqa: TRY004 - pydantic collects ValueErrors
    if len({key.lower() for key in value}) < len(value):
        raise ValueError("one key stands there twice: their names have no case")
    return {_context_key(key): _context_values(key, values) for key, values in value.items()}


def _context_key(key: str) -> str:
    if ":" not in key:
        raise ValueError(f'{shown(key)} is no condition key: write one such as "aws:PrincipalOrgID" in quotes')
    if key.lower() in FROM_THE_MESSAGE:
        raise ValueError(f"{shown(key)} is read from each message and cannot be set here")
    return key


def _context_values(key: str, values: object) -> tuple[str, ...]:
    several = values if isinstance(values, list | tuple) else [values]
    if not all(isinstance(one, str) for one in several):
        raise ValueError(f"{shown(key)} holds a text or a list of texts")
    return tuple(several)


def _read_nameserver(value: object) -> Server:
    return read_server(_text(value))


def _read_queue_url(value: object) -> str:
    text = _read_url(value)
    if not urlsplit(text).path.strip("/"):
        raise ValueError(f"{shown(text)} is no queue: write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    return text


def _read_thresholds(value: object) -> dict[str, float]:
    if not isinstance(value, dict) or not value.keys() <= set(_STANDINGS):
        raise ValueError("write a table of rates: { warn = 0.05, slow = 0.08, suspend = 0.1 }")
    rates = {name: _read_part(value[name]) for name in _STANDINGS if name in value}
    if list(rates.values()) != sorted(rates.values()):
        raise ValueError("warn is the lowest rate, then slow, then suspend")
    return rates


def _read_part(value: object) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except ValueError:
        number = 0.0
    if not 0 < number <= 1:
        raise ValueError(f"{shown(value)} is no rate: write a part of one, such as 0.05 for 5 %")
    return number


def _read_tags(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(tag, str) for tag in value.values()):
        raise ValueError('write a table of tags: { team = "billing" }')
    return dict(value)


Flag = Annotated[bool, Field(strict=True), Form("true or false")]
Count = Annotated[int, Field(strict=True), Form("a whole number")]
Text = Annotated[str, Form("a text")]
Duration = Annotated[float, Form("a duration", "duration", read=read_duration)]
Instant = Annotated[float, Form("a date and time with offset", read=read_instant)]
Size = Annotated[int, Form("a size", "size", read=read_size)]
Rate = Annotated[float, Form('a rate such as "20/s"', read=read_rate)]
SendRate = Annotated[Any, Form('"auto" or a number of recipients a second', read=_read_send_rate)]
Name = Annotated[str, Form("a name of letters, digits, - and _", read=_read_name)]
Hostname = Annotated[str, Form("a host name", read=_read_hostname)]
Listen = Annotated[HostPort, Form('"HOST:PORT"', read=read_host_port)]
Nameserver = Annotated[Server, Form("an address, or address and port", read=_read_nameserver)]
Network = Annotated[Any, Form("a network or an address", read=read_network)]
Account = Annotated[str, Form("an account, 12 digits", read=_read_account)]
Region = Annotated[str, Form("a region", read=_read_region)]
Principal = Annotated[str, Form('an ARN, an account, a service or "caller"', read=_read_principal)]
Role = Annotated[str, Form("the ARN of a role", read=_read_role)]
ExternalId = Annotated[str, Form("an external id", read=_read_external_id)]
IdentityArn = Annotated[str, Form("the ARN of an identity", read=_read_identity_arn)]
Identity = Annotated[str, Form("the name or ARN of an identity", read=_read_identity)]
Arn = Annotated[str, Form("an ARN", read=_read_arn)]
Mailbox = Annotated[Address, Form("an address", read=_read_address)]
ReturnPath = Annotated[Any, Form('"envelope", "author" or an address', read=_read_return_path)]
Argon2 = Annotated[
    SecretStr, BeforeValidator(_read_hashes), AfterValidator(_check_hashes), Form("an argon2 hash, or a list", "secret")
]
CertificateId = Annotated[str, Form("sha256:, dns:, email:, uri: or cn:NAME", read=_read_certificate)]
Algorithm = Annotated[str, Form("a signature algorithm", read=_read_algorithm)]
SecretId = Annotated[str, Form("the name or ARN of a secret", read=_read_secret_id)]
SpoolUrl = Annotated[SecretStr, AfterValidator(_read_spool_url), Form("a URL", "secret")]
SharedUrl = Annotated[SecretStr, AfterValidator(_read_shared_url), Form("a URL", "secret")]
FilePath = Annotated[Path, Form("a path", "path", read=_read_path)]
SecretPath = Annotated[Path, Form("a path to a secret", "path", read=_read_path)]
Endpoint = Annotated[str, Form("a URL", read=_read_url)]
Egress = Annotated[str, Form("an address, vpce-... or vpc-...", read=_read_egress)]
Organization = Annotated[str, Form("an organization id", read=_read_organization)]
Context = Annotated[dict[str, tuple[str, ...]], Form("a table of condition keys", read=_read_context)]
QueueUrl = Annotated[str, Form("the URL of a queue", read=_read_queue_url)]
ThresholdTable = Annotated[dict[str, float], Form("a table of rates", read=_read_thresholds)]
Tags = Annotated[dict[str, str], Form("a table of texts", read=_read_tags)]
