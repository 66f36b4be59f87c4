"""What belongs to no client has a name: by proof, or as "cannot tell", and never as nothing there."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from automation import runner
from automation.recovery.orphans import find_orphans
from automation.workspace import open_workspace
from common.errors import OperatorError
from tests.automation.conftest import PREFIX, TYPES
from tests.automation.local_client import ROOT, Client, MakeClient
from tests.conftest import Local

NAMES = r"client-(?P<client>[a-z][a-z0-9-]*)-orphaned"
MARK = (
    "create schema private; create table private.environment_mark (client_id text, project_name text);"
    " insert into private.environment_mark values ('{}', '{}')"
)


class Accounts:
    """Things made by hand in the emulators' accounts, with names of their own."""

    def __init__(self, emulators: Local) -> None:
        self.emulators, self.one = emulators, uuid4().hex[:8]
        self.owner = emulators.exports["GITHUB_OWNER"]

    def name(self, client: str) -> str:
        return f"client-{client}{self.one}-orphaned"

    def project(self, name: str, marked_for: str = "") -> str:
        body = {"name": name, "organization_slug": "local-agency", "db_pass": "made-up-and-somebody-elses"}
        made = self.emulators.supabase("POST", "/v1/projects", json={**body, "region": "eu-west-2"})
        ref = str(made.raise_for_status().json()["ref"])
        if marked_for:
            query = {"query": MARK.format(marked_for, name)}
            self.emulators.supabase("POST", f"/v1/projects/{ref}/database/query", json=query).raise_for_status()
        return ref

    def repository(self, name: str, description: str = "", url: str = "", **more: Any) -> int:
        base = f"{self.emulators.urls['github']}/api/v3"
        body = {"name": name, "description": description, "auto_init": True}
        made = self._send("POST", f"{base}/orgs/{self.owner}/repos", "GITHUB_TOKEN", body)
        if url:
            variable = {"name": "NEXT_PUBLIC_SUPABASE_URL", "value": url}
            self._send("POST", f"{base}/repos/{self.owner}/{name}/actions/variables", "GITHUB_TOKEN", variable)
        if more:
            self._send("PATCH", f"{base}/repos/{self.owner}/{name}", "GITHUB_TOKEN", more)
        return int(made["id"])

    def site(self, name: str, repository: str = "") -> str:
        link = {"gitRepository": {"type": "github", "repo": f"{self.owner}/{repository}"}} if repository else {}
        url = f"{self.emulators.urls['vercel']}/v11/projects"
        return str(self._send("POST", url, "VERCEL_API_TOKEN", {"name": name, **link})["id"])

    def url(self, ref: str) -> str:
        return f"{self.emulators.urls['supabase']}/projects/{ref}"

    def _send(self, method: str, url: str, token: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.emulators.exports[token]}"}
        return self.emulators.http.request(method, url, json=body, headers=headers).raise_for_status().json()

    def look(self, environment: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
        asked = {"organizations": ["local-agency"], "teams": [None], "names": [NAMES], "clients": {}, "described": {}}
        asked |= {"projects": [], "repositories": [], "sites": [], "native": True, **changes}
        done = subprocess.run(
            [sys.executable, "-m", "automation.recovery.accounts"],
            cwd=ROOT,
            env=os.environ | self.emulators.exports | (environment or {}),
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
        )
        content: dict[str, Any] = json.loads(done.stdout)
        return content

    def mine(self, content: dict[str, Any]) -> dict[str, tuple[str, str]]:
        """What was found of this test's things: kind and name -> client and proof or doubt."""
        return {
            f"{one['kind']} {one['name'].partition(' ')[0].rpartition('/')[2]}": (
                one["client"],
                one["proof"] or f"cannot tell: {one['doubt']}",
            )
            for one in content["found"]
            if self.one in one["name"]
        }


@pytest.fixture
def accounts(emulators: Local) -> Accounts:
    return Accounts(emulators)


def test_a_project_is_proved_by_its_mark_and_a_name_alone_proves_nothing(accounts: Accounts) -> None:
    named, renamed, unmarked, other = (accounts.name("a"), f"x-{accounts.one}", accounts.name("b"), f"y-{accounts.one}")
    accounts.project(named, "acme")
    accounts.project(renamed, "nordwind")
    accounts.project(unmarked)
    accounts.project(other)
    held = accounts.project(accounts.name("c"))
    assert accounts.mine(accounts.look(projects=[held])) == {
        f"Supabase project {named}": ("acme", "its database is marked as client 'acme'"),
        f"Supabase project {renamed}": ("nordwind", "its database is marked as client 'nordwind'"),
        f"Supabase project {unmarked}": (
            f"b{accounts.one}",
            "cannot tell: it is named like a client's, and its database holds no mark",
        ),
    }


@pytest.mark.parametrize("marked", ["acme", ""])
def test_a_project_that_cannot_be_asked_is_not_counted_as_nobodys(accounts: Accounts, marked: str) -> None:
    name = f"z-{accounts.one}"
    ref = accounts.project(name, marked)
    accounts.emulators.fault("supabase", path=f"/v1/projects/{ref}/database/query", method="POST", status=403)
    client, doubt = accounts.mine(accounts.look())[f"Supabase project {name}"]
    assert (client, doubt.startswith("cannot tell: its mark cannot be read: Supabase answered 403")) == ("", True)
    accounts.emulators.supabase("POST", f"/v1/projects/{ref}/pause").raise_for_status()
    paused = ("", "cannot tell: it is paused, so its mark cannot be read")
    assert accounts.mine(accounts.look()) == {f"Supabase project {name}": paused}


def test_a_repository_and_its_site_are_proved_by_the_api_that_it_reads(accounts: Accounts) -> None:
    repository, held, unproved = accounts.name("a"), accounts.name("h"), accounts.name("u")
    ref = accounts.project(accounts.name("a"), "acme")
    accounts.repository(repository, url=accounts.url(ref))
    accounts.repository(held, url="https://held.example")
    accounts.repository(f"moved-{accounts.one}", "Site of Moved")
    accounts.repository(unproved, url="https://elsewhere.example")
    accounts.repository(f"wiki-{accounts.one}")
    accounts.repository(accounts.name("old"), archived=True)
    for name, linked in ((f"p-{accounts.one}", repository), (f"q-{accounts.one}", held), (unproved, "")):
        accounts.site(name, linked)
    accounts.site(f"r-{accounts.one}")
    found = accounts.mine(accounts.look(projects=[], clients={"https://held.example": "nordwind"}))
    named = "it is named or described like a client's, and reads no client's API"
    assert {name: told for name, told in found.items() if "Supabase" not in name} == {
        f"GitHub repository {repository}": ("acme", "it reads the API of client 'acme'"),
        f"GitHub repository {held}": ("nordwind", "it reads the API of client 'nordwind'"),
        f"GitHub repository moved-{accounts.one}": ("", f"cannot tell: {named}"),
        f"GitHub repository {unproved}": (f"u{accounts.one}", f"cannot tell: {named}"),
        f"Vercel project p-{accounts.one}": ("acme", "it is linked to the repository of client 'acme'"),
        f"Vercel project q-{accounts.one}": ("nordwind", "it is linked to the repository of client 'nordwind'"),
        f"Vercel project {unproved}": (
            f"u{accounts.one}",
            "cannot tell: it is named like a client's, and linked to no client's repository",
        ),
    }


def test_what_a_stack_holds_under_another_name_is_not_listed(accounts: Accounts) -> None:
    number = accounts.repository(accounts.name("a"))
    site, ref = accounts.site(accounts.name("a")), accounts.project(accounts.name("a"))
    described = accounts.name("d")
    accounts.repository(described, "Site of Acme")
    held = {"repositories": [str(number)], "sites": [site], "projects": [ref]}
    content = accounts.look(**held, described={described: ["acme", "Site of Acme"]})
    proof = "it is named and described as client 'acme'"
    assert accounts.mine(content) == {f"GitHub repository {described}": ("acme", proof)}


def test_what_a_token_does_not_show_is_said_and_not_counted_as_nothing(accounts: Accounts) -> None:
    switch = f"{accounts.emulators.urls['github']}/_account"
    assert accounts.look()["unknown"] == []
    for change, back in (
        ({"scopes": None}, {"scopes": ["repo", "workflow", "delete_repo", "read:org"]}),
        ({"role": "member"}, {"role": "admin"}),
    ):
        accounts.emulators.http.patch(switch, json=change).raise_for_status()
        try:
            (line,) = accounts.look()["unknown"]
        finally:
            accounts.emulators.http.patch(switch, json=back).raise_for_status()
        assert line.startswith("GitHub repositories: there may be more, ")
    wrong = {"SUPABASE_ACCESS_TOKEN": "sbp_wrong", "GITHUB_TOKEN": "ghp_wrong", "VERCEL_API_TOKEN": "vcp_wrong"}
    for tokens in (wrong, dict.fromkeys(wrong, "")):
        content = accounts.look(tokens)
        assert (content["found"], len(content["unknown"])) == ([], 3)
        assert not any(value and value in str(content) for value in tokens.values())
    assert "organization elsewhere" in accounts.look(organizations=["elsewhere"])["unknown"][0]
    assert "Vercel projects of team_other" in accounts.look(teams=["team_other"])["unknown"][0]


def rename(client: Client, name: str) -> None:
    """Rename a client's file and its client id, as somebody would who does not know what that means."""
    path = Path(client.root, f"Pulumi.{client.name}.yaml")
    text = path.read_text().replace(f"clientId: {client.name}", f"clientId: {name}")
    path.unlink()
    Path(client.root, f"Pulumi.{name}.yaml").write_text(text)


def test_a_renamed_client_leaves_its_old_stack_and_a_lost_state_its_things_and_all_are_named(
    make_client: MakeClient,
) -> None:
    client = make_client("older")
    path = Path(client.root, f"Pulumi.{client.name}.yaml")
    content = yaml.safe_load(path.read_text())
    content["config"] |= {"client-environments:clientName": "Older and Sons"}
    path.write_text(yaml.safe_dump(content))
    client.bring_up()
    rename(client, "newer")
    workspace = open_workspace(client.root, local=True)
    (stack,) = [one for one in find_orphans(workspace).found if one.client == client.name]
    assert stack.line.startswith(f"{client.name}: a stack with resources and no file Pulumi.{client.name}.yaml")
    assert "shares its domain, name or owner with client newer" in stack.says

    state = client.root / (".local/rehearsal" if workspace.pulumi is None else ".local/pulumi/state")
    state.rename(state.with_name("lost"))
    found = [one for one in find_orphans(workspace).found if client.name in one.name]
    assert {one.kind for one in found} == {"Supabase project", "GitHub repository", "Vercel project"}
    assert {(one.client, one.proved) for one in found} == {(client.name, True)}
    assert all(f"Write Pulumi.{client.name}.yaml again" in one.remedy for one in found)
    assert client.projects() == [client.project_name]


def held(client: str, name: str, **outputs: Any) -> dict[str, Any]:
    return {"urn": PREFIX.format(client, TYPES[name], name), "type": TYPES[name], "id": f"{client}-{name}"} | {
        "outputs": outputs
    }


def test_drift_of_all_lists_them_once_and_ends_with_one(agency: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"kind": "Vercel project", "name": "client-x-prod", "client": "x", "proof": "", "doubt": "why not"}
    content = {"found": [found], "unknown": ["GitHub repositories: there may be more"]}
    monkeypatch.setattr("tests.automation.conftest.ORPHANS", content)
    report = agency.root / "report.md"
    code, result = agency.json("drift", "--all", "--markdown", str(report))
    assert code == 1
    assert [(one["name"], one["proved"]) for one in result["orphans"]] == [("client-x-prod", False)]
    assert result["cannot_tell"] == ["GitHub repositories: there may be more"]
    assert "Belongs to no client" in report.read_text()
    assert agency.json("drift", "--all", "--shard", "1/2")[0] == 1
    assert agency.json("drift", "--all", "--shard", "2/2")[0] == 0
    assert agency.json("drift", "acme")[0] == 0
    assert agency.json("status", "--all")[0] == 1
    assert "cannot tell whose it is: why not" in agency.run("status", "--all").stdout


def test_what_cannot_be_listed_alone_is_no_success(agency: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.automation.conftest.ORPHANS", {"found": [], "unknown": ["GitHub: unseen"]})
    result = agency.run("status", "--all")
    assert (result.exit_code, "cannot tell: GitHub: unseen" in result.stdout) == (1, True)


def test_a_client_with_a_stack_and_another_file_claim_one_domain(agency: Any) -> None:
    for client in ("acme", "nordwind"):
        path = agency.root / f"Pulumi.{client}.yaml"
        path.write_text(f"{path.read_text()}  client-environments:domain: www.acme.example\n")
    assert agency.json("status", "--all")[0] == 0
    agency.engines["acme"].state = [held("acme", "project", organization="agency")]
    code, result = agency.json("status", "--all")
    assert (code, [one["kind"] for one in result["orphans"]]) == (1, ["client"])
    assert "domain 'www.acme.example' is claimed by" in result["orphans"][0]["says"]


def test_the_things_of_a_stack_that_cannot_be_read_are_unknown_and_no_orphans(
    agency: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, stack: str) -> list[dict[str, Any]]:
        raise OperatorError("is damaged", stack)

    found = {"kind": "Supabase project", "name": "p", "client": "acme", "proof": "its database is marked", "doubt": ""}
    monkeypatch.setattr("tests.automation.conftest.ORPHANS", {"found": [found], "unknown": []})
    monkeypatch.setattr("tests.automation.conftest.FakeWorkspace.state_of", refuse)
    agency.engines["acme"].state = [held("acme", "project", organization="agency")]
    code, result = agency.json("status", "--all")
    assert (code, result["orphans"][0]["proved"]) == (1, False)
    assert result["cannot_tell"] == ["what stack acme holds: acme: is damaged"]


def test_a_stack_may_be_named_with_its_organization_and_project(agency: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    agency.engines["agency/client-environments/acme"] = agency.engines.pop("acme")
    agency.engines["agency/client-environments/acme"].state = [held("acme", "project", organization="agency")]
    workspace = runner.open_workspace(agency.root, local=False)
    assert find_orphans(workspace).lines == []


def test_two_stacks_of_one_name_in_two_organizations_are_told(agency: Any) -> None:
    engine = agency.engines.pop("acme")
    for organization, project in (("agency", "one"), ("another", "two")):
        state = [{**held("acme", "project", organization="agency"), "id": project}]
        agency.engines[f"{organization}/client-environments/acme"] = replace(engine, state=state)
    found = find_orphans(runner.open_workspace(agency.root, local=False))
    assert found.unknown == ["which of the stacks named acme is the client's: another organization has one"]


@pytest.mark.parametrize(("domain", "refused"), [("WWW.Acme.example.", True), ("www.other.example", False)])
def test_the_domain_of_a_stack_without_a_file_is_refused_to_a_new_client(
    agency: Any, domain: str, refused: bool
) -> None:
    (agency.root / "Pulumi.nordwind.yaml").unlink()
    urn = PREFIX.format("nordwind", "vercel:index/projectDomain:ProjectDomain", "site-domain")
    agency.engines["nordwind"].state = [{"urn": urn, "type": "t", "id": "x", "outputs": {"domain": domain}}]
    path = agency.root / "Pulumi.acme.yaml"
    path.write_text(f"{path.read_text()}  client-environments:domain: www.acme.example\n")
    code, content = agency.json("up", "acme")
    assert (code == 2) is refused
    said = content["clients"][0]["error"] or ""
    assert ("domain 'www.acme.example' belongs to the stack nordwind, which has no file" in said) is refused
    assert ("up" in agency.engines["acme"].calls) is not refused


def test_without_an_environment_nothing_is_known_and_that_is_said(agency: Any) -> None:
    for path in (agency.root / "Pulumi.prod.yaml", agency.root / "Pulumi.local.yaml"):
        path.unlink()
    found = find_orphans(runner.open_workspace(agency.root, local=False))
    assert found.unknown == ["what no stack holds: no environment's file says where clients are"]


def test_a_new_client_that_may_be_an_old_one_renamed_is_warned_of(agency: Any) -> None:
    (agency.root / "Pulumi.nordwind.yaml").unlink()
    urn = PREFIX.format("nordwind", "pulumi-python:dynamic/supabase:Owner", "owner")
    owner = {"urn": urn, "type": "t", "id": "x", "outputs": {"name": "Acme Outdoor", "contact": "x@y.example"}}
    agency.engines["nordwind"].state = [owner]
    result = agency.run("up", "acme")
    assert (result.exit_code, "shares its domain, name or owner with client acme" in result.stdout) == (0, True)
    owner["outputs"] = {"name": "Nordwind", "contact": "x@y.example"}
    assert "shares its domain" not in agency.run("up", "acme").stdout
