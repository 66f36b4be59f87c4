"""Clients in local mode, as the command line's tests have them."""

from tests.automation.local_client import make_client  # noqa: F401
