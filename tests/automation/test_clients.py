"""Clients are found by what their files hold; what two of them claim is refused before it costs anything."""

import os
from pathlib import Path

import pytest

from automation.clients import list_clients, read_job
from automation.rivals import read_claims, refuse_rivals, same_domain
from common.errors import OperatorError

FACTS = (
    "config:\n  client-environments:clientId: {client}\n  client-environments:clientName: B\n"
    "  client-environments:orgEmail: o@blau.example\n  client-environments:tier: growth\n"
)
BLAU = FACTS.format(client="blau")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("Pulumi.blau.yaml", BLAU.replace("clientId", "clientid"), "clientid 'blau' is unknown"),
        ("Pulumi.blau.yaml", BLAU.replace("  client-environments:clientId: blau\n", ""), "clientId is missing"),
        ("Pulumi.blau.yaml", BLAU + "  client-environments:clientId: blau\n", r"yaml:6: .*clientId is given twice"),
        ("Pulumi.blau.yaml", FACTS.format(client="other"), "clientId 'other' must be the stack's name, blau"),
        ("Pulumi.blau.yaml", "", "must hold a mapping"),
        ("Pulumi.blau.yaml", "config:\n  other:key: 1\n", "clientId is missing"),
        ("Pulumi.blau.yaml", BLAU + "  client-environments:region: eu-west-2\n", "region 'eu-west-2' is unknown"),
        ("Pulumi.blau.yml", BLAU, r"Pulumi\.blau\.yml: Pulumi reads only \.yaml files"),
        ("Pulumi.Blau.yaml", BLAU, "'Blau' must be a slug"),
        ("Pulumi.blau.YAML", BLAU, "'blau.YAML' must be a slug"),
        ("pulumi.blau.yaml", BLAU, "'pulumi.blau' must be a slug"),
        ("Pulumi.blau.orig.yaml", BLAU, "'blau.orig' must be a slug"),
        ("Pulumi.bl\x1b[31mau.yaml", BLAU, r"'bl\\x1b\[31mau' must be a slug"),
    ],
)
def test_a_file_that_is_nearly_a_clients_is_named_and_refused_and_the_others_are_served(
    agency, name: str, content: str, told: str
) -> None:
    (agency.root / name).write_text(content)
    code, result = agency.json("preview", "--all")
    broken = [client for client in result["clients"] if client["client_id"] not in ("acme", "nordwind")]
    assert (code, len(broken)) == (2, 1)
    assert broken[0]["client_id"].isprintable()
    with pytest.raises(OperatorError, match=told):
        raise OperatorError(broken[0]["error"])
    assert [agency.engines[client].calls for client in ("acme", "nordwind")] == [["preview"], ["preview"]]


def make_folder(path: Path) -> None:
    path.mkdir()


def make_dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [make_folder, make_dangling, os.mkfifo])
def test_what_is_no_file_fails_alone_too(agency, make) -> None:
    make(agency.root / "Pulumi.blau.yaml")
    code, result = agency.json("up", "--all")
    assert code == 2
    assert [(each["client_id"], each["error"] is None) for each in result["clients"]] == [
        ("acme", True),
        ("blau", False),
        ("nordwind", True),
    ]


def test_an_environments_file_is_no_client_whatever_its_name(folder: Path) -> None:
    (folder / "Pulumi.stage.yaml").write_text((folder / "Pulumi.prod.yaml").read_text())
    assert list_clients(folder) == ["acme", "nordwind"]


def test_new_never_writes_over_a_link_or_a_yml_file(agency) -> None:
    words = ("new", "blau", "--name", "B", "--email", "o@blau.example", "--tier", "growth")
    (agency.root / "Pulumi.blau.yaml").symlink_to("nowhere")
    assert "is a link to no file" in agency.run(*words).stderr
    (agency.root / "Pulumi.blau.yaml").unlink()
    (agency.root / "Pulumi.blau.yml").write_text(BLAU)
    assert "Pulumi.blau.yml" in agency.run(*words).stderr
    assert not (agency.root / "Pulumi.blau.yaml").exists()


@pytest.mark.parametrize("name", ["null", "yes", "on", "007", "0x10", "2020-01-01", "1_000", 'it\'s "quoted"', "# no"])
def test_a_name_that_yaml_would_take_for_something_else_is_read_back_as_it_is(agency, name: str) -> None:
    assert agency.run("new", "blau", "--name", name, "--email", "o@b.example", "--tier", "growth").exit_code == 0
    assert read_job("blau", agency.root, local=False).client_name == name


def claim(folder: Path, client: str, domain: str) -> None:
    path = folder / f"Pulumi.{client}.yaml"
    path.write_text(f"{path.read_text()}  client-environments:domain: {domain}\n")


@pytest.mark.parametrize("verb", ["preview", "up", "rotate"])
@pytest.mark.parametrize("theirs", ["www.acme.example", "WWW.Acme.example", "www.acme.example.", '" www.acme.example"'])
def test_two_clients_with_one_domain_are_refused_before_anything_starts(agency, verb: str, theirs: str) -> None:
    claim(agency.root, "acme", "www.acme.example")
    claim(agency.root, "nordwind", theirs)
    code, result = agency.json(verb, "acme")
    assert code == 2
    told = result["clients"][0]["error"]
    assert told.startswith("Pulumi.acme.yaml: domain 'www.acme.example' is claimed by Pulumi.nordwind.yaml too")
    assert agency.opened == []


def test_what_exists_can_still_be_looked_at_and_destroyed(agency) -> None:
    claim(agency.root, "acme", "www.acme.example")
    claim(agency.root, "nordwind", "www.acme.example")
    assert agency.run("status", "--all").exit_code == 0
    assert agency.run("destroy", "acme", "--yes").exit_code == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [("bücher.example", "xn--bcher-kva.example"), ("A.example.", "a.EXAMPLE"), ("x" * 70, "x" * 70 + ".")],
)
def test_a_domain_is_compared_as_the_name_system_compares_it(one: str, other: str) -> None:
    assert same_domain(one) == same_domain(other)


def test_two_clients_with_one_client_id_are_refused_both(agency) -> None:
    path = agency.root / "Pulumi.nordwind.yaml"
    path.write_text(path.read_text().replace("clientId: nordwind", "clientId: acme"))
    code, result = agency.json("up", "--all")
    assert code == 2
    acme, nordwind = (client["error"] for client in result["clients"])
    assert "clientId 'acme' is claimed by Pulumi.nordwind.yaml too" in acme
    assert "must be the stack's name" in nordwind


def test_two_clients_whose_projects_would_have_one_name_are_refused(folder: Path) -> None:
    prod = (folder / "Pulumi.prod.yaml").read_text()
    for environment in ("prod", "cc", "b-cc"):
        (folder / f"Pulumi.{environment}.yaml").write_text(prod)
    for client, environment in (("aa", "b-cc"), ("aa-b", "cc")):
        text = f"{FACTS.format(client=client)}  client-environments:environment: {environment}\n"
        (folder / f"Pulumi.{client}.yaml").write_text(text)
    with pytest.raises(
        OperatorError, match=r"name of project, repository and site 'client-aa-b-cc' is claimed by Pulumi\.aa-b"
    ):
        refuse_rivals("aa", read_claims(folder, local=False))


def test_a_file_that_cannot_be_compared_is_said_and_holds_nobody_up(agency) -> None:
    (agency.root / "Pulumi.blau.yaml").write_text("config: [")
    result = agency.run("preview", "acme")
    assert result.exit_code == 0
    assert "blau: its file says too little to compare" in result.stdout
