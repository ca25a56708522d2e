"""Small questions to SES and STS beside the mail: who we are, how much may go, a session of a role."""

import asyncio
from hashlib import sha256
from typing import Final

from relay.sending.documents import read_fields
from relay.sending.http_answers import Answer
from relay.sending.keys import KeySource, Unusable
from relay.sending.signer import Signer
from relay.sending.signing import Target
from relay.sending.wire import NoAnswer, Wire

#: The longest wait for an answer: nobody's mail waits for one, but what was asked may be needed soon.
PATIENCE: Final = 10.0


class Enquiries:
    """Asks, signed with the key of whoever is meant to ask."""

    def __init__(self, wire: Wire, signer: Signer) -> None:
        self._wire = wire
        self._signer = signer

    async def ask(self, target: Target, question: bytes, source: KeySource) -> Answer | Unusable:
        """Return what *target* answers, an error too; Unusable without a key, or without an answer in time."""
        key = await source.get()
        if isinstance(key, Unusable):
            return key
        fields = self._signer.sign(key, target, sha256(question).hexdigest())
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._wire.post(target, fields, [question])
        except TimeoutError:
            return Unusable(f"{target.host} gave no answer in {PATIENCE:g} s", "NoAnswer")
        if isinstance(answer, NoAnswer):
            return Unusable(f"{target.host} gave no answer: {answer.why}", "NoAnswer")
        if answer.status != 200:
            code = (read_fields(answer.body) or {}).get("Error/Code", "")
            self._signer.learn(code, answer.date, key, source)
        return answer
