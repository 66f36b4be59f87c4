"""The README's table of who holds what, against what a finished environment really holds."""

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from local.emulators import documents, sites
from local.emulators.github import state as github
from local.emulators.node import node_program
from local.emulators.vercel import deployments, projects
from tests.automation.local_client import ROOT, Client, MakeClient, make_client  # noqa: F401
from tests.test_readme import section

STATE, SUPABASE, BROWSER = "the stack's state", "Supabase", "the site's browser code"
SERVER, ACTIONS, NOBODY = "the site's server code", "GitHub Actions", "nobody else"
SMTP_PASSWORD = "made-up-for-the-mailer"
MAILER = "{host: smtp.agency.example, port: 587, user: agency, sender: hello@agency.example}"
SERVICES = {STATE, SUPABASE, NOBODY}  # public texts turn up here, and that says nothing
PUBLIC_NOUNS = {"API URL", "publishable key", "client name"}
PREFIX = "NEXT_PUBLIC_"
Place = tuple[str, str, str]  # who, where, and the text that is there


def described() -> dict[str, set[str]]:
    """Holder -> what the table says that it holds."""
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", section("Who holds what"), re.MULTILINE)
    return {holder: set(held.split(", ")) for holder, held in rows[1:]}


def values(state: Mapping[str, Any]) -> dict[str, list[str]]:
    """Noun of the table -> the texts that it stands for in this environment."""
    outputs = defaultdict(dict, {name: one["outputs"] for name, one in state.items()})
    endpoints = outputs["endpoints"]
    return {
        "API URL": [endpoints["api_url"]],
        "publishable key": [endpoints["publishable_key"]],
        "client name": [outputs["site-client-name"]["value"]],
        "database password": [outputs["db-password"]["result"], outputs["db-password"]["bcryptHash"]],
        "secret key": [outputs["secret-key"]["value"]],
        "legacy keys": [endpoints["legacy_anon_key"], endpoints["legacy_service_role_key"]],
        "owner's one-time link": [outputs["owner"]["link"]],
        "mailer's password": [SMTP_PASSWORD],
    }


def _variables(kind: str, document: dict[str, Any], held: Mapping[str, Any]) -> dict[str, str] | None:
    """Name -> value of what a document of Vercel's gives to the site's code; None for another document."""
    if kind in (sites.KIND, deployments.KIND):
        return dict(document["variables"])
    if kind == projects.KIND:
        return {one["key"]: one["value"] for one in document["variables"].values()}
    if kind == documents.KIND and document["type"] == documents.VARIABLE:
        outputs = document["outputs"]
        return {outputs["key"]: outputs.get("value") or held[document["id"]]["value"]}
    return None


def _kept(kind: str, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Who sees a document that is not Vercel's variables, and its text."""
    if kind == github.KIND:
        yield ACTIONS, json.dumps([document["variables"], document["secrets"]])
        document = {name: part for name, part in document.items() if name not in ("variables", "secrets")}
    rehearsed = document["type"] if kind == documents.KIND else ""
    actions = "actionsVariable" in rehearsed or "actionsSecret" in rehearsed
    yield ACTIONS if actions else SUPABASE if kind.startswith("supabase:") else NOBODY, json.dumps(document)


def stored(client: Client) -> Iterator[Place]:
    """What the services keep."""
    with sqlite3.connect(client.emulators.state / "documents.sqlite") as database:
        rows = database.execute("select kind, key, document from documents").fetchall()
    every = [(kind, key, json.loads(text)) for kind, key, text in rows]
    held = {key: document for kind, key, document in every if kind == documents.HELD}
    for kind, key, document in every:
        if kind == documents.HELD:
            continue  # looked at with the document that it belongs to
        given = _variables(kind, document, held)
        for name, value in (given or {}).items():
            yield BROWSER if name.startswith(PREFIX) else SERVER, f"variable {name} in {kind} {key}", value
        rest = {name: part for name, part in document.items() if name != "variables"}
        for holder, text in _kept(kind, document) if given is None else [(NOBODY, json.dumps(rest))]:
            # A rehearsed variable's document is its value.
            if not (given and kind == documents.KIND):
                yield holder, f"{kind} {key}", text


def seen(client: Client) -> Iterator[Place]:
    """What visitors are served, what the services were asked, and what commands say and leave in files."""
    site = client("outputs")[1]["outputs"]["site_url"]
    pages = [path.name for path in (ROOT / "starter/public").iterdir()] if node_program("node") else []
    with httpx.Client(base_url=site, trust_env=False, timeout=30) as http:
        for path in ("", *pages, "api/config", "api/health"):
            answer = http.get(f"/{path}")
            yield BROWSER, f"/{path}", f"{answer.headers} {answer.text}"
    for service, url in client.emulators.urls.items():
        yield NOBODY, f"requests of {service}", httpx.get(f"{url}/_emulator/requests", trust_env=False).text
    for verb in ("outputs", "status"):
        yield NOBODY, f"what {verb} says", json.dumps(client(verb))
    for path in client.root.rglob("*"):
        inside = path.relative_to(client.root)
        if path.is_file() and not any((client.root / parent).is_symlink() for parent in (inside, *inside.parents)):
            yield NOBODY, str(inside), path.read_text(errors="replace")


def places(client: Client) -> list[Place]:
    """Everything that somebody could read."""
    return [*((STATE, where, value) for where, value in client.secrets()), *stored(client), *seen(client)]


def holdings(state: Mapping[str, Any], found: Iterable[Place]) -> dict[str, dict[str, set[str]]]:
    """Holder -> noun -> the places where the holder has it."""
    told: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    nouns = values(state)
    for holder, where, text in found:
        for noun, texts in nouns.items():
            if any(value and value in text for value in texts):
                told[holder][noun].add(where)
    return told


def misplaced(told: Mapping[str, Mapping[str, set[str]]], table: Mapping[str, set[str]]) -> list[str]:
    """Everything that somebody holds beside the table; what is public may be anywhere but in a place of its own."""
    return sorted(
        f"{holder} holds the {noun}: {', '.join(sorted(where))}"
        for holder, nouns in told.items()
        for noun, where in nouns.items()
        if noun not in table.get(holder, ()) and not (noun in PUBLIC_NOUNS and holder in SERVICES)
    )


def use_mailer(client: Client) -> None:
    """From now on the project has a mailer of the agency's own, with a password."""
    path = client.root / "Pulumi.local.yaml"
    path.write_text(f"{path.read_text()}  client-environments:mailer: {MAILER}\n")
    assert client("up")[1]["error"] is None


def put_by_hand(client: Client, service: str, resource: Mapping[str, Any], value: str) -> None:
    """Change a variable as somebody at the service's own page would."""
    url = f"{client.emulators.urls[service]}/_rehearsal/documents/{resource['id']}"
    answer = httpx.put(url, json={"inputs": {**resource["outputs"], "value": value}}, trust_env=False)
    answer.raise_for_status()


def check_variables(state: Mapping[str, Any]) -> None:
    """Actions hold what the workflow reads and no more; a secret stays off the machines of developers."""
    workflow = (ROOT / "starter/.github/workflows/check.yml").read_text()
    actions = [one["outputs"] for one in state.values() if one["type"].startswith("github:index/actions")]
    names = {one.get("variableName") or one["secretName"] for one in actions}
    assert names == set(re.findall(r"\b(?:vars|secrets)\.(\w+)", workflow))
    variables = [one["outputs"] for one in state.values() if one["type"] == documents.VARIABLE]
    private = [one for one in variables if not one["key"].startswith(PREFIX)]
    assert [one["key"] for one in private] == ["SUPABASE_SECRET_KEY"]
    assert all(one["sensitive"] and "development" not in one["targets"] for one in private)


@pytest.mark.parametrize("make_client", ["rehearsal"], indirect=True)
def test_everybody_holds_what_the_table_says_and_a_secret_under_a_public_name_is_found(
    make_client: MakeClient,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SMTP_PASSWORD)
    client = make_client("held")
    assert client("up")[1]["error"] is None
    use_mailer(client)
    table, found, state = described(), places(client), client.state()
    told = holdings(state, found)
    assert misplaced(told, table) == []
    for holder, nouns in table.items():
        assert told[holder].keys() - (PUBLIC_NOUNS if holder in SERVICES else set()) == nouns, holder
    # A secret that has no name yet belongs into the table, and into this test.
    known = [value for noun in table[STATE] | PUBLIC_NOUNS for value in values(state)[noun]]
    unnamed = [where for holder, where, text in found if holder == STATE and not any(v in text for v in known)]
    assert unnamed == []
    check_variables(state)

    put_by_hand(client, "vercel", state["site-client-name"], state["secret-key"]["outputs"]["value"])
    put_by_hand(client, "github", state["actions-api-url"], state["db-password"]["outputs"]["result"])
    browser, actions = misplaced(holdings(state, stored(client)), table)[::-1]
    assert browser.startswith(f"{BROWSER} holds the secret key: variable NEXT_PUBLIC_CLIENT_NAME in ")
    assert actions.startswith(f"{ACTIONS} holds the database password: ")
