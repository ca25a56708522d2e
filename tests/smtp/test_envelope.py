"""MAIL, RCPT and EHLO arguments: weaknesses W18, W19, W20, W27 and W32 of aiosmtpd, by number."""

import pytest

from relay.words.addresses import NullPath
from tests.smtp.stage import MESSAGE, PLAIN, stage

BAD_PATHS = {
    "app1@example.com": "501 5.1.7",
    "<app1@example.com": "501 5.1.7",
    "<<app1@example.com>>": "501 5.1.7",
    "<app1@example.com(x)>": "501 5.1.7",
    "<(ceo@example.com)app1@example.com>": "501 5.1.7",
    "<=?utf-8?q?app1?=@example.com>": "501 5.1.7",
    "<@evil.example:app1@example.com>": "501 5.1.7",
    '<"app1"@example.com>': "553 5.1.7",
    "<app1@[127.0.0.1]>": "553 5.1.7",
    "<.app1@example.com>": "501 5.1.7",
    "<app1.@example.com>": "501 5.1.7",
    "<app1@example.com.>": "501 5.1.7",
    "<app1>": "501 5.1.7",
    "< app1@example.com>": "501 5.1.7",
    "<app1@example.com >": "501 5.1.7",
    "<app1 @example.com>": "501 5.1.7",
    "<app1@example.com>x": "501 5.1.7",
    "<app1@example.com>,<ceo@example.com>": "501 5.1.7",
    "app1 <app1@example.com>": "501 5.1.7",
    "<": "501 5.1.7",
    "": "501 5.1.7",
    "<app1@example.123>": "501 5.1.7",
    "<" + "a" * 65 + "@example.com>": "501 5.1.7",
}


@pytest.mark.parametrize(("path", "answer"), BAD_PATHS.items())
async def test_w18_a_path_is_an_address_in_brackets_and_nothing_else(authority, path, answer):
    """
    Nothing is stripped, decoded or repaired: what is judged is what was written.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        assert (await client.says(f"MAIL FROM:{path}")).startswith(answer)
        assert on.endings == [("rejected", "address-form")]
        await client.says("MAIL FROM:<app1@example.com>")
        assert (await client.says(f"RCPT TO:{path}")).startswith(answer[:-1] + "3")


async def test_w18_a_blank_after_the_colon_and_any_case_of_keywords_are_forgiven(authority):
    """
    Many clients write them so; the path itself is as strict as ever.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        assert (await client.says("mail from: <app1@EXAMPLE.com>")).startswith("250")
        assert (await client.says("Rcpt to: <Bob@RCPT.example> ")).startswith("250")
        assert (await client.says("RCPT TO:  <bob@rcpt.example>")).startswith("501")
        assert (await client.says("data")).startswith("354")
        await client.send(MESSAGE + b".\r\n")
        await client.reply()
        envelope = on.reception.taken[0][1]
        assert [str(envelope.reverse_path), *map(str, envelope.forward_paths)] == [
            "app1@example.com",
            "Bob@rcpt.example",
        ]


async def test_w19_the_null_reverse_path_is_a_value_of_its_own_and_no_recipient(authority):
    async with stage(authority, PLAIN) as on:
        asked: list[object] = []
        on.reception.early = lambda session, envelope: asked.append(envelope.reverse_path)
        client = await on.authenticated("plain")

        assert (await client.says("MAIL FROM:<>")).startswith("250")
        assert asked == [NullPath.NULL]
        assert (await client.says("RCPT TO:<>")).startswith("553 5.1.3")
        assert (await client.says("RCPT TO:<Postmaster>")).startswith("553 5.1.3")
        assert (await client.says("DATA")).startswith("554 5.5.1")


@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        ("SIZE=100", "250 2.1.0"),
        ("size=100 body=8bitmime", "250 2.1.0"),
        ("BODY=7BIT", "250 2.1.0"),
        ("AUTH=<>", "250 2.1.0"),
        ("AUTH=ceo@example.com", "250 2.1.0"),
        ("AUTH", "555 5.5.4"),
        ("SIZE", "501 5.5.4"),
        ("SIZE=", "501 5.5.4"),
        ("SIZE=-1", "501 5.5.4"),
        ("SIZE=1e3", "501 5.5.4"),
        ("SIZE=\xb2", "501 5.5.4"),
        ("SIZE=" + "9" * 21, "501 5.5.4"),
        ("SIZE=1 SIZE=1", "501 5.5.4"),
        ("SIZE=1 size=2", "501 5.5.4"),
        ("SIZE=10485761", "552 5.3.4"),
        ("SIZE=10485760", "250 2.1.0"),
        ("SIZE=00000000000000000001", "250 2.1.0"),
        ("BODY=BINARYMIME", "501 5.5.4"),
        ("BODY", "501 5.5.4"),
        ("SMTPUTF8", "555 5.5.4"),
        ("RET=HDRS", "555 5.5.4"),
        ("X=y=z", "501 5.5.4"),
        ("=x", "501 5.5.4"),
        ("SIZE=1  BODY=7BIT", "501 5.5.4"),
        ("SIZE=1\tBODY=7BIT", "500 5.5.2"),
    ],
)
async def test_w20_parameters_are_read_one_by_one(authority, parameters, answer):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        assert (await client.says(f"MAIL FROM:<app1@example.com> {parameters}".encode("latin-1"))).startswith(answer)


@pytest.mark.parametrize("parameter", ["NOTIFY=NEVER", "ORCPT=rfc822;x", "X"])
async def test_w20_a_recipient_has_no_parameters(authority, parameter):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")

        assert (await client.says(f"RCPT TO:<bob@rcpt.example> {parameter}")).startswith("555 5.5.4")


async def test_w27_there_is_no_smtputf8(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")

        assert "SMTPUTF8" not in await client.says("EHLO x")
        for command in ("MAIL FROM:<ä@example.com>", "MAIL FROM:<a@exämple.com>"):
            assert (await client.says(command.encode())).startswith("553 5.6.7")
        await client.says("MAIL FROM:<app1@example.com>")
        assert (await client.says("RCPT TO:<böb@rcpt.example>".encode())).startswith("553 5.6.7")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("client.test", "client.test"),
        ("[127.0.0.1]", "[127.0.0.1]"),
        ("[IPv6:::1]", "[IPv6:::1]"),
        ("evil) by relay.test; x", "evilbyrelay.testx"),
        ("(){}", "unknown"),
    ],
)
async def test_w32_a_helo_name_is_fit_for_a_received_field(authority, name, kept):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says(f"EHLO {name}")
        await client.hands_in()

        session = on.reception.taken[0][0]
        assert (kept, "ESMTPA", "127.0.0.1", "app1") == (
            session.helo,
            session.protocol,
            session.client,
            session.delegate,
        )
