"""What the peers' flags, variables and files say, and what is told of it."""

from pathlib import Path

import pytest

from relay.cli.migrate.options import text_of
from relay.owner.migrate.blueimp import read_blueimp
from relay.owner.migrate.decke import read_decke
from relay.owner.migrate.model import CannotMigrate, Found, Kind, Wishes
from relay.owner.migrate.postfix import read_postfix
from tests.owner.migrate.peers import ARN, HASH, INI, USERS, decke, postfix

NET = "arn:aws:ses:us-east-1:888888888888:identity/example.net"
NOBODY = Wishes()


def blueimp(flags: str = "", *, fork=None, **environ: str) -> Found:
    return read_blueimp(flags.split(), environ, NOBODY, fork)


def said(found: Found, kind: Kind) -> set[str]:
    return {note.subject for note in found.notes if note.kind is kind}


def texts(patterns) -> list[str]:
    return [pattern.text for pattern in patterns]


def of_postfix(folder: Path, *, passwords: Path | None = None) -> Found:
    return read_postfix(folder, NOBODY, text_of, passwords)


def of_decke(ini: Path | None, **environ: str) -> Found:
    return read_decke(ini, environ, NOBODY, text_of)


class TestBlueimp:
    @pytest.mark.parametrize(
        ("fork", "source", "author"), [("kamorion", ARN, NET), ("kian99", ARN, NET), ("pr19", NET, ARN)]
    )
    def test_the_letters_o_and_f_mean_what_the_fork_means(self, fork, source, author):
        arns = blueimp(f"-o {ARN} -f={NET}", fork=fork).clients[0].arns

        assert arns == {"default_source_arn": source, "default_from_arn": author}

    def test_one_letter_alone_is_swapped_too(self):
        assert blueimp(f"-o {ARN}", fork="pr19").clients[0].arns == {"default_from_arn": ARN}

    def test_long_flags_and_variables_need_no_fork(self):
        assert blueimp(f"--sourceArn {ARN}").clients[0].arns == {"default_source_arn": ARN}
        assert blueimp(SES_FROM_ARN=ARN).clients[0].arns == {"default_from_arn": ARN}

    def test_a_flag_goes_before_its_variable(self):
        client = blueimp("-e flag", SES_CONFIGURATION_SET_NAME="variable").clients[0]

        assert client.configuration_set == "flag"

    def test_who_was_an_open_relay_trusts_loopback_now(self):
        found = blueimp()

        assert found.clients[0].trusted_networks == ("127.0.0.0/8", "::1/128")
        assert not found.doors[0].require_auth
        assert "no -u and no -i" in said(found, Kind.STRICTER)

    def test_addresses_of_clients_need_no_auth_or_narrow_it(self):
        assert blueimp("-i 10.0.0.1,::1").clients[0].trusted_networks == ("10.0.0.1", "::1")
        assert blueimp("-i 10.0.0.1 -u app", BCRYPT_HASH=HASH).clients[0].allowed_networks == ("10.0.0.1",)

    def test_passwords_do_not_travel_in_clear(self):
        """Without a certificate it listens on loopback, and -s and -t were ignored, as they were there."""
        found = blueimp("-u app -s", PASSWORD="s3cret-of-app")

        assert [(door.address, door.tls) for door in found.doors] == [("127.0.0.1:1025", "off")]
        assert "-s" in said(found, Kind.LEFT)
        assert "s3cret-of-app" not in repr(found)

    def test_tls_is_as_it_was(self):
        tls = "-c /c.pem -k /k.pem"

        assert blueimp(tls).doors[0].tls == "starttls"
        assert blueimp(f"{tls} -t").doors[0].tls == "implicit"
        assert blueimp(f"{tls} --onlyTLS false").doors[0].tls == "starttls"

    def test_expressions_are_patterns(self):
        client = blueimp(r"-l @example\.com$ -d ^root@ -m example.net,example.org").clients[0]

        assert texts(client.addresses) == ["*@example.com"]
        assert texts(client.not_to) == ["root@*"]
        assert texts(client.recipients) == ["*@example.net", "*@example.org"]

    def test_every_setting_without_a_counterpart_is_told(self):
        found = blueimp("-n Relay --readTimeout 5", GIT_REV="abc", ENABLE_LOGIN="true", HOSTNAME="pod-7", FOO="1")

        assert {"-n", "--readTimeout", "GIT_REV", "HOSTNAME", "FOO"} <= said(found, Kind.LEFT)
        assert "ENABLE_LOGIN" in said(found, Kind.STRICTER)

    @pytest.mark.parametrize(
        ("flags", "environ", "why"),
        [
            ("-x 1 --color=no y", {}, ["-x: no flag of blueimp/aws-smtp-relay or its forks; --color: no flag"]),
            ("-a", {}, ["-a: its value is missing"]),
            ("-a 1025", {}, ["-a: '1025' is no address"]),
            ("-r pinpoint", {}, ["by SES only"]),
            ("-r marketing", {}, ["early releases had the configuration set there"]),
            ("-u app", {}, ["neither BCRYPT_HASH nor PASSWORD"]),
            ("-u app", {"BCRYPT_HASH": "$2a$04$short"}, ["BCRYPT_HASH: a bcrypt hash that is cut off"]),
            (f"-o {ARN}", {}, ["say whose letters they are, --fork"]),
            ("-i 10.0.0.300", {}, ["-i: '10.0.0.300' is no address or network"]),
            (r"-l ^[a-z]+@example\.com$", {}, ["-l", "[a-z] at 2", "--from PATTERN"]),
            (r"-d (?i)root@", {}, ["-d", "compare local parts", "--deny-recipients PATTERN"]),
        ],
    )
    def test_what_cannot_be_carried_over_is_named(self, flags, environ, why):
        with pytest.raises(CannotMigrate) as raised:
            blueimp(flags, **environ)

        for each in why:
            assert each in str(raised.value)


class TestDecke:
    def test_users_are_delegates_with_their_addresses(self, tmp_path):
        found = of_decke(decke(tmp_path))

        assert [(each.name, texts(each.addresses)) for each in found.clients] == [
            ("app", ["app@example.com", "news@example.com"]),
            ("john-doe", ["*@example.com"]),
        ]
        assert found.clients[0].hashes == (HASH,)
        assert found.region == "us-east-1"
        assert "john.doe" in said(found, Kind.TO_DO)

    def test_everybody_is_bound_to_allowed_sender(self, tmp_path):
        users = f"app {HASH} app@example.com,app@example.net\nany {HASH}\n"
        found = of_decke(decke(tmp_path, users=users))

        assert [texts(each.addresses) for each in found.clients] == [["app@example.com"], ["*@example.com"]]

    def test_without_users_networks_are_who_sends(self, tmp_path):
        ini = "listen = 0.0.0.0:25\nallowed_nets = 10.0.0.0/8\nremotes = smtp://email-smtp.eu-west-1.amazonaws.com:25/b@x.yz\n"
        found = of_decke(decke(tmp_path, ini))

        assert [(each.name, each.trusted_networks, each.return_path) for each in found.clients] == [
            ("clients", ("10.0.0.0/8",), "b@x.yz")
        ]
        assert not found.doors[0].require_auth

    def test_no_network_at_all_was_everybody(self, tmp_path):
        """Who logs in still may come from everywhere; who does not must be trusted by name."""
        with_users = of_decke(decke(tmp_path, INI + "allowed_nets =\n"))
        without = of_decke(decke(tmp_path, "listen = 127.0.0.1:25\nallowed_nets =\n"))

        assert with_users.clients[0].allowed_networks == ()
        assert without.clients[0].trusted_networks == ("127.0.0.0/8", "::1/128")
        assert "allowed_nets" in said(without, Kind.STRICTER)

    def test_variables_go_before_the_file(self, tmp_path):
        found = of_decke(decke(tmp_path), SMTPRELAY_HOSTNAME="other.example.com", PATH="/bin")

        assert found.keys["server"] == {"hostname": "other.example.com"}

    def test_the_first_line_of_a_user_counts_and_names_have_no_case(self, tmp_path):
        found = of_decke(decke(tmp_path, users=f"app {HASH} a@example.com\nAPP {HASH} b@example.com\n"))

        assert [texts(each.addresses) for each in found.clients] == [["a@example.com"]]
        assert "APP" in said(found, Kind.LEFT)

    @pytest.mark.parametrize(
        ("ini", "users", "why"),
        [
            (
                INI + "alowed_nets = 1\n",
                USERS,
                "smtprelay.ini:7: alowed_nets is no key of smtprelay; did you mean allowed_nets?",
            ),
            (INI + "max_recipients = many\n", USERS, "smtprelay.ini:7: max_recipients is no whole number: 'many'"),
            (INI, "app\n", "users.txt:1: 1 words"),
            (INI, f"app {HASH}\nceo plain-secret a@b.cd\n", "users.txt:2: ceo: no hash that is taken"),
            (INI, f"app {HASH} a@b\n", "users.txt:1: "),
            (INI, f"app {HASH} a*@b.cd\n", "users.txt:1: 'a*@b.cd': * and ? are letters there"),
            (INI, f"app {HASH} root\n", "users.txt:1: none of its addresses has a domain"),
            (INI, f"app {HASH} app@example.net\n", "app: allowed_sender lets none of its addresses through"),
            (
                INI + "listen = tls://:465\n",
                USERS,
                "smtprelay.ini:7: listen: 'tls://:465' needs local_cert and local_key",
            ),
            (INI + "allowed_nets = all\n", USERS, "smtprelay.ini:7: allowed_nets: 'all' is no address or network"),
            (INI + "allowed_users = nowhere\n", USERS, "nowhere: No such file or directory"),
        ],
    )
    def test_what_cannot_be_carried_over_is_named_with_file_and_line(self, tmp_path, ini, users, why):
        with pytest.raises(CannotMigrate) as raised:
            of_decke(decke(tmp_path, ini, users))

        assert why in str(raised.value)
        assert "plain-secret" not in str(raised.value)


class TestPostfix:
    def test_logins_own_addresses_and_single_ones_go_before_domains(self, tmp_path):
        found = of_postfix(postfix(tmp_path))
        by_name = {each.name: each for each in found.clients}

        assert texts(by_name["app"].addresses) == ["*@example.com"]
        assert texts(by_name["app"].not_as) == ["ceo@example.com"]
        assert texts(by_name["ceo"].addresses) == ["ceo@example.com"]
        assert by_name["mynetworks"].trusted_networks == ("127.0.0.0/8", "10.1.0.0/16")
        assert texts(by_name["mynetworks"].not_as) == ["*@example.com"]
        assert "header_checks" in said(found, Kind.LEFT)

    @pytest.mark.parametrize("passing", ["permit_mynetworks", "permit"])
    def test_networks_that_pass_first_are_not_held_to_owners(self, tmp_path, passing):
        order = f"smtpd_sender_restrictions = {passing} reject_sender_login_mismatch\n"
        networks = of_postfix(postfix(tmp_path, order)).clients[-1]

        assert networks.not_as == ()

    @pytest.mark.parametrize("kind", ["", "known_", "unauthenticated_"])
    def test_each_restriction_that_holds_clients_without_auth_is_known(self, tmp_path, kind):
        order = f"smtpd_sender_restrictions = reject_{kind}sender_login_mismatch permit_mynetworks\n"
        networks = of_postfix(postfix(tmp_path, order)).clients[-1]

        assert texts(networks.not_as) == ["*@example.com"]

    @pytest.mark.parametrize(
        "lists",
        [
            "smtpd_helo_restrictions = permit_mynetworks\nsmtpd_relay_restrictions = defer_unauth_destination\n",
            "smtpd_client_restrictions = permit_sasl_authenticated, reject\n",
            "smtpd_relay_restrictions = permit_sasl_authenticated, defer_unauth_destination, permit_mynetworks\n",
        ],
    )
    def test_networks_that_some_list_refuses_need_auth(self, tmp_path, lists):
        found = of_postfix(postfix(tmp_path, lists))

        assert [each.trusted_networks for each in found.clients] == [(), ()]
        assert all(door.require_auth for door in found.doors)

    def test_a_service_that_wants_everybody_to_log_in_still_does(self, tmp_path):
        master = (
            "127.0.0.1:587 inet n - y - - smtpd\n"
            "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o mynetworks=10.9.0.0/16\n"
            "127.0.0.1:25 inet n - y - - smtpd\n"
        )
        found = of_postfix(postfix(tmp_path, master=master))

        assert [door.require_auth for door in found.doors] == [True, False]
        assert found.clients[-1].trusted_networks == ("127.0.0.0/8", "10.1.0.0/16")

    def test_an_address_with_an_extension_is_whose_the_address_is(self, tmp_path):
        more = "recipient_delimiter = +-\n"
        by_name = {
            each.name: texts(each.not_as)
            for each in of_postfix(postfix(tmp_path, more, login="@example.com app\nceo@example.com ceo\n")).clients
        }

        assert by_name["app"] == ["ceo@example.com", "ceo+*@example.com", "ceo-*@example.com"]
        assert by_name["ceo"] == []
        assert by_name["mynetworks"] == ["*@example.com"]

    def test_owners_that_nothing_held_anybody_to_are_told(self, tmp_path):
        found = of_postfix(postfix(tmp_path, "smtpd_sender_restrictions =\n"))

        assert "smtpd_sender_login_maps" in said(found, Kind.STRICTER)
        assert any("no restriction held anybody to it" in note.why for note in found.notes)

    def test_what_restrictions_asked_is_to_be_looked_after(self, tmp_path):
        more = (
            "smtpd_restriction_classes = few\nfew = reject\n"
            "smtpd_recipient_restrictions = few, check_sender_access hash:/etc/postfix/senders, permit_mynetworks,\n"
            "  check_policy_service inet:127.0.0.1:10023\n"
        )
        found = of_postfix(postfix(tmp_path, more))

        asked = {"few", "check_sender_access hash:/etc/postfix/senders", "check_policy_service inet:127.0.0.1:10023"}
        assert asked <= said(found, Kind.TO_DO)
        assert {note.place for note in found.notes if note.subject in asked} == {f"{tmp_path}/postfix/main.cf:10"}

    def test_names_without_a_domain_are_of_myorigin(self, tmp_path):
        found = of_postfix(postfix(tmp_path, "myorigin = $mydomain\nmydomain = example.com\n", login="ceo boss\n"))

        assert texts(found.clients[0].addresses) == ["ceo@example.com"]

    def test_passwords_of_dovecot_are_kept(self, tmp_path):
        settings = postfix(tmp_path)
        found = of_postfix(settings, passwords=settings / "users")

        assert [each.hashes for each in found.clients if each.has_password] == [(HASH,), (HASH,)]

    def test_services_are_listeners(self, tmp_path):
        master = (
            "smtp inet n - y - - smtpd\n"
            "submissions inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"
            "127.0.0.1:10025 inet n - y - - smtpd -o mynetworks=127.0.0.0/8\n"
        )
        tls = "smtpd_tls_cert_file = /c.pem\nsmtpd_tls_key_file = /k.pem\nsmtpd_tls_security_level = may\n"
        found = of_postfix(postfix(tmp_path, tls, master=master))

        assert [(each.address, each.tls) for each in found.doors] == [
            ("0.0.0.0:25", "starttls"),
            ("0.0.0.0:465", "implicit"),
            ("127.0.0.1:10025", "starttls"),
        ]
        assert (found.certificate, found.key) == ("/c.pem", "/k.pem")

    def test_options_in_braces_hold_blanks(self, tmp_path):
        option = "-o { smtpd_sender_restrictions = permit_mynetworks, reject_sender_login_mismatch }"
        networks = of_postfix(postfix(tmp_path, master=f"2525 inet n - y - - smtpd -v\n  {option}\n")).clients[-1]

        assert networks.not_as == ()

    @pytest.mark.parametrize("option", ["-o {a = {b}}", "-o reject", "-o"])
    def test_an_option_that_is_not_understood_is_named_with_its_line(self, tmp_path, option):
        with pytest.raises(CannotMigrate, match=r"master\.cf:1: -o .*: no NAME=VALUE"):
            of_postfix(postfix(tmp_path, master=f"2525 inet n - y - - smtpd {option}\n"))

    def test_the_region_may_stand_beside_the_smtp_password_which_is_told_nowhere(self, tmp_path):
        settings = postfix(tmp_path, "relayhost =\nsmtp_sasl_password_maps = hash:FOLDER/sasl\n")
        (settings / "sasl").write_text("[email-smtp.eu-west-1.amazonaws.com]:587 AKIAXX:smtp-secret\n")
        found = of_postfix(settings)

        assert found.region == "eu-west-1"
        assert "smtp-secret" not in repr(found)

    @pytest.mark.parametrize(
        ("more", "login", "why"),
        [
            (
                "relayhost = [smtp.example.org]\n",
                "",
                "main.cf:8: relayhost '[smtp.example.org]' is no SMTP endpoint of SES",
            ),
            ("message_size_limit = big\n", "", "main.cf:8: message_size_limit is no whole number"),
            ("nonsense\n", "", "main.cf:8: no NAME = VALUE"),
            (
                "smtpd_sender_login_maps = ldap:x\n",
                "",
                "main.cf:8: smtpd_sender_login_maps ldap:x: only tables with a text",
            ),
            ("mynetworks = 0.0.0.0/0\n", "@example.com app\n", "main.cf:8: mynetworks is everybody"),
            ("maximal_queue_lifetime = long\n", "@example.com app\n", "main.cf:8: maximal_queue_lifetime is no time"),
            ("", "a@b@c app\n", "login:1: 'a@b@c' is no address"),
            ("", "@example.com\n", "login:1: '@example.com' has no value"),
            ("", "/^x@/ app\n", "login:1: "),
        ],
    )
    def test_what_cannot_be_carried_over_is_named_with_file_and_line(self, tmp_path, more, login, why):
        with pytest.raises(CannotMigrate) as raised:
            of_postfix(postfix(tmp_path, more, login=login))

        assert why in str(raised.value)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(CannotMigrate, match=r"main\.cf: No such file"):
            of_postfix(tmp_path)
