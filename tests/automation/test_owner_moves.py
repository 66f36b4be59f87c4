"""The client's address changes: the next `up` brings the new owner in and removes nobody."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.automation.local_client import MakeClient

MEMBERS = (
    "select u.email, u.role, a.email is not distinct from u.email from users u"
    " left join auth.users a on a.id = u.auth_user_id order by u.created_at"
)


def comes_in(link: str) -> bool:
    """Whether a link signs somebody in."""
    location = httpx.get(link, trust_env=False, timeout=30).headers["location"]
    return "access_token" in parse_qs(urlsplit(location).fragment)


@pytest.mark.long
def test_another_address_brings_in_another_owner_and_removes_nobody(make_client: MakeClient) -> None:
    client = make_client("moves")
    assert client("up")[1]["error"] is None
    first = client.state()["owner"]["outputs"]["link"]
    path = client.root / f"Pulumi.{client.name}.yaml"
    old = next(line.split()[-1] for line in path.read_text().splitlines() if "orgEmail" in line)
    new = f"New.{old}"
    path.write_text(path.read_text().replace(old, new))
    code, found = client("drift")
    (change,) = [each for each in found["program"] if each["resource"] == "owner"]
    assert (code, set(change["properties"]), found["hand"]) == (1, {"contact", "email"}, [])
    assert client("up")[1]["error"] is None
    assert client.query(MEMBERS) == [(old, "owner", True), (new.lower(), "owner", True)]
    second = client.state()["owner"]["outputs"]["link"]
    assert (comes_in(second), comes_in(second), comes_in(first)) == (True, False, True)
    assert client("drift")[0] == 0
    assert client("destroy", "--yes")[1]["error"] is None
    assert client.state() == {}
