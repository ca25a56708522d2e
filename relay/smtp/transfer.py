"""MAIL, RCPT and DATA: one message is handed in (RFC 5321 section 3.3)."""

import asyncio
from dataclasses import replace
from typing import Final

from relay.judgement.answers import with_id
from relay.smtp import paths, replies
from relay.smtp.authentication import Authentication
from relay.smtp.budgets import Ledger
from relay.smtp.content import Content, Fault
from relay.smtp.limits import Limits
from relay.smtp.paths import PathProblem
from relay.smtp.transaction import Transaction, ending_of
from relay.words.addresses import Address
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Session

#: Of a message in memory: the octets that came, for the spool and the judge, and those that go to SES.
_COPIES: Final = 2
#: Between two looks whether there is room by now.
_GLANCE_SECONDS: Final = 0.05


class Transfer(Authentication):
    """A connection on which messages are handed in."""

    _helo = ""
    _was_refused = False  # the last MAIL, for what it said and not how

    @property
    def _tls_is_offered(self) -> bool:
        return self._listener.tls == "starttls" and not self._tls

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Open a transaction. Whatever is answered, a message has been received."""
        transaction = self._new_transaction()
        ending = self._mail_refusal(transaction, arg or "")
        self._was_refused = ending is not None and transaction.envelope is not None
        if ending is not None:
            transaction.end(ending)
            self._answer(ending.reply, counts=not self._was_refused)
            return
        self._transaction = transaction
        self._answer(replies.SENDER_OK)

    def _new_transaction(self) -> Transaction:
        premises = self._premises
        transaction = Transaction(
            self._session(),
            listener=self._listener.name,
            message_id=premises.new_id(),
            observe=premises.observe,
            make_record=premises.make_record,
            monotonic=premises.monotonic,
        )
        transaction.domain_patience = self._limits.domain_seconds
        return transaction

    def _mail_refusal(self, transaction: Transaction, argument: str) -> Ending | None:
        refusal = self._sequence_refusal()
        if refusal is not None:
            return ending_of(refusal, Reason.NONE)
        try:
            mail = paths.read_mail(argument, longest=self._limits.message_bytes)
        except PathProblem as problem:
            return ending_of(problem.reply, problem.reason)
        transaction.reverse_path, transaction.declared = mail.reverse_path, mail.size or 0
        try:
            return self._premises.reception.early_answer(self._session(), transaction.sealed())
        except Exception as error:  # noqa: BLE001 - whatever it is, the client may try again
            return ending_of(self._tell(error), Reason.INTERNAL)

    def _sequence_refusal(self) -> Reply | None:
        if not self._helo:
            return replies.NEED_EHLO
        if self._transaction is not None:
            return replies.NESTED_MAIL
        if self._delegate is None:
            return replies.NEED_AUTH if self._auth_is_open or not self._tls_is_offered else replies.NEED_TLS
        return None

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Add a recipient. Past the limit: see ``Limits.over_recipients``."""
        transaction = self._transaction
        if transaction is None:
            self._refuse_without_mail()
            return
        transaction.rcpt_commands += 1
        limits = self._limits
        is_flood = transaction.rcpt_commands - limits.recipients > limits.over_recipients_commands
        try:
            forward_path = paths.read_rcpt(arg or "")
        except PathProblem as problem:
            transaction.refusal = ending_of(problem.reply, problem.reason)
            self._answer(problem.reply, counts=is_flood)
            return
        is_new = forward_path not in transaction.forward_paths
        if is_flood:
            self._answer(replies.too_many_now(limits.recipients))
        elif is_new and len(transaction.forward_paths) >= limits.recipients and limits.over_recipients == "452":
            self._answer(replies.too_many_now(limits.recipients), counts=False)
        elif is_new and (refusal := await self._refusal_of_domain(transaction, forward_path)) is not None:
            transaction.refusal = ending_of(refusal, Reason.ADDRESS_FORM)
            self._answer(refusal, counts=False)
        else:
            transaction.forward_paths[forward_path] = None
            self._answer(replies.RECIPIENT_OK)

    async def _refusal_of_domain(self, transaction: Transaction, forward_path: Address) -> Reply | None:
        """Ask whether the domain takes mail; all recipients of a message together wait a bounded time for the DNS."""
        domains = self._premises.recipient_domains
        if domains is None:
            return None
        since = self.loop.time()
        refusal = await domains.refusal(forward_path.domain, transaction.domain_patience)
        transaction.domain_patience -= self.loop.time() - since
        return refusal

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Take the message and hand it on (W1, W2, W22)."""
        if arg:
            self._answer(replies.NO_ARGUMENT)
            return
        transaction = self._transaction
        if transaction is None:
            self._refuse_without_mail()
            return
        if not transaction.forward_paths:
            self._answer(replies.NO_VALID_RCPT if transaction.refusal else replies.NEED_RCPT)
            return
        if self._inflow.pending:
            self._end_transaction(replies.OUT_OF_STEP, Reason.NONE)
            self._dismiss(replies.OUT_OF_STEP)
        if len(transaction.forward_paths) > self._limits.recipients:
            self._conclude(ending_of(replies.too_many(self._limits.recipients), Reason.RECIPIENTS))
        elif (full := self._premises.reception.room(transaction.declared)) is not None:
            self._conclude(full)
        else:
            await self._take_message(transaction)

    def _refuse_without_mail(self) -> None:
        """
        Answer RCPT or DATA outside a transaction: an error, unless a pipelining client sent it together with a MAIL
        that was refused (RFC 2920 section 3.1); it cannot have known.
        """
        if self._was_refused:
            self._leads_nowhere()
        self._answer(replies.NEED_MAIL if self._helo else replies.NEED_EHLO, counts=not self._was_refused)

    def _leads_nowhere(self) -> None:
        """Count a command that brings no message nearer; who sends nothing else is sent away."""
        self._junk += 1
        if self._junk >= self._limits.junk_commands:
            self._dismiss(replies.TOO_MUCH_JUNK)

    async def _finds_room(self, held: "_Held", octets: int) -> bool:
        """Wait a little while the messages of others fill our memory: back-pressure, before 354 or by not reading."""
        waits_until = self.loop.time() + self._limits.inflight_seconds
        while not held.reaches(octets):
            if self.loop.time() >= waits_until:
                return False
            await asyncio.sleep(_GLANCE_SECONDS)
        return True

    async def _take_message(self, transaction: Transaction) -> None:
        mends = self._premises.reception.mends_line_feeds(self._session())
        content = Content(self._limits.message_bytes, keeps_line_feeds=mends)
        held = _Held(self._premises.ledger, self._limits)
        try:
            declared = max(transaction.declared, 1)
            if not held.reaches(declared) and not await self._finds_room(held, declared):
                self._conclude(ending_of(replies.NO_ROOM, Reason.RATE))
                return
            self._say(replies.START_DATA)
            await self._read_content(content, transaction, held)
            self._verb = "data-end"
            if content.fault is not None:
                self._conclude(ending_of(*replies.OF_FAULT[content.fault]))
                return
            self._transaction = None  # from here on the errand's to end, whatever becomes of this connection
            errand = self._premises.run(self._hand_over(transaction, content.raw(), is_checked=content.is_checked))
            ending = await asyncio.shield(errand)
        finally:
            held.give_back()
        self._conclude(ending)

    async def _read_content(self, content: Content, transaction: Transaction, held: "_Held") -> None:
        """
        Read to the end of data, however slowly it comes, within a minimum rate.

        Raises:
            Interruption: The client is gone, too slow, or sends without end.
        """
        limits = self._limits
        since = self.loop.time()
        most = limits.message_bytes + limits.discard_bytes
        while True:
            block = self._inflow.block()
            if block:
                rest = content.feed(block)
                transaction.size = content.size
                fits = content.fault is not None or held.reaches(content.size)
                if not fits and not await self._finds_room(held, content.size):
                    content.condemn(Fault.NO_ROOM)
                if content.fault is not None:
                    held.give_back()
                if rest is not None:
                    self._inflow.give_back(rest)
                    self._deadline = None
                    return
                if content.seen > most:
                    self._verb = "data-end"
                    self._end_transaction(replies.TOO_BIG, Reason.SIZE)
                    self._dismiss(replies.TOO_BIG)
            self._write()
            if not self._can_write:
                await self._until_read()
            self._allow(since + limits.data_seconds + content.seen / limits.data_rate - self.loop.time())
            await self._inflow.anything()

    async def _hand_over(self, transaction: Transaction, raw: bytes, *, is_checked: bool) -> Ending:
        """Let the reception decide. Runs to its end, and is counted, also when the client is gone (W3)."""
        try:
            reception, session = self._premises.reception, self._session()
            ending = await reception.receive(session, transaction.sealed(), raw, is_checked=is_checked)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client may try again (W6)
            ending = ending_of(self._tell(error), Reason.INTERNAL)
        transaction.end(ending)
        return ending

    def _conclude(self, ending: Ending) -> None:
        """End the transaction. A verdict on a message is no error of the dialogue, a success wipes errors out."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            ending = replace(ending, reply=with_id(ending.reply, transaction.id))
            transaction.end(ending)
        if ending.outcome in (Outcome.ACCEPTED, Outcome.QUEUED):
            self._errors = self._junk = 0
        self._answer(ending.reply, counts=False)

    def _session(self) -> Session:
        if self._session_view is None:
            protocol = "ESMTP" if self._extended else "SMTP"
            protocol += "S" * self._tls + "A" * self._authenticated if self._extended else ""
            self._session_view = Session(
                id=self._id,
                listener=self._listener.name,
                client=self._client_name,
                helo=self._helo,
                protocol=protocol,
                delegate=self._delegate or "-",
            )
        return self._session_view


class _Held:
    """The room in memory that one message takes: that of two messages, as it came and as it goes."""

    __slots__ = ("_ledger", "_most", "_octets")

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self._ledger = ledger
        self._most = max(limits.inflight_bytes, _COPIES * limits.message_bytes)
        self._octets = 0

    def reaches(self, octets: int) -> bool:
        """Whether there is room for a message of *octets*; it is taken then."""
        more = _COPIES * octets - self._octets
        if more > 0:
            if not self._ledger.take(self, more, most=self._most):
                return False
            self._octets += more
        return True

    def give_back(self) -> None:
        """Return the room."""
        self._ledger.give_back(self, self._octets)
        self._octets = 0
