"""What is kept of a stack, and that no secret is kept in clear."""

import stat
from pathlib import Path

import pytest

from common.errors import OperatorError
from local.rehearsal.engine import Rehearsal
from tests.rehearsal.conftest import STACK, Bench

SECRETS = """
secret = pulumi.Output.secret("hush-hush")
a = Thing("a", secret=secret)
Thing("b", secret={"deep": [a.minted, "open"]})
pulumi.export("secret", secret.apply(lambda text: text + "!"))
pulumi.export("minted", a.minted)
pulumi.export("nested", {"deep": a.secret})
pulumi.export("open", "for all")
"""


def test_no_secret_is_written_in_clear(bench: Bench) -> None:
    bench.up(SECRETS)
    bench.run("refresh")
    written = b"".join(path.read_bytes() for path in (bench.root / ".local").rglob("*") if path.is_file())
    assert b"hush" not in written
    assert b"minted-" not in written
    assert b"for all" in written
    assert bench.outcome.outputs["secret"] == "[secret]"
    path = bench.root / f".local/rehearsal/{STACK}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_secrets_last_and_stay_secret(bench: Bench) -> None:
    bench.up(SECRETS)
    outcome = bench.open().outputs()
    nested = {"deep": "hush-hush"}
    assert outcome.outputs == {"secret": "hush-hush!", "minted": "minted-a", "nested": nested, "open": "for all"}
    assert outcome.secret_outputs == {"secret", "minted", "nested"}
    a, b = (item["outputs"] for item in bench.open().resources())
    assert (a["secret"], a["minted"]) == ("[secret]", "[secret]")
    assert b["secret"] == {"deep": "[secret]"}
    assert bench.open().resources(secrets=True)[0]["outputs"]["secret"] == "hush-hush"
    assert bench.up() == ["same a", "same b"]


def test_an_error_tells_no_secret(bench: Bench) -> None:
    bench.program('Thing("a", secret=pulumi.Output.secret("hush-hush"), fail=["create"])')
    bench.run("up", fails=True)
    assert bench.outcome.error == "RuntimeError: a does not create with [secret]"
    assert "hush" not in str(bench.outcome)


def test_another_passphrase_opens_nothing_and_changes_nothing(bench: Bench) -> None:
    bench.up(SECRETS)
    before = bench.state()
    for passphrase, said in (("another", "does not open the stack's state"), (None, "is not set")):
        environment = {key: value for key, value in bench.environment.items() if key != "PULUMI_CONFIG_PASSPHRASE"}
        if passphrase:
            environment["PULUMI_CONFIG_PASSPHRASE"] = passphrase
        engine = Rehearsal(bench.root, STACK, environment, bench.root / ".local/rehearsal")
        with pytest.raises(OperatorError, match=said):
            engine.up()
    assert bench.state() == before


def test_a_damaged_state_is_named_and_left_alone(bench: Bench) -> None:
    bench.up('Thing("a")')
    path = bench.root / f".local/rehearsal/{STACK}.json"
    path.write_text("{")
    with pytest.raises(OperatorError, match="is damaged"):
        bench.engine.up()
    assert path.read_text() == "{"


def test_a_preview_writes_nothing(bench: Bench) -> None:
    bench.preview('Thing("a")')
    assert not (bench.root / f".local/rehearsal/{STACK}.json").exists()
    assert bench.engine.destroy().steps == ()
    assert bench.engine.resources() == []
    bench.up()
    before = bench.state()
    bench.preview('Thing("a", 2)', refresh=True)
    assert bench.state() == before


@pytest.mark.parametrize("name", ["SUPABASE_API_URL", "GITHUB_BASE_URL", "VERCEL_EMULATOR_URL"])
@pytest.mark.parametrize("value", ["https://api.example.com", "http://127.0.0.1.example.com", "", None])
def test_anything_but_this_machine_is_refused(bench: Bench, tmp_path: Path, name: str, value: str | None) -> None:
    environment = {key: text for key, text in bench.environment.items() if key != name}
    if value is not None:
        environment[name] = value
    with pytest.raises(OperatorError, match=f"{name}: must be an address of this machine"):
        Rehearsal(bench.root, STACK, environment, tmp_path)


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ('pulumi.StackReference("organization/tiny/other")', "organization/tiny/other: ReadResourceRequest"),
        ('Thing("a", opts=Options(transforms=[lambda args: None]))', "a: a transform"),
        (
            'Thing("a", opts=Options(hooks=pulumi.ResourceHookBinding(before_create=[lambda args: None])))',
            "RegisterResourceHookRequest",
        ),
        ('import pulumi_github\npulumi_github.get_user(username="x")', "github:index/getUser:getUser: "),
        ('import pulumi_random\npulumi_random.RandomPet("pet")', "pet: random:index/randomPet:RandomPet"),
        ('import pulumi_github\npulumi_github.Provider("own")', "own: an explicit provider"),
    ],
)
def test_what_rehearsal_cannot_do_is_said(bench: Bench, program: str, what: str) -> None:
    bench.program(program)
    assert bench.run("up", fails=True) == []
    assert what in str(bench.outcome.error)
    assert "not supported in rehearsal" in str(bench.outcome.error)
