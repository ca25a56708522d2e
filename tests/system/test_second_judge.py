"""What the embedded SES judges in these tests is judged again by others: here, that there is something to judge."""

import pytest

from tests.system.conftest import Demo

pytestmark = pytest.mark.system
RAW = b"From: billing@example.com\r\nTo: friend@example.net\r\nSubject: hi\r\n\r\nhello\r\n"


def test_what_the_demo_sends_is_judged_twice(demo: Demo) -> None:
    """The author's identity and that of the return path, each a question of which the second judge hears."""
    demo.ses.second_judge_agrees()
    with demo.relay.client("billing", "demo-billing-secret") as client:
        assert client.hand_over("billing@example.com", ["friend@example.net"], RAW).startswith("250")

    assert demo.ses.second_judge_agrees() >= 2
