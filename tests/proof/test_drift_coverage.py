"""Every property of every resource of ours, changed by hand: a preview with refresh names exactly that property."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from automation.engine import Outcome
from automation.workspace import open_engine
from components.schema.resource import INPUTS
from components.supabase import api_key, endpoints, owner, project, settings
from components.urn import is_component
from local.emulators.supabase import organizations
from local.rehearsal.diff import parsed
from pgschema.catalog import read_snapshot
from pgschema.migrations import read_migrations
from tests.automation.local_client import Client, MakeClient
from tests.proof import hands
from tests.proof.hands import HANDS, UNSEEN, Home, Name

RESOURCES = {
    "project": project.RULES,
    "endpoints": endpoints.RULES,
    "secret-key": api_key.RULES,
    "settings": settings.RULES,
    "owner": owner.RULES,
    "schema": INPUTS,
}
EVERYTHING = {
    "mailer": {"host": "mail.agency.example", "user": "agency", "sender": "no-reply@agency.example"},
    "allowedAddresses": ["127.0.0.0/8", "2001:db8::/32"],
    "operatorAddresses": ["127.0.0.1"],
    "sslEnforcement": True,
    "dataApiSchemas": ["public"],
    "tiers": {"starter": {"instanceSize": "small", "pointInTimeRecovery": 7, "ipv4": True}},
}
QUIET = {"same", "read", "refresh"}
# Pulumi's engine tells a secret as a mask, and so not that its new value is one that a preview cannot know.
MASKED = {("site-api-url", "value"), ("site-publishable-key", "value"), ("site-secret-key", "value")}


@pytest.fixture
def make_home(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Home]:
    """Brings up a client of whom everything is configured that can be."""
    monkeypatch.setenv("SMTP_PASSWORD", "made-up-for-the-mailer")

    def make(name: str) -> Home:
        client = make_client(name)
        configure(client.root / "Pulumi.local.yaml")
        code, made = client("up")
        assert (code, made["error"]) == (0, None)
        return Home(client)

    return make


def configure(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    content["config"] |= {f"client-environments:{name}": value for name, value in EVERYTHING.items()}
    path.write_text(yaml.safe_dump(content))


def look(client: Client) -> Outcome:
    return open_engine(client.name, local=True, root=client.root).preview(refresh=True)


def named(client: Client) -> set[Name]:
    """What a preview with refresh says would change, beyond what only follows from it."""
    outcome = look(client)
    assert outcome.error is None
    return set(_names(outcome)) - MASKED


def _names(outcome: Outcome) -> Iterator[Name]:
    for step in outcome.steps:
        if step.operation in QUIET or step.unknown_only or is_component(step.type):
            continue
        for path in map(parsed, step.changed):
            # What became of an object stands after its name.
            if path[0] == "isolation" or str(path[-1]).startswith("leak "):
                continue  # what a changed object lets whom do, beside the object itself
            inside = [str(path[1]).partition(": ")[0]] if path[0] in {"catalog", "migrations"} else []
            yield (step.name, str(path[0]), *inside)


def covered() -> set[Name]:
    """Resource and property of everything that a test below changes by hand."""
    by_hand = {name for hand in HANDS for name in hand.names}
    judged = {("schema", name) for name in ("catalog", "migrations", "isolation")}
    return by_hand | {("project", name) for name in hands.immovable()} | judged


def test_every_property_has_a_hand_that_changes_it_or_a_reason_why_none_can() -> None:
    every = {(resource, name) for resource, names in RESOURCES.items() for name in names}
    unseen = set().union(*UNSEEN.values())
    assert covered() | unseen == every
    assert not covered() & unseen
    objects = read_snapshot().keys()
    assert set().union(*(names for names, _ in hands.catalog_hands().values())) == objects
    print(f"\ndrift: a hand for {len(covered())} of {len(every) - len(unseen)} properties that can drift, and for")  # noqa: T201
    print(f"{len(objects)} objects of the catalog; {len(unseen)} cannot: {'; '.join(UNSEEN)}")  # noqa: T201


@pytest.mark.long
def test_a_property_changed_by_hand_is_named_alone_and_put_back(make_home: Callable[[str], Home]) -> None:
    home = make_home("byhand")
    made = home.document()
    every = {name for hand in HANDS for name in hand.names}
    missed: dict[str, set[Name]] = {}
    stays: set[Name] = set()
    for hand in HANDS:
        hand.change(home)
        after = named(home.client)
        if after != hand.names | stays:
            missed[str(sorted(hand.names))] = after - stays
        (hand.undo or (lambda home: home.put_back(made)))(home)
        stays |= hand.names if hand.undo is hands.stays else set()
    share = (len(HANDS) - len(missed)) / len(HANDS)
    print(f"\ndrift: {len(every)} properties changed by hand, {share:.0%} of the changes named, and nothing else")  # noqa: T201
    assert not missed
    code, repaired = home.client("up", "--refresh")
    assert (code, repaired["error"]) == (0, None)
    assert named(home.client) == set()


@pytest.mark.long
def test_all_at_once_is_named_and_put_back(make_home: Callable[[str], Home]) -> None:
    home = make_home("atonce")
    chosen = [hand for hand in HANDS if hand.undo is None or hand.undo is hands.stays]
    for hand in chosen:
        hand.change(home)
    assert {name[0] for name in named(home.client)} == {name[0] for hand in chosen for name in hand.names}
    code, repaired = home.client("up", "--refresh")
    assert (code, repaired["error"]) == (0, None)
    assert named(home.client) == set()


@pytest.mark.long
@pytest.mark.parametrize("name", hands.immovable())
def test_what_cannot_be_put_back_is_refused_by_name(
    make_home: Callable[[str], Home], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(organizations, "known", lambda slug: slug)
    home = make_home(f"moved-{name}")
    hands.immovable()[name](home)
    outcome = look(home.client)
    assert f"{name} '" in str(outcome.error)
    assert "cannot change: make a new client" in str(outcome.error)


@pytest.mark.long
def test_every_object_of_the_catalog_and_every_migration_is_named(
    make_home: Callable[[str], Home], request: pytest.FixtureRequest
) -> None:
    """Kind by kind, each object of a kind changed in one go; what was changed stays changed."""
    home = make_home("catalog")
    request.addfinalizer(lambda: home.client.query(hands.UNDONE))
    stays: set[Name] = set()
    for kind, (objects, statements) in hands.catalog_hands().items():
        home.client.query(statements)
        after = named(home.client)
        assert after - stays == {("schema", "catalog", name) for name in objects}, kind
        assert not stays - after
        stays = after
    for version in (each.version for each in read_migrations()):
        home.client.query(hands.ledger_change(version))
        after = named(home.client)
        assert after - stays == {("schema", "migrations", version)}
        stays = after
    print(f"\ndrift: {len(stays)} of {len(read_snapshot()) + len(read_migrations())} objects and migrations named")  # noqa: T201
    code, refused = home.client("up", "--refresh")
    assert (code, "was edited after it had been applied" in refused["error"]) == (2, True)
