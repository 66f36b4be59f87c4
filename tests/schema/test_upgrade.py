"""Upgrading a client with data while its people work."""

import pytest

from bench import upgrade


@pytest.mark.long
def test_no_query_fails_or_is_blocked_while_a_million_contacts_are_upgraded() -> None:
    took, load = upgrade.run()
    assert load.errors == []
    assert len(load.times) > took * upgrade.RATE / 2
    assert max(load.times) < 0.2
