"""The verb `doctor`, and the same look before the first thing of a new client."""

import pytest

from tests.automation.conftest import Agency
from tests.automation.local_client import MakeClient


def test_doctor_tells_each_account_and_what_stops_an_up_ends_it_before_anything_exists(
    make_client: MakeClient,
) -> None:
    client = make_client("examined")
    code, found = client("doctor")
    assert (code, found["error"]) == (0, None)
    assert {"Supabase organization", "GitHub owner", "Vercel token", "engine"} <= {f["name"] for f in found["findings"]}
    services = ("supabase", "github", "vercel")
    switch = f"{client.emulators.urls['github']}/_account/"
    client.emulators.http.patch(switch, json={"plan": "free"}).raise_for_status()
    try:
        for service in services:
            client.emulators.requests(service)
        code, refused = client("up")
        assert code == 2
        assert refused["error"] == (
            "GitHub plan: free has no rulesets on private repositories. Set ruleset: false in the environment's file,"
            " or take a plan that has them."
        )
        asked = {entry["method"] for service in services for entry in client.emulators.requests(service)}
        assert asked == {"GET"}
        assert client.state() == {}
        assert client("doctor")[0] == 2
    finally:
        client.emulators.http.patch(switch, json={"plan": "team"}).raise_for_status()


def test_doctor_without_a_name_looks_once_by_any_clients_settings(agency: Agency) -> None:
    code, content = agency.json("doctor", "--local")
    assert (code, [one["client_id"] for one in content["clients"]]) == (0, ["acme"])
    assert content["clients"][0]["findings"][0]["name"] == "Supabase project"
    assert not [engine for engine in agency.engines.values() if engine.calls]


@pytest.mark.parametrize("words", [("--all",), ("acme", "nordwind")])
def test_doctor_looks_at_each_named_client(agency: Agency, words: tuple[str, ...]) -> None:
    assert len(agency.json("doctor", "--local", *words)[1]["clients"]) == 2
