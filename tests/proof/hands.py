"""For each property of our resources, a change made to the service or the database behind our back."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.emulators.store import Store
from local.emulators.supabase.project import KIND
from pgschema.catalog import read_snapshot
from tests.automation.local_client import Client
from tests.supabase.test_project_settings import HANDS as SETTING_HANDS

Name = tuple[str, ...]
"""A resource, the path of one of its properties, and below it the object's name where the property is a mapping."""

# What nobody can change behind our back, or nobody can see changed; each with its reason.
UNSEEN = {
    "identity, which no service lets anybody change": {
        ("endpoints", "project_ref"),
        ("secret-key", "project_ref"),
        ("settings", "project_ref"),
        ("owner", "project_ref"),
        ("schema", "project_ref"),
    },
    "steers our own operation and exists nowhere else": {
        ("project", "adopt"),
        ("project", "timeout"),
        ("project", "needed_variables"),
        ("project", "unknown_schemas"),
        ("project", "client_id"),
        ("endpoints", "timeout"),
        ("settings", "timeout"),
        ("settings", "site_id"),
        ("settings", "operator_addresses"),
        ("schema", "timeout"),
        ("owner", "timeout"),
        ("owner", "by_mail"),
        ("owner", "invitation"),
    },
    "generation of a password that the service tells nobody": {("settings", "smtp_generation")},
}


@dataclass
class Home:
    """One client's environment, reached as an outsider reaches it."""

    client: Client

    def __post_init__(self) -> None:
        state = self.client.state()
        self.ref = str(state["project"]["id"])
        self.password = str(state["db-password"]["outputs"]["result"])
        self.key = str(state["secret-key"]["id"])
        self.owner = str(state["owner"]["id"])

    def manage(self, method: str, path: str, body: Any = None) -> None:
        answer = self.client.emulators.supabase(method, f"/v1/projects/{self.ref}{path}", json=body)
        answer.raise_for_status()

    def document(self) -> dict[str, Any]:
        """What the service keeps of the project."""
        return self._store().get(KIND, self.ref) or {}

    def put_back(self, document: dict[str, Any]) -> None:
        """Make the service's keep of the project what it was, or what only the service itself can make it."""
        self._store().put(KIND, self.ref, document)

    def _store(self) -> Store:
        return Store(self.client.emulators.state / "documents.sqlite")


@dataclass(frozen=True)
class Hand:
    """A change, and what a preview names then; `undo` where it takes more than `Home.put_back`."""

    names: frozenset[Name]
    change: Callable[[Home], Any]
    undo: Callable[[Home], Any] | None = None


def stays(_home: Home) -> None:
    """Rows stay changed: what comes after does not hang on them."""


def _one(resource: str, name: str, change: Callable[[Home], Any], undo: Callable[[Home], Any] | None = None) -> Hand:
    return Hand(frozenset({(resource, name)}), change, undo)


def _managed(method: str, path: str, body: Any) -> Callable[[Home], Any]:
    return lambda home: home.manage(method, path, body)


def _sql(statement: str) -> Callable[[Home], Any]:
    return lambda home: home.client.query(statement.format(owner=getattr(home, "owner", "")))


def _project() -> Iterator[Hand]:
    yield _one("project", "paused", _managed("POST", "/pause", None), _managed("POST", "/restore", None))
    yield Hand(
        frozenset((resource, "db_password") for resource in ("project", "schema", "owner")),
        _managed("PATCH", "/database/password", {"password": "another-password-of-somebody"}),
        lambda home: home.manage("PATCH", "/database/password", {"password": home.password}),
    )
    yield _one("project", "project_name", _managed("PATCH", "", {"name": "a-name-of-somebodys"}))
    size = {"addon_type": "compute_instance", "addon_variant": "ci_large"}
    yield _one("project", "instance_size", _managed("PATCH", "/billing/addons", size))


def _key() -> Iterator[Hand]:
    for part, name in {"generation": "stack_g7", "key_name": "somebodys_g1"}.items():
        yield _one("secret-key", part, _rename_key(name))


def _rename_key(name: str) -> Callable[[Home], Any]:
    return lambda home: home.manage("PATCH", f"/api-keys/{home.key}", {"name": name})


def _settings() -> Iterator[Hand]:
    for name, (method, path, body, _) in SETTING_HANDS.items():
        yield _one("settings", name, _managed(method, path, body))


def _owner() -> Iterator[Hand]:
    rows = {"name": "Somebody", "slug": "somebody", "plan": "scale", "billing_email": "somebody@else.example"}
    for column, value in rows.items():
        statement = f"update organizations set {column} = '{value}' where id = '{{owner}}'"
        yield _one("owner", "contact" if column == "billing_email" else column, _sql(statement), stays)
    for column, value in {"role": "member", "status": "disabled", "email": "somebody@else.example"}.items():
        statement = f"update users set {column} = '{value}' where organization_id = '{{owner}}'"
        yield _one("owner", column, _sql(statement), stays)


def _schema() -> Iterator[Hand]:
    for name, value in {"client_id": "somebody", "project_name": "somebodys"}.items():
        yield _one("schema", name, _sql(f"update private.environment_mark set {name} = '{value}'"), stays)


HANDS: tuple[Hand, ...] = (*_project(), *_key(), *_settings(), *_owner(), *_schema())


def immovable() -> dict[str, Callable[[Home], Any]]:
    """What cannot be put back: a preview refuses, and names it."""
    return {
        "organization": lambda home: home.put_back({**home.document(), "organization_slug": "another-agency"}),
        "region": lambda home: home.put_back({**home.document(), "region": "us-east-1"}),
    }


def catalog_hands() -> dict[str, tuple[frozenset[str], str]]:
    """Kind of object -> all objects of that kind and statements that change each; in an order that lets all work."""
    snapshot, found = read_snapshot(), {}
    for kind, statement in CHANGES.items():
        own = {name: text for name, text in snapshot.items() if name.startswith(f"{kind} ")}
        found[kind] = frozenset(own), "".join(statement(name.partition(" ")[2], text) for name, text in own.items())
    return found


def _column(path: str, definition: str) -> str:
    table, _, column = path.rpartition(".")
    type_ = re.split(r" (?:not null|default|collate)\b", definition)[0]
    default = "drop default" if " default " in definition else f"set default current_user::text::{type_}"
    return f"alter table {table} alter column {column} {default};"


def _of_table(change: str) -> Callable[[str, str], str]:
    def statement(path: str, _definition: str) -> str:
        table, _, name = path.rpartition(".")
        return change.format(table=table, name=name, schema=table.partition(".")[0])

    return statement


CHANGES: dict[str, Callable[[str, str], str]] = {
    # Roles are the whole server's: UNDONE takes this back.
    "role": lambda path, _: f"alter role {path} createdb;",
    "schema": lambda path, _: f"grant create on schema {path} to anon;",
    "column": _column,
    "function": lambda path, _: f"alter function {path} cost 99;",
    "grants": lambda path, _: f"grant references on {path} to anon;",
    "rls": lambda path, text: f"alter table {path} {'enable' if text == 'disabled' else 'disable'} row level security;",
    "policy": _of_table("alter policy {name} on {table} to anon;"),
    "trigger": _of_table("alter table {table} disable trigger {name};"),
    "index": _of_table("drop index {schema}.{name};"),
    "constraint": _of_table("alter table {table} drop constraint if exists {name} cascade;"),
    "table": lambda path, _: f"drop table {path} cascade;",
}


UNDONE = "".join(
    f"alter role {name.partition(' ')[2]} nocreatedb;" for name in read_snapshot() if name.startswith("role ")
)


def ledger_change(version: str) -> str:
    """A migration whose text is not what the file says."""
    statements = json.dumps(["select 1"]).replace("[", "{").replace("]", "}")
    return f"update supabase_migrations.schema_migrations set statements = '{statements}' where version = '{version}'"
