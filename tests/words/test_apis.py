from base64 import b64encode

import pytest

from relay.words.addresses import Address
from relay.words.apis import ADDED, LARGEST, MOST_ENCODED, MOST_RECIPIENTS, Api, apis_for
from relay.words.transactions import batches_of

MIB = 1 << 20


@pytest.mark.parametrize(
    ("octets", "apis"),
    [
        (0, (Api.RAW,)),
        (7 * MIB, (Api.RAW,)),
        (7 * MIB + MIB // 2 - ADDED, (Api.RAW,)),
        (7 * MIB + MIB // 2 - ADDED + 1, (Api.V2, Api.RAW)),
        (10 * MIB - ADDED, (Api.V2, Api.RAW)),
        (10 * MIB - ADDED + 1, (Api.V2,)),
        (20 * MIB, (Api.V2,)),
        (LARGEST, (Api.V2,)),
        (LARGEST + 1, ()),
    ],
)
def test_the_call_follows_from_the_size_after_base64(octets, apis):
    """With all that the relay may add; where AWS's quota and its error text differ, both are named."""
    assert apis_for(octets) == apis
    for api in apis[:1]:
        assert len(b64encode(bytes(octets + ADDED))) <= MOST_ENCODED[api]


@pytest.mark.parametrize("octets", [0, 10 * MIB, LARGEST])
def test_mail_of_a_tenant_goes_by_v2_whatever_its_size(octets):
    assert apis_for(octets, to_tenant=True) == (Api.V2,)
    assert apis_for(LARGEST + 1, to_tenant=True) == ()


def test_v2_is_asked_for_with_both_actions():
    assert (Api.RAW.action, Api.RAW.actions) == ("ses:SendRawEmail", ("ses:SendRawEmail",))
    assert (Api.V2.action, Api.V2.actions) == ("ses:SendEmail", ("ses:SendRawEmail", "ses:SendEmail"))


@pytest.mark.parametrize("recipients", [0, 1, 50, 51, 99, 100, 101, 1000])
def test_recipients_are_divided_in_their_order_and_each_is_in_one_batch(recipients):
    paths = tuple(Address(f"r{number}", "example.net") for number in range(recipients))

    batches = batches_of(paths)

    assert tuple(path for batch in batches for path in batch) == paths
    assert all(len(batch) == MOST_RECIPIENTS for batch in batches[:-1])
    assert len(batches) == -(-recipients // MOST_RECIPIENTS)
