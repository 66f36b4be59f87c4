"""What the catalog says by itself: privileges that no policy narrows, and objects that must not be used to find out."""

from collections.abc import Iterator

from pgschema.calls import reachable
from pgschema.isolation_cases import STORAGE, Attacker
from pgschema.report import Finding
from pgschema.sample_rows import rows_file
from pgschema.stage import NOBODY, SERVER
from pgschema.surface import UNFILTERED, VIEWS, Function, Relation, Surface
from pgschema.tenancy import ACCOUNTS

ANYBODY = "any account"
LABELS = {"anon": NOBODY.label, "authenticated": ANYBODY, "service_role": SERVER.label}
API = ("anon", "authenticated")


def granted(attacker: Attacker) -> Iterator[Finding]:
    """Leaks that the catalog shows."""
    for relation in attacker.surface.relations.values():
        yield from _relation(relation, attacker)
    for function in attacker.surface.functions:
        yield from _sealed(function, attacker)
    yield from _objects(attacker.surface)


def _relation(relation: Relation, attacker: Attacker) -> Iterator[Finding]:
    # Supabase gives everything on its storage to everybody; policies guard it.
    if relation.exposed and relation.schema != STORAGE:
        yield from _held(relation, "anon", "granted")
        yield from _unfiltered(relation)
    if relation.exposed and relation.kind == "f":
        yield from _held(relation, "authenticated", "a foreign table has no policies")
    if relation.sealed:
        for role in attacker.insiders.sealed.get(relation.schema, ()):
            yield from _held(relation, role, "granted")


def _objects(surface: Surface) -> Iterator[Finding]:
    """Sequences, schemas, publications and settings."""
    for sequence in surface.sequences:
        name = f"{sequence['schema']}.{sequence['name']}".removeprefix("public.")
        yield from (_finding(name, role, "update", "granted") for role in API if f"{role} UPDATE" in sequence["roles"])
    for schema in surface.schemas:
        creators = set(API) & set(schema["creators"]) if schema["exposed"] or schema["sealed"] else set()
        yield from (_finding(f"schema {schema['name']}", role, "create", "granted") for role in sorted(creators))
    for each in surface.published:
        relation = surface.relations.get(each["table"])
        name = relation.short if relation else str(each["table"])
        yield _finding(name, "anon", "publish", f"row-level security is off and {each['publication']} sends its rows")
    for setting in surface.settings:
        if setting["name"].startswith("request."):
            yield Finding(f"role {setting['holder']}", setting["holder"], f"set {setting['name']}", "", "preset")


def unjudged(attacker: Attacker) -> Iterator[Finding]:
    """What could not be tried, with what to do about it."""
    surface = attacker.surface
    for name in sorted(attacker.insiders.tables):
        if surface.named(name) is None:
            outcome = f"sql/checks/insiders.yaml names {name}, which the database does not have: correct the file"
            yield Finding(name.removeprefix("public."), "authenticated", "all", "", outcome)
    for setting in surface.settings:
        if setting["name"] == "pgrst.db_pre_request":
            outcome = "runs before every request and is not tried"
            yield Finding(setting["content"], setting["holder"], "execute", "", outcome)
    accounts = surface.named(ACCOUNTS)
    if accounts and (why := attacker.failures.get(accounts.id)):
        outcome = f"its triggers could not be tried by signing up ({why}): only a clone can try them"
        yield Finding(accounts.short, "anon", "insert", "", outcome)
    for relation in surface.exposed:
        yield from _rowless(relation, attacker)
    if not attacker.clone:
        for function in reachable(surface):
            yield from _uncalled(function, attacker)


def reaches(relation: Relation) -> list[str]:
    """The roles that anything can be read or written as: without a privilege or a policy there is nothing to try."""
    found = []
    for role in API:
        verbs = [verb for verb in ("SELECT", "INSERT", "UPDATE", "DELETE") if relation.may(role, verb)]
        if any(not relation.secured or relation.governed(role, verb) for verb in verbs):
            found.append(role)
    return found


def _held(relation: Relation, role: str, outcome: str) -> Iterator[Finding]:
    """The privileges on rows of a role that may hold none."""
    for verb in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        # A view that nothing can be written through is granted everything by default.
        if relation.may(role, verb) and (verb == "SELECT" or relation.kind not in VIEWS or relation.writable):
            yield _finding(relation.short, role, verb.lower(), outcome)


def _unfiltered(relation: Relation) -> Iterator[Finding]:
    if not relation.is_table:
        return
    for role in (*API, SERVER.role):
        # The server works past row-level security anyway, but empties no table.
        asked = UNFILTERED if role != SERVER.role else UNFILTERED[:1]
        if held := [verb.lower() for verb in asked if relation.may(role, verb)]:
            yield _finding(relation.short, role, ", ".join(held), "granted")


def _sealed(function: Function, attacker: Attacker) -> Iterator[Finding]:
    """Functions of schemas that no role of the API may look into, but the helpers of policies."""
    roles = attacker.insiders.sealed.get(function.schema, ())
    if not function.callable or function.supabase or not function.sealed:
        return
    for role in roles:
        helper = role == "authenticated" and function.full in attacker.insiders.helpers
        if role in function.roles and not helper:
            yield _finding(function.short, role, "execute", "not refused")


def _rowless(relation: Relation, attacker: Attacker) -> Iterator[Finding]:
    """A table that has no row to attack, though somebody could reach one."""
    roles = reaches(relation)
    if not roles:
        return
    role = "authenticated" if "authenticated" in roles else roles[0]
    if attacker.reach.reading(relation) and not attacker.clone:
        if relation.kind != "f":
            outcome = "reads from outside the database: only a clone can try it"
            yield _finding(relation.short, role, "select", outcome)
        return
    if relation.kind in VIEWS or relation.kind == "f" or _filled(relation, attacker):
        return
    path = f"sql/checks/rows/{relation.short}.sql"
    action = f"correct {path}" if rows_file(relation) else f"write {path}, an INSERT of one row"
    why = attacker.failures.get(relation.id, "")
    reason = f"no row could be made for it{f' ({why})' if why else ''}: {action}"
    yield _finding(relation.short, role, "all", reason)


def _filled(relation: Relation, attacker: Attacker) -> bool:
    """Whether the table, or one whose rows are also its own, has a row of the victim."""
    children = [each for each in attacker.surface.relations.values() if relation.id in each.parents]
    own = (relation.id, attacker.stage.victim.id)
    return bool(attacker.rows.get(own)) or any(_filled(each, attacker) for each in children)


def _uncalled(function: Function, attacker: Attacker) -> Iterator[Finding]:
    """Functions that run with their owner's rights and that a live database must not be asked."""
    unsafe = function.id in attacker.reach.functions
    if not function.definer or not (function.kind == "p" or unsafe):
        return
    reason = "may reach outside or move a sequence" if unsafe else "is a procedure, which may write"
    for role in API:
        if role in function.roles:
            outcome = f"runs with its owner's rights and {reason}: only a clone can try it"
            yield _finding(function.short, role, "execute", outcome)


def _finding(name: str, role: str, verb: str, outcome: str) -> Finding:
    return Finding(name, role, verb, LABELS.get(role, ""), outcome)


def large_and_unindexed(surface: Surface, tenants: dict[int, str], least: int = 100_000) -> list[Relation]:
    """Tables so large that attacks on them cost time, without an index that begins with the tenant column."""
    return [
        each
        for each in surface.exposed
        if each.is_table and each.rows >= least and tenants.get(each.id) not in each.indexed
    ]
