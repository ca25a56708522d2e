"""Good settings: what is read, what is filled in, and where paths start."""

from ipaddress import ip_network

import pytest

from relay.settings import read_settings
from relay.settings.forms import HostPort
from relay.shared.address import AddressProblem, read_address
from relay.translation import limits_of
from relay.words.addresses import Address
from relay.words.apis import LARGEST
from tests.settings.conftest import completed, good, told


@pytest.fixture
def read(folder):
    """Read a text, completed to be whole, as relay.toml in the folder."""

    def read_text(text: str, environ=None):
        path = folder / "relay.toml"
        path.write_text(completed(text))
        return read_settings(path, environ or {})

    return read_text


def test_values_are_plain(read, folder):
    """Durations are seconds, sizes octets, networks networks, and paths start at the folder of the file."""
    settings = read('[server]\ndrain_timeout = "1500ms"\n[limits]\nmessage_bytes = "64KiB"\n').settings

    assert settings.server.drain_timeout == 1.5
    assert settings.limits.message_bytes == 65536
    assert settings.policies.directory == folder / "files" / "policies"
    assert settings.listener[0].address == HostPort("127.0.0.1", 2525)
    assert settings.delegate[0].password_file == folder / "files" / "password"


def test_a_byte_order_mark_is_named(folder):
    """Some editors write it; TOML has no word for it, and the line that it stands in shows nothing wrong."""
    path = folder / "relay.toml"
    path.write_text(completed(""), encoding="utf-8-sig")

    assert told(read_settings(path, {})) == [
        "relay.toml (line 1): begins with a byte order mark: save it as UTF-8 without one"
    ]


def test_unset_tls_follows_the_certificate(read):
    """A listener that says nothing of TLS has STARTTLS as soon as there is a certificate; one that says off has not."""
    certificate = '[tls]\ncertificate = "files/certificate.pem"\nkey = "files/key.pem"\n'
    two = (
        '[[listener]]\naddress = "0.0.0.0:2525"\n'
        '[[listener]]\naddress = "127.0.0.1:2526"\ntls = "off"\nallow_plaintext_auth = true\n'
    )

    assert [each.tls for each in read(certificate + two).settings.listener] == ["starttls", "off"]
    assert read("").settings.listener[0].tls == "off"


def test_unset_delivery_is_direct_and_says_so(folder):
    """Without a spool an unset mode runs as direct, with a warning."""
    path = folder / "relay.toml"
    path.write_text(completed("").replace("[delivery]", "").replace('mode = "direct"', ""))

    reading = read_settings(path, {})

    assert good(reading).delivery.mode == "direct"
    assert [warning.path for warning in reading.warnings] == ["delivery.mode"]


SPOOL = '[delivery]\nmode = "fallback"\n[spool]\nurl = "sqlite:///var/lib/ses-relay/spool.db"\n'


@pytest.mark.parametrize(
    ("text", "recipients", "without"),
    [
        ("", 50, 50),
        (SPOOL, 1000, 50),
        (f"{SPOOL}[limits]\nrecipients = 200\n", 200, 50),
        (f"{SPOOL}[limits]\nrecipients = 20\n", 20, 20),
        ("[limits]\nrecipients = 20\n", 20, 20),
    ],
)
def test_recipients_follow_from_the_spool(read, text, recipients, without):
    """Where it cannot be had at start, and nobody asked for it, no message can be divided."""
    settings = good(read(text))

    assert settings.limits.recipients == limits_of(settings).recipients == recipients
    assert limits_of(settings, keeps=False).recipients == without


def test_no_more_octets_are_announced_than_ses_takes(read):
    assert limits_of(good(read('[limits]\nmessage_bytes = "25MiB"\n'))).message_bytes == 25 << 20
    assert limits_of(good(read('[limits]\nmessage_bytes = "40MiB"\n'))).message_bytes == LARGEST


def test_delegates_of_a_file_of_their_own(read, folder):
    """They stand behind the others; their problems name their file, their index there and their line."""
    more = folder / "files" / "more.toml"
    more.write_text(
        '[[delegate]]\nname = "news"\nprincipal = "222222222222"\npassword_file = "password"\n\n'
        '[[delegate]]\nname = "bil ling"\nprincipal = "222222222222"\npassword_file = "password"\n'
    )

    problems = read('[delegates]\nfile = "files/more.toml"\n').problems
    why = "'bil ling' is no name: 1 to 64 letters, digits, hyphens and underscores"
    assert [str(problem) for problem in problems] == [f"delegate[1].name (more.toml line 7): {why}"]

    more.write_text(more.read_text().replace("bil ling", "promo"))
    settings = read('[delegates]\nfile = "files/more.toml"\n').settings
    assert [delegate.name for delegate in settings.delegate] == ["billing", "news", "promo"]
    assert settings.delegate[1].password_file == folder / "files" / "password"


def test_a_file_of_delegates_holds_nothing_else(read, folder):
    """Another table in the delegates' file is told with its line there."""
    (folder / "files" / "more.toml").write_text('\n[log]\nlevel = "debug"\n')
    problems = read('[delegates]\nfile = "files/more.toml"\n').problems
    assert [problem.why for problem in problems] == ["more.toml line 2: log has no place there, only [[delegate]]"]


def test_a_delegate_becomes_the_judges_delegate(read):
    """Every key that the judge knows arrives; "caller" becomes what STS said."""
    arn = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
    text = (
        '[[delegate]]\nname = "billing"\nprincipal = "caller"\npassword_file = "files/password"\n'
        f'default_source_arn = "{arn}"\nallow_source_arns = ["{arn}"]\nreturn_path = "Bounces@EXAMPLE.com"\n'
        'allowed_networks = ["10.0.0.0/8"]\naccount_grant = true\nprincipal_tags = { team = "billing" }\n'
        'configuration_set = "billing"\nallow_message_tags = true\norganization_id = "o-exampleorg1"\nreveal = "full"\n'
    )
    configured = read(text).settings.delegate[0]
    delegate = configured.to_delegate("arn:aws:iam::888888888888:user/relay")

    assert delegate.principal == "arn:aws:iam::888888888888:user/relay"
    assert delegate.default_source_arn == arn
    assert delegate.allow_source_arns == (arn,)
    assert delegate.return_path == Address("Bounces", "example.com")
    assert delegate.account_grant
    assert delegate.principal_tags == {"team": "billing"}
    assert (delegate.configuration_set, delegate.allow_message_tags, delegate.organization_id, delegate.reveal) == (
        "billing",
        True,
        "o-exampleorg1",
        "full",
    )
    assert configured.allowed_networks == (ip_network("10.0.0.0/8"),)
    with pytest.raises(ValueError, match="not known"):
        configured.to_delegate()


def test_no_such_file(tmp_path):
    """A file that is not there is a problem like any other."""
    reading = read_settings(tmp_path / "relay.toml", {})
    assert [str(problem) for problem in reading.problems] == ["relay.toml: cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\xff\xfe", "no UTF-8 text: invalid start byte"),
        (b"a = " + b"[" * 20_000 + b"]" * 20_000, "arrays or tables are nested too deeply"),
    ],
    ids=["bytes", "depth"],
)
def test_no_text_at_all(raw, why, tmp_path):
    """Whatever lies in the file, it is told and not raised."""
    path = tmp_path / "relay.toml"
    path.write_bytes(raw)
    assert [why] == [problem.why for problem in read_settings(path, {}).problems]


@pytest.mark.parametrize("key", ["shared", "spool"])
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("rediss://redis.example.com:6380/3?prefix=a.b&ssl_ca_certs=/ca.pem&ssl_check_hostname=False", ""),
        ("unix:///run/redis.sock?db=2&ssl_check_hostname=true", ""),
        ("redis://redis.example.com?prefix=a/b", "prefix consists of letters, digits and - _ . :"),
        ("redis://redis.example.com?db=two", "db is the number of a database"),
        ("rediss://redis.example.com?ssl_check_hostname=no", "ssl_check_hostname is true or false"),
        ("redis://redis.example.com?ssl_ca_certs=/ca.pem", "parameters that begin with ssl_ need rediss://"),
        ("redis://redis.example.com?ssl_check_hostname=false", "parameters that begin with ssl_ need rediss://"),
    ],
)
def test_a_url_of_redis_is_good_where_the_start_takes_it(read, key, url, why):
    assert [problem.why for problem in read(f'[{key}]\nurl = "{url}"\n').problems] == ([why] if why else [])
    if why:
        with pytest.raises(AddressProblem):
            read_address(url)
    else:
        read_address(url)
