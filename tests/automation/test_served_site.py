"""The site of a finished client, asked over HTTP as its visitors, its people and its mails' readers would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from local.emulators.node import node_program
from tests.automation.local_client import Client, MakeClient

pytestmark = pytest.mark.skipif(node_program("node") is None, reason="there is no Node here: pages are simulated")
PASSWORD = "a-person-knows-this"
PEOPLE = {"ann@one.test": "One", "bob@two.test": "Two"}
FILL = """
with o as (insert into organizations (name, slug) values ('{name}', lower('{name}')) returning id),
     k as (insert into contacts (organization_id, email, marketing_consent, consent_at)
           select id, 'buyer@' || lower('{name}') || '.test', true, now() from o)
insert into users (organization_id, auth_user_id, email, full_name, role, status)
select id, '{account}', '{email}', 'Someone', 'owner', 'active' from o
"""


class Site:
    """A client's site as a browser has it: the page, and the API that the page names."""

    def __init__(self, client: Client) -> None:
        self.client, self.url = client, client("outputs")[1]["outputs"]["site_url"]
        self.http = httpx.Client(trust_env=False, timeout=30)
        self.config = self.get("/api/config").json()

    def get(self, path: str) -> httpx.Response:
        return self.http.get(f"{self.url}{path}")

    def api(self, method: str, path: str, token: str = "", **kwargs: Any) -> httpx.Response:
        headers = {"apikey": self.config["publishableKey"], "user-agent": "Mozilla/5.0"}
        headers |= {"authorization": f"Bearer {token}"} if token else {}
        return self.http.request(method, f"{self.config['url']}{path}", headers=headers, **kwargs)

    def sign_in(self, email: str) -> str:
        body = {"email": email, "password": PASSWORD}
        answer = self.api("POST", "/auth/v1/token?grant_type=password", json=body)
        return str(answer.raise_for_status().json()["access_token"])

    def add_person(self, email: str, organization: str) -> None:
        """A person with an account, their organization, and one contact in it."""
        key = self.client.state()["secret-key"]["outputs"]["value"]
        body = {"email": email, "password": PASSWORD, "email_confirm": True}
        made = self.http.post(f"{self.config['url']}/auth/v1/admin/users", headers={"apikey": key}, json=body)
        self.client.query(FILL.format(name=organization, email=email, account=made.raise_for_status().json()["id"]))


@contextmanager
def prober(url: str) -> Iterator[list[str]]:
    """Asks a site's health all the time; gives every answer that was not 200."""
    wrong: list[str] = []
    asked, ended = threading.Event(), threading.Event()

    def run() -> None:
        with httpx.Client(trust_env=False, timeout=30) as http:
            while not ended.is_set():
                try:
                    answer = http.get(f"{url}/api/health")
                    wrong.extend([f"{answer.status_code} {answer.text}"] if answer.status_code != 200 else [])
                except httpx.HTTPError as error:
                    wrong.append(repr(error))
                asked.set()

    thread = threading.Thread(target=run)
    thread.start()
    asked.wait()
    try:
        yield wrong
    finally:
        ended.set()
        thread.join()


def test_people_of_two_organizations_see_their_own_rows_and_rotation_fails_no_request(
    make_client: MakeClient,
) -> None:
    client = make_client("served")
    client.bring_up()
    site = Site(client)
    assert "text/html" in site.get("/").headers["content-type"]
    state = client.state()
    assert site.config == {
        "clientName": state["site-client-name"]["outputs"]["value"],
        "url": state["endpoints"]["outputs"]["api_url"],
        "publishableKey": state["endpoints"]["outputs"]["publishable_key"],
        "missing": [],
    }
    for email, organization in PEOPLE.items():
        site.add_person(email, organization)
    for email, organization in PEOPLE.items():
        token = site.sign_in(email)
        seen = site.api("GET", "/rest/v1/contacts?select=email,organizations(name)", token).json()
        assert seen == [{"email": f"buyer@{organization.lower()}.test", "organizations": {"name": organization}}]
        assert site.api("PATCH", "/rest/v1/contacts?email=like.buyer*", token, json={"source": organization}).is_success
    assert client.query(
        "select count(*) from contacts c join organizations o on o.id = c.organization_id where c.source = o.name"
    ) == [(2,)]
    assert site.api("GET", "/rest/v1/contacts").status_code == 401

    with prober(site.url) as wrong:
        assert client("rotate")[1]["status"] == "updated"
    assert wrong == []
    assert client.state()["secret-key"]["outputs"]["value"] != state["secret-key"]["outputs"]["value"]
    # With the new key of the server the reader of a mail unsubscribes; opening the link alone changes nothing.
    (contact,) = client.query("select id from contacts where email = 'buyer@one.test'")[0]
    assert site.get(f"/api/unsubscribe?contact={contact}").status_code == 200
    consents = "select email, marketing_consent from contacts order by email"
    assert dict(client.query(consents)) == {"buyer@one.test": True, "buyer@two.test": True}
    assert site.http.post(f"{site.url}/api/unsubscribe?contact={contact}").is_success
    assert dict(client.query(consents)) == {"buyer@one.test": False, "buyer@two.test": True}
