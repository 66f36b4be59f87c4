"""Changes by hand, kind by kind, each made to every object of the snapshot that it fits."""

import re
from collections.abc import Callable

from pgschema.catalog import read_snapshot

Mutation = Callable[[str, str], str]
"""From an object's path and definition to the SQL that changes it; nothing where it does not fit."""


def _policy(command: str) -> Mutation:
    def mutate(path: str, definition: str) -> str:
        schema, table, name = path.split(".")
        return command.format(name=name, table=f"{schema}.{table}", verb=definition.split()[1])

    return mutate


def _open(path: str, definition: str) -> str:
    clauses = (f"{clause} (true)" for clause in ("using", "with check") if f" {clause} (" in definition)
    return _policy("alter policy {name} on {table} " + " ".join(clauses))(path, definition)


def _restrictive(path: str, definition: str) -> str:
    _, verb, rest = definition.split(" ", 2)
    again = f"create policy {{name}} on {{table}} as restrictive for {verb} {rest}"
    return _policy("drop policy {name} on {table};" + again)(path, definition)


def _body(path: str, definition: str) -> str:
    text = definition.rpartition("rights: ")[0]
    condition = "new.updated_at := clock_timestamp();" if "RETURNS trigger" in text else " and status = 'active'"
    changed = text.replace(condition, "")
    return changed if changed != text else ""


def _column(command: str, fits: str = "") -> Mutation:
    def mutate(path: str, definition: str) -> str:
        table, _, name = path.rpartition(".")
        return f"alter table {table} alter {name} {command}" if re.search(fits, definition) else ""

    return mutate


def _part(command: str) -> Mutation:
    """On a constraint or trigger, which have their table's name before theirs."""
    return lambda path, _: command.format(table=path.rpartition(".")[0], name=path.rpartition(".")[2])


def _each(command: str) -> Mutation:
    return lambda path, _: command.format(path=path, short=path.rpartition(".")[2], api=API)


def _given_on(path: str, _: str) -> str:
    give = f"grant delete on {path} to"
    passed_on = f"{give} authenticated with grant option; set local role authenticated; {give} anon; reset role"
    return passed_on if path.startswith("public.") else ""


API = "anon, authenticated, service_role"
SECURITY: dict[str, tuple[str, Mutation]] = {
    "row-level security off": (
        "rls",
        lambda path, text: f"alter table {path} disable row level security" if text == "enabled" else "",
    ),
    "row-level security forced": ("rls", _each("alter table {path} force row level security")),
    "policy opened": ("policy", _open),
    "policy for everybody": ("policy", _policy("alter policy {name} on {table} to public")),
    "policy dropped": ("policy", _policy("drop policy {name} on {table}")),
    "policy made restrictive": ("policy", _restrictive),
    "policy renamed": ("policy", _policy('alter policy {name} on {table} rename to "It\'s open: ""{name}"""')),
    "rights for anon": ("grants", _each("grant select on {path} to anon")),
    "rights for everybody": ("grants", _each("grant all on {path} to public")),
    "rights on one column": ("grants", lambda path, _: f"grant select ({KEY.get(path, 'id')}) on {path} to anon"),
    "rights to give on": ("grants", _given_on),
    "rights taken away": ("grants", _each("revoke all on {path} from {api}; grant trigger on {path} to anon")),
    "owned by the API": ("grants", _each("alter table {path} owner to service_role")),
    "helper without its condition": ("function", _body),
    "helper as its caller": ("function", _each("alter function {path} security invoker strict volatile")),
    "helper for everybody": ("function", _each("grant execute on function {path} to public")),
    "helper for nobody": ("function", _each("alter function {path} cost 7; revoke all on function {path} from {api}")),
    "helper with a free search path": ("function", _each("alter function {path} reset all")),
    "helper owned by the API": ("function", _each("alter function {path} owner to authenticated")),
    "schema for everybody": ("schema", _each("grant all on schema {path} to public")),
}  # fmt: skip
REPORTED: dict[str, tuple[str, Mutation]] = {
    "default changed": ("column", _column("set default null", "default")),
    "default dropped": ("column", _column("drop default", "default")),
    "null forbidden": ("column", _column("set not null", "^(?!.*not null)")),
    "type changed": ("column", _column("type bigint", "^integer")),
    "collation changed": ("column", _column('type text collate "C"', "^text$")),
    "index dropped": ("index", _each("drop index public.{short}")),
    "index renamed": ("index", _each("alter index public.{short} rename to {short}_old")),
    "constraint dropped": ("constraint", _part("alter table {table} drop constraint if exists {name} cascade")),
    "constraint renamed": ("constraint", _part("alter table {table} rename constraint {name} to old_{name}")),
    "trigger dropped": ("trigger", _part("drop trigger {name} on {table}")),
    "trigger disabled": ("trigger", _part("alter table {table} disable trigger {name}")),
    "trigger for replicas": ("trigger", _part("alter table {table} enable replica trigger {name}")),
}
KEY = {
    "private.environment_mark": "singleton",
    "private.fingerprint_key": "singleton",
    "private.erased_addresses": "fingerprint",
    "private.detached_sends": "send_id",
}


def mutants(kind: str) -> dict[str, str]:
    """Each object that a kind of change fits, with the SQL that changes it."""
    of, mutation = {**SECURITY, **REPORTED}[kind]
    objects = (name for name in read_snapshot() if name.startswith(f"{of} "))
    made = {name: mutation(name.split(" ", 1)[1], read_snapshot()[name]) for name in objects}
    return {name: change for name, change in made.items() if change}
