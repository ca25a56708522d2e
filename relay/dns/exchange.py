"""One question to one server, by UDP, and by TCP where the answer does not fit (RFC 7766)."""

import asyncio
import errno
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode

from relay.dns.answers import Answer, Fault, Trouble
from relay.dns.reading import read_answer
from relay.dns.servers import Server

#: Octets of an answer by UDP that no path fragments (DNS Flag Day 2020).
PAYLOAD: Final = 1232
#: The part of the time after which a question is sent again: datagrams get lost.
_AGAIN_AFTER: Final = 0.35
_NO_WAY: Final = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPERM, errno.EACCES})


async def ask(
    server: Server, name: str, kind: str, *, recursive: bool, seconds: float, explains: bool = False
) -> Answer:
    """
    Ask *server* for the records of type *kind* of *name*, which is in A-labels.

    Args:
        recursive: Whether it is to look further; else it must be one of the zone's own.
        seconds: For all of it.
        explains: Whether a SERVFAIL that is DNSSEC's is told from others, by asking once more without validation.

    """
    try:
        async with asyncio.timeout(seconds):
            answer, said = await _answered(server, _question(name, kind, recursive=recursive), seconds)
            if explains and said is not None and said.rcode() == dns.rcode.SERVFAIL:
                answer = await _explained(server, name, kind, answer, seconds)
            return answer
    except TimeoutError:
        return Trouble(Fault.SILENT, f"no answer within {seconds:g} s")


def _question(name: str, kind: str, *, recursive: bool, validates: bool = True) -> dns.message.QueryMessage:
    flags = dns.flags.RD if recursive else dns.flags.Flag(0)
    if not validates:
        flags |= dns.flags.CD
    return dns.message.make_query(f"{name.rstrip('.')}.", kind, use_edns=0, payload=PAYLOAD, flags=flags)


async def _answered(
    server: Server, question: dns.message.QueryMessage, seconds: float
) -> tuple[Answer, dns.message.Message | None]:
    try:
        said = await _exchanged(server, question, seconds)
        if said.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP) and question.edns >= 0:
            question.use_edns(edns=False)  # a server of before 1999
            said = await _exchanged(server, question, seconds)
    except TimeoutError:
        raise
    except OSError as error:
        fault = Fault.NO_ROUTE if error.errno in _NO_WAY else Fault.UNREACHABLE
        return Trouble(fault, (error.strerror or str(error)).lower()), None
    except (dns.exception.DNSException, ValueError, EOFError) as error:
        return Trouble(Fault.GARBLED, f"an answer that cannot be read ({type(error).__name__})"), None
    return read_answer(question, said), said


async def _explained(server: Server, name: str, kind: str, answer: Answer, seconds: float) -> Answer:
    """Ask again without validation: what is answered then is what DNSSEC does not let through (RFC 4035 3.2.2)."""
    unchecked = _question(name, kind, recursive=True, validates=False)
    try:
        async with asyncio.timeout(seconds / 2):
            _, said = await _answered(server, unchecked, seconds / 2)
    except TimeoutError:
        return answer
    if said is None or said.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return answer
    why = answer.why.partition(": ")[2] if isinstance(answer, Trouble) else ""
    told = f" ({why})" if why else ""
    return Trouble(Fault.BOGUS, f"SERVFAIL by DNSSEC: the signatures of the zone do not hold{told}")


async def _exchanged(server: Server, question: dns.message.QueryMessage, seconds: float) -> dns.message.Message:
    """
    Raises:
        TimeoutError, OSError, EOFError, dns.exception.DNSException: There is no answer that can be read.
    """
    said = await _by_udp(server, question, seconds)
    return said if said is not None else await _by_tcp(server, question)


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the datagram that answers a question; others, forged or late, are passed over (RFC 5452)."""

    def __init__(self, question: dns.message.QueryMessage) -> None:
        self.answer: asyncio.Future[dns.message.Message | None] = asyncio.get_running_loop().create_future()
        self._question = question

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        if self.answer.done():
            return
        try:
            said = dns.message.from_wire(data, raise_on_truncation=True, ignore_trailing=True)
        except dns.message.Truncated as truncated:
            if self._question.is_response(truncated.message()):  # type: ignore[no-untyped-call]  # the library left it untyped
                self.answer.set_result(None)
            return
        except (dns.exception.DNSException, ValueError):
            return
        if self._question.is_response(said):
            self.answer.set_result(said)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _by_udp(server: Server, question: dns.message.QueryMessage, seconds: float) -> dns.message.Message | None:
    """Return the answer, or None where it was cut short. The socket is connected, to a port of the kernel's choice."""
    wire = question.to_wire()
    transport, datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(question), remote_addr=(server.address, server.port)
    )
    try:
        transport.sendto(wire)
        done, _ = await asyncio.wait([datagrams.answer], timeout=seconds * _AGAIN_AFTER)
        if not done:
            transport.sendto(wire)
        return await datagrams.answer
    finally:
        datagrams.answer.cancel()
        transport.close()


async def _by_tcp(server: Server, question: dns.message.QueryMessage) -> dns.message.Message:
    wire = question.to_wire()
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2), "big")
        said = dns.message.from_wire(await reader.readexactly(length))
    finally:
        writer.close()
    if not question.is_response(said):
        raise EOFError("an answer to another question")
    return said
