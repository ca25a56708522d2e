"""Queues that are read, and what comes of what is heard: what does not go together."""

from collections.abc import Iterator, Sequence

from relay.settings.aws import QueueSettings
from relay.settings.keys import KeyPath
from relay.settings.model import Settings
from relay.settings.problems import Finding

_HEARD = (("feedback", "queue_url"), ("feedback", "queue"))


def heard(settings: Settings) -> Iterator[Finding]:
    """Find queues that are named twice, and thresholds that nothing could reach or that a restart would forget."""
    feedback, policies = settings.feedback, settings.policies
    yield from _queues(("feedback", "queue"), feedback.queue, feedback.queue_url)
    yield from _queues(("policies", "queue"), policies.queue, policies.events_queue)
    yield from _both(settings)
    is_heard = feedback.queue_url is not None or bool(feedback.queue)
    for path, rates in _thresholds(settings):
        if not is_heard:
            why = "means nothing without a queue: nobody hears of bounces and complaints"
            yield Finding(path, why, reads=_HEARD, is_warning=True)
        elif "suspend" in rates and feedback.path is None:
            why = "without feedback.path a restart forgets who is suspended"
            yield Finding(path, why, reads=(("feedback", "path"),), is_warning=True)


def _queues(path: KeyPath, queues: Sequence[QueueSettings], first: str | None) -> Iterator[Finding]:
    urls = [] if first is None else [first]
    for index, queue in enumerate(queues):
        here = (*path, index)
        if queue.url in urls:
            yield Finding((*here, "url"), "is read already: two readers would each get a part of it", reads=(path,))
        if queue.external_id is not None and queue.role_arn is None:
            yield Finding((*here, "external_id"), "means nothing without role_arn", reads=((*here, "role_arn"),))
        urls.append(queue.url)


def _both(settings: Settings) -> Iterator[Finding]:
    """Find queues that are read for both: what a reader takes and has no use for, it deletes."""
    feedback, policies = settings.feedback, settings.policies
    bounces = {feedback.queue_url, *(queue.url for queue in feedback.queue)}
    urls: list[tuple[KeyPath, str | None]] = [(("policies", "events_queue"), policies.events_queue)]
    urls += [(("policies", "queue", index, "url"), queue.url) for index, queue in enumerate(policies.queue)]
    for path, url in urls:
        if url is not None and url in bounces:
            yield Finding(path, "is read by [feedback] too: each would lose what the other takes", reads=_HEARD)


def _thresholds(settings: Settings) -> Iterator[tuple[KeyPath, dict[str, float]]]:
    """Yield what is written, not the defaults: those only warn."""
    for name in ("bounce_rate", "complaint_rate"):
        if name in settings.feedback.model_fields_set:
            yield ("feedback", name), getattr(settings.feedback, name)
        for index, delegate in enumerate(settings.delegate):
            rates = getattr(delegate, name)
            if rates:
                yield ("delegate", index, name), rates
