"""MAIL, RCPT and DATA: one message is handed in (RFC 5321 section 3.3)."""

import asyncio
from dataclasses import replace
from typing import Final

from relay.judgement.answers import with_id
from relay.smtp import paths, replies
from relay.smtp.arriving import Arriving, Held
from relay.smtp.authentication import Authentication
from relay.smtp.budgets import Peer
from relay.smtp.content import Content, Fault
from relay.smtp.listeners import Listener
from relay.smtp.paths import PathProblem
from relay.smtp.ports import RecipientDomains
from relay.smtp.premises import Premises
from relay.smtp.transaction import Transaction, ending_of
from relay.words.addresses import Address
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Session

#: Between two looks whether there is room by now.
_GLANCE_SECONDS: Final = 0.05


class Transfer(Authentication):
    """A connection on which messages are handed in."""

    __slots__ = ("_helo", "_junk", "_without_mail")

    def __init__(self, premises: Premises, listener: Listener, client: Peer) -> None:
        super().__init__(premises, listener, client)
        self._helo = ""
        self._junk = 0
        #: What RCPT and DATA hear that cannot know better: the last MAIL was refused, for what it said and not how, or
        #: its transaction was lost by a mistake of ours.
        self._without_mail: Reply | None = None

    @property
    def _tls_is_offered(self) -> bool:
        return self._listener.tls == "starttls" and not self._tls

    def smtp_MAIL(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Open a transaction. Whatever is answered, a message has been received."""
        transaction = self._new_transaction()
        ending = self._mail_refusal(transaction, arg)
        self._without_mail = None
        if ending is not None:
            if transaction.envelope is not None or ending.reason is Reason.SIZE:
                self._without_mail = replies.NEED_MAIL
            transaction.end(ending)
            self._answer(ending.reply, counts=self._without_mail is None)
            return
        self._transaction = transaction
        self._say(replies.SENDER_OK)

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
            return self._premises.reception.early_answer(transaction.session, transaction.sealed())
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

    def smtp_RCPT(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Add a recipient. Past the limit: see ``Limits.over_recipients``."""
        transaction = self._transaction
        if transaction is None:
            self._refuse_without_mail()
            return
        transaction.rcpt_commands += 1
        limits = self._limits
        is_flood = transaction.rcpt_commands - limits.recipients > limits.over_recipients_commands
        try:
            forward_path = paths.read_rcpt(arg)
        except PathProblem as problem:
            transaction.refusal = ending_of(problem.reply, problem.reason)
            self._answer(problem.reply, counts=is_flood)
            return
        is_new = forward_path not in transaction.forward_paths
        if is_flood:
            self._answer(replies.too_many_now(limits.recipients))
        elif is_new and len(transaction.forward_paths) >= limits.recipients and limits.over_recipients == "452":
            self._answer(replies.too_many_now(limits.recipients), counts=False)
        elif not is_new or (domains := self._premises.recipient_domains) is None:
            self._take_unless_refused(transaction, forward_path, None)
        elif domains.knows(forward_path.domain):
            self._take_unless_refused(transaction, forward_path, domains.known_refusal(forward_path.domain))
        else:
            self._attend(
                self._refusal_of_domain(transaction, forward_path, domains),
                lambda refusal: self._take_unless_refused(transaction, forward_path, refusal),
            )

    async def _refusal_of_domain(
        self, transaction: Transaction, forward_path: Address, domains: RecipientDomains
    ) -> Reply | None:
        """Ask whether the domain takes mail; all recipients of a message together wait a bounded time for the DNS."""
        since = self._now()
        refusal = await domains.refusal(forward_path.domain, transaction.domain_patience)
        transaction.domain_patience -= self._now() - since
        return refusal

    def _take_unless_refused(self, transaction: Transaction, forward_path: Address, refusal: Reply | None) -> None:
        if refusal is None:
            transaction.add(forward_path)
            self._say(replies.RECIPIENT_OK)
        else:
            transaction.refusal = ending_of(refusal, Reason.ADDRESS_FORM)
            self._answer(refusal, counts=False)

    def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """
        Take the message and hand it on (W1, W2, W22). Who did not wait for 354 is hung up on, whatever the answer is:
        the lines of a message would be obeyed (W25).
        """
        if self._inflow.octets:
            self._end_transaction(replies.OUT_OF_STEP, Reason.NONE)
            self._dismiss(replies.OUT_OF_STEP)
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
        if len(transaction.forward_paths) > self._limits.recipients:
            self._conclude(ending_of(replies.too_many(self._limits.recipients), Reason.RECIPIENTS))
        elif (full := self._premises.reception.room(transaction.declared)) is not None:
            self._conclude(full)
        else:
            self._make_room(transaction)

    def _refuse_without_mail(self) -> None:
        """
        Answer RCPT or DATA outside a transaction: an error, unless a pipelining client sent it together with a MAIL
        that was refused (RFC 2920 section 3.1); it cannot have known. What we lost is temporary trouble to the end.
        """
        if self._without_mail is None:
            self._answer(replies.NEED_MAIL if self._helo else replies.NEED_EHLO)
        else:
            self._leads_nowhere()
            self._answer(self._without_mail, counts=False)

    def _excuse(self, error: Exception) -> None:
        if self._transaction is not None:
            self._without_mail = replies.LOST
        super()._excuse(error)

    def _leads_nowhere(self) -> None:
        """Count a command that brings no message nearer; who sends nothing else is sent away."""
        self._junk += 1
        if self._junk >= self._limits.junk_commands:
            self._dismiss(replies.TOO_MUCH_JUNK)

    # The octets of a message

    def _make_room(self, transaction: Transaction) -> None:
        held, declared = Held(self._premises.ledger, self._limits), max(transaction.declared, 1)
        if held.reaches(declared):
            self._ask_for_content(transaction, held)
        else:
            self._attend(
                self._finds_room(held, declared),
                lambda fits: self._ask_for_content(transaction, held, fits=fits),
            )

    async def _finds_room(self, held: Held, octets: int) -> bool:
        """Wait a little while the messages of others fill our memory: back-pressure, before 354 or by not reading."""
        waits_until = self._now() + self._limits.inflight_seconds
        while not held.reaches(octets):
            if self._now() >= waits_until:
                return False
            await asyncio.sleep(_GLANCE_SECONDS)
        return True

    def _ask_for_content(self, transaction: Transaction, held: Held, *, fits: bool = True) -> None:
        if not fits:
            self._conclude(ending_of(replies.NO_ROOM, Reason.RATE))
            return
        mends = self._premises.reception.mends_line_feeds(transaction.session)
        content = Content(self._limits.message_bytes, keeps_line_feeds=mends)
        self._arriving = Arriving(transaction, content, held, self._now())
        self._say(replies.START_DATA)

    def _hear_content(self, arriving: Arriving) -> None:
        """
        Take what came of a message, up to its end, however slowly it comes, within a minimum rate.

        Raises:
            Interruption: The client is gone, too slow, or sends without end.
        """
        block, content, held = self._inflow.block(), arriving.content, arriving.held
        rest = content.feed(block)
        arriving.transaction.size = content.size
        if content.fault is not None or held.reaches(content.size):
            self._look_after_block(arriving, rest)
        else:
            self._attend(
                self._finds_room(held, content.size),
                lambda fits: self._look_after_block(arriving, rest, fits=fits),
            )

    def _await_content(self, arriving: Arriving) -> None:
        self._write()
        if self._can_write:
            self._inflow.expect()
            limits, elapsed = self._limits, self._now() - arriving.since
            self._allow(limits.data_seconds + arriving.content.seen / limits.data_rate - elapsed)

    def _look_after_block(self, arriving: Arriving, rest: bytes | None, *, fits: bool = True) -> None:
        """Go on after a block: with *rest*, which follows the message, unless there is more of it to come."""
        content = arriving.content
        if not fits:
            content.condemn(Fault.NO_ROOM)
        if content.fault is not None:
            arriving.held.give_back()
        if rest is not None:
            self._inflow.give_back(rest)
            self._take_message(arriving)
        elif content.seen > self._limits.message_bytes + self._limits.discard_bytes:
            self._verb = "data-end"
            self._end_transaction(replies.TOO_BIG, Reason.SIZE)
            self._dismiss(replies.TOO_BIG)

    def _drop_content(self) -> bool:
        arriving, self._arriving = self._arriving, None
        if arriving is not None:
            arriving.held.give_back()
        return arriving is not None

    # The whole of it

    def _take_message(self, arriving: Arriving) -> None:
        self._verb, self._arriving, content = "data-end", None, arriving.content
        if content.fault is not None:
            self._conclude(ending_of(*replies.OF_FAULT[content.fault]))
            return
        # From here on the errand's to end, whatever becomes of this connection.
        self._transaction, self._is_busy, self._deadline = None, True, None
        self._premises.run(self._hand_over(arriving))

    async def _hand_over(self, arriving: Arriving) -> None:
        """Let the reception decide. Runs to its end, and is counted, also when the client is gone (W3)."""
        transaction, content = arriving.transaction, arriving.content
        try:
            ending = await self._premises.reception.receive(
                transaction.session, transaction.sealed(), content.raw(), is_checked=content.is_checked
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the client may try again (W6)
            ending = ending_of(self._tell(error), Reason.INTERNAL)
        finally:
            arriving.held.give_back()
        try:
            transaction.end(ending)
        except Exception as error:  # noqa: BLE001 - the last net: whatever it is, it is ours
            self._fall(error)
        else:
            # First it is told, also to another process of ours, at the end of this turn of the loop; then answered.
            self.loop.call_soon(self._answer_told, ending)

    def _answer_told(self, ending: Ending) -> None:
        """Answer a message whose ending is told: whoever kills us now does not take it from the books."""
        self._is_busy = False
        self._answer_ending(ending)
        self._go_on()

    def _conclude(self, ending: Ending) -> None:
        """End the transaction, which was not handed over."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            ending = replace(ending, reply=with_id(ending.reply, transaction.id))
            transaction.end(ending)
        self._answer_ending(ending)

    def _answer_ending(self, ending: Ending) -> None:
        """A verdict on a message is no error of the dialogue, a success wipes errors out."""
        if ending.outcome in (Outcome.ACCEPTED, Outcome.QUEUED):
            self._errors = self._junk = 0
        self._say(ending.reply)

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
