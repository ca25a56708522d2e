"""The words of the trade, and none that lead nowhere."""

import re

import pytest

from tests.docs.pages import NAMES, text_of, words_of

#: Our concepts have other names: delegate, policy, statement, message, entry.
NOT_OURS = re.compile(r"\b(?:acls?|senders?|jobs?|tasks?|items?|managers?|helpers?|utils?|handlers?)\b", re.IGNORECASE)
OTHERS = re.compile("AWS Secrets Manager|SES Mail Manager")
ELSEWHERE = re.compile(r"\.\./shared|/work/|\bissues? #?\d|pypi|npmjs|registry\.|\bTODO\b|\bFIXME\b", re.IGNORECASE)


@pytest.mark.parametrize("page", NAMES)
def test_our_concepts_have_one_name(page):
    assert NOT_OURS.findall(OTHERS.sub("", words_of(page))) == []


@pytest.mark.parametrize("page", NAMES)
def test_nothing_leads_elsewhere(page):
    """No page needs what is not in the repository, or promises what is not done."""
    assert ELSEWHERE.findall(text_of(page)) == []
