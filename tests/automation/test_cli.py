"""The verbs: what they do to engines, how they end, what scripts read."""

from collections.abc import Callable

import pytest

from automation.console import Screen
from automation.engine import Step

MakeStep = Callable[..., Step]


def test_up_creates_and_reports_five_steps(agency, make_step: MakeStep) -> None:
    agency.engines["acme"].steps = (make_step("project"), make_step("schema"), make_step("repository", simulated=True))
    code, content = agency.json("up", "acme")
    assert code == 0
    (client,) = content["clients"]
    assert [(s["name"], s["status"]) for s in client["steps"]] == [
        ("supabase", "created"),
        ("database", "created"),
        ("github", "created"),
        ("vercel", "skipped"),
        ("n8n", "skipped"),
    ]
    assert client["steps"][2]["simulated"]
    assert client["status"] == "created"


def test_every_simulated_line_says_so_and_the_header_names_the_engine(agency, make_step: MakeStep) -> None:
    agency.engines["acme"].steps = (make_step("project"), make_step("repository", simulated=True))
    lines = agency.run("up", "acme").stdout.splitlines()
    assert "engine: rehearsal" in lines[0]
    assert [line for line in lines if "repository" in line and "(simulated)" in line]
    assert not [line for line in lines if "project" in line and "(simulated)" in line]
    assert [line for line in lines if "github" in line and "(simulated)" in line]


@pytest.mark.parametrize(("words", "call"), [((), "up"), (("--refresh",), "up --refresh")])
def test_up_looks_at_the_remote_systems_only_when_told(agency, make_step: MakeStep, words, call: str) -> None:
    agency.engines["acme"].state = [state_of(make_step("project"))]
    assert agency.run("up", "acme", *words).exit_code == 0
    assert agency.engines["acme"].calls == [call]


def test_a_failed_client_leaves_the_others_alone(agency, make_step: MakeStep) -> None:
    agency.engines["acme"].raises = "the lock is held"
    agency.engines["nordwind"].steps = (make_step("project", client="nordwind"),)
    code, content = agency.json("up", "--all")
    assert code == 2
    assert [(c["client_id"], c["status"]) for c in content["clients"]] == [("acme", "failed"), ("nordwind", "created")]
    assert content["clients"][0]["error"] == "the lock is held"


def test_a_failed_resource_fails_its_step_and_the_command(agency, make_step: MakeStep) -> None:
    engine = agency.engines["acme"]
    engine.steps = (make_step("db-password"), make_step("project", status="failed", error="region: not offered"))
    engine.error = "region: not offered"
    result = agency.run("up", "acme")
    assert result.exit_code == 2
    assert "acme: region: not offered" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("steps", "code"), [((), 0), (("same",), 0), (("update",), 1)], ids=["nothing", "unchanged", "a change"]
)
def test_preview_ends_with_one_when_something_would_change(agency, make_step: MakeStep, steps, code: int) -> None:
    agency.engines["acme"].steps = tuple(make_step("project", operation, status="planned") for operation in steps)
    assert agency.run("preview", "acme").exit_code == code
    assert agency.engines["acme"].calls == ["preview"]


def test_drift_ends_with_one_and_writes_the_report(agency, make_step: MakeStep) -> None:
    engine = agency.engines["acme"]
    engine.refreshed = (make_step("repository", "update", status="planned", changed=("description",)),)
    result = agency.run("drift", "acme", "--markdown", "report.md")
    assert result.exit_code == 1
    assert "by hand" in result.stdout
    assert "description" in (agency.root / "report.md").read_text()


def test_drift_without_findings_ends_with_zero(agency) -> None:
    code, content = agency.json("drift", "--all")
    assert (code, content["status"]) == (0, "done")


def test_outputs_masks_secrets(agency) -> None:
    agency.engines["acme"].values = {"api_url": "http://127.0.0.1", "secret_key": "sb_secret_" + "x" * 20}
    code, content = agency.json("outputs", "acme")
    assert code == 0
    assert content["clients"][0]["outputs"] == {"api_url": "http://127.0.0.1", "secret_key": "[secret]"}
    assert "sb_secret_" not in agency.run("outputs", "acme").output


def test_up_prints_no_secret_output(agency) -> None:
    agency.engines["acme"].values = {"secret_key": "sb_secret_" + "x" * 20}
    assert "sb_secret_" not in agency.run("up", "acme", "--json").output


def test_a_credential_in_an_error_is_masked_wherever_it_would_show(agency, make_step: MakeStep) -> None:
    engine = agency.engines["acme"]
    engine.error = f"401 for token ghp_{'abcdefgh' * 4}"
    engine.steps = (make_step("repository", status="failed", error=engine.error),)
    engine.state = [state_of(make_step("project"))]
    runs = [agency.run(*words) for words in (("up", "acme"), ("up", "acme", "--json"), ("drift", "acme", "--json"))]
    runs.append(agency.run("drift", "acme", "--markdown", "report.md"))
    shown = "".join(run.output for run in runs) + (agency.root / "report.md").read_text()
    assert "abcdefghabcdefgh" not in shown
    assert "401 for token [secret]" in runs[0].stderr


def test_the_longest_credential_is_masked_first() -> None:
    screen = Screen(as_json=False)
    screen.hide({"GITHUB_TOKEN": "abcdefgh", "VERCEL_API_TOKEN": "abcdefgh12345", "PULUMI_CONFIG_PASSPHRASE": "local"})
    assert screen.redact("a abcdefgh12345 b abcdefgh c local") == "a [secret] b [secret] c local"


def test_what_nobody_foresaw_is_one_line_too(agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agency.engines["acme"], "outputs", lambda: {}["gone"])
    code, content = agency.json("outputs", "acme")
    assert code == 2
    assert content["clients"][0]["error"] == "unexpected KeyError. The traceback is in .local/log/automation.log."


def state_of(step: Step, *, protect: bool = False) -> dict[str, object]:
    return {"urn": step.urn, "type": step.type, "id": "1", "protect": protect, "outputs": {}}


def test_status_counts_resources_by_step(agency, make_step: MakeStep) -> None:
    agency.engines["acme"].state = [state_of(make_step("project")), state_of(make_step("repository"))]
    _, content = agency.json("status", "acme")
    assert content["clients"][0]["steps"] == {"supabase": 1, "database": 0, "github": 1, "vercel": 0, "n8n": 0}


def test_destroy_stops_on_anything_protected(agency, make_step: MakeStep) -> None:
    agency.engines["acme"].state = [state_of(make_step("project"), protect=True)]
    result = agency.run("destroy", "acme", "--yes")
    assert result.exit_code == 2
    assert "project: protected" in result.stderr
    assert agency.engines["acme"].calls == []


def test_destroy_of_several_starts_nothing_when_one_is_protected(agency, make_step: MakeStep) -> None:
    agency.engines["acme"].state = [state_of(make_step("project"))]
    agency.engines["nordwind"].state = [state_of(make_step("project"), protect=True)]
    assert agency.run("destroy", "--all", "--yes").exit_code == 2
    assert agency.engines["acme"].calls == []


def test_destroy_asks_and_needs_yes_where_nobody_can_answer(agency, make_step: MakeStep) -> None:
    agency.engines["acme"].state = [state_of(make_step("project"))]
    result = agency.run("destroy", "acme")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert agency.engines["acme"].calls == []


def test_destroy_deletes_after_yes(agency, make_step: MakeStep) -> None:
    engine = agency.engines["acme"]
    engine.state = [state_of(make_step("project"))]
    engine.steps = (make_step("project", "delete"),)
    code, content = agency.json("destroy", "acme", "--yes")
    assert (code, content["clients"][0]["deleted"]) == (0, ["project"])


def test_destroy_of_nothing_ends_with_zero(agency) -> None:
    assert agency.run("destroy", "acme", "--yes").exit_code == 0


REFUSALS = {
    "bad slug": (("up", "Acme_1"), "clientId: 'Acme_1' must be a slug"),
    "reserved": (("up", "prod"), "clientId: 'prod' is reserved"),
    "no file": (("up", "nobody"), "Pulumi.nobody.yaml: no such file"),
    "no client": (("up",), "name at least one client"),
    "client and all": (("up", "acme", "--all"), "name at least one client, or give --all"),
    "bad shard": (("up", "--all", "--shard", "3/2"), "'3/2' must be i/n"),
}


@pytest.mark.parametrize(("words", "line"), REFUSALS.values(), ids=REFUSALS)
def test_bad_words_get_one_line_and_start_nothing(agency, words, line: str) -> None:
    result = agency.run(*words)
    assert result.exit_code == 2
    assert line in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert agency.opened == []


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("clientName", '""', "clientName is missing or empty"),
        ("orgEmail", "nobody", "orgEmail 'nobody' must be an e-mail address"),
        ("tier", "huge", "tier 'huge' must be one of growth, scale, starter"),
    ],
)
def test_a_bad_setting_gets_one_line_and_starts_nothing(agency, key: str, value: str, line: str) -> None:
    path = agency.root / "Pulumi.acme.yaml"
    kept = [text for text in path.read_text().splitlines() if f":{key}:" not in text]
    path.write_text("\n".join([*kept, f"  client-environments:{key}: {value}"]))
    code, content = agency.json("up", "acme")
    assert code == 2
    assert line in content["clients"][0]["error"]
    assert agency.opened == []


def test_a_refusal_is_one_json_object_too(agency) -> None:
    code, content = agency.json("up", "--all", "--shard", "x")
    assert code == 2
    assert content["status"] == "failed"
    assert "--shard" in content["error"]


def test_new_writes_the_file_once_and_never_over_other_facts(agency) -> None:
    words = ("new", "blau", "--name", "Blau & Söhne: [x]", "--email", "a@blau.example", "--tier", "growth")
    assert agency.run(*words).exit_code == 0
    text = (agency.root / "Pulumi.blau.yaml").read_text()
    assert agency.json(*words)[1]["clients"][0]["written"] is False
    other = agency.run(*words[:-1], "scale")
    assert other.exit_code == 2
    assert "tier is 'growth' there, not 'scale'" in other.stderr
    assert (agency.root / "Pulumi.blau.yaml").read_text() == text


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("Bad", "--name", "B", "--email", "a@b.example", "--tier", "growth"), "must be a slug"),
        (("blau", "--name", " ", "--email", "a@b.example", "--tier", "growth"), "clientName is missing or empty"),
        (("blau", "--name", "B\nC", "--email", "a@b.example", "--tier", "growth"), "must be one line"),
        (("blau", "--name", "B", "--email", "a@b", "--tier", "growth"), "must be an e-mail address"),
        (("blau", "--name", "B", "--email", "a@b.example", "--tier", "no"), "tier 'no' must be one of"),
    ],
)
def test_new_refuses_bad_facts_and_writes_nothing(agency, words, line: str) -> None:
    result = agency.run("new", *words)
    assert result.exit_code == 2
    assert line in result.stderr
    assert not (agency.root / "Pulumi.blau.yaml").exists()


def test_outside_the_repository_it_says_where_to_go(tmp_path, monkeypatch, agency) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = agency.run("status", "--all")
    assert result.exit_code == 2
    assert "no Pulumi.yaml here" in result.stderr
