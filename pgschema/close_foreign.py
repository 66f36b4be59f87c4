"""Close foreign objects to the API.

Foreign is what `sql/snapshot.json` does not hold. What such an object lets anon, authenticated and PUBLIC do is listed,
and taken away right by right, each in a savepoint of its own. Nothing else changes: no row-level security, no other
role, no object of ours, nothing that `sql/checks/allowed.yaml` names.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from pgschema import catalog
from pgschema.allowed import allowed_rights
from pgschema.catalog import Catalog, kind_of, path_of
from pgschema.errors import database_error
from pgschema.rights import PUBLIC, Right, owner, rights

TAKEN_FROM = frozenset({PUBLIC, "anon", "authenticated"})
NOUNS = {
    "grants": "table",
    "function": "routine",
    "procedure": "routine",
    "aggregate": "routine",
    "schema": "schema",
    "type": "type",
    "server": "foreign server",
    "database": "database",
    "parameter": "parameter",
}


@dataclass(frozen=True)
class Opening:
    """One right that one of these roles has on a foreign object.

    Attributes:
        name: the object of the catalog that tells the right.
        target: the object as GRANT and REVOKE take it.
        owner: whose object it is.
        right: role and privilege.
    """

    name: str
    target: str
    owner: str
    right: Right

    @property
    def revoke(self) -> str:
        """The statement that closes it. Without CASCADE, which would take rights from other roles."""
        return f"revoke {self.right.what} on {self.target} from {self.right.role}"

    def __str__(self) -> str:
        return f"{self.target}, owner {self.owner}: {self.right.role} may {self.right.what.lower()}"


@dataclass
class Closed:
    """What became of the foreign objects.

    Attributes:
        open: a line for each opening that was found.
        closed: a line for each opening that is gone.
        undo: the GRANTs that bring back what was closed.
        left: a line, with the reason, for each opening that is still there.
    """

    open: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def openings(live: Catalog, expected: Catalog, allowed: catalog.Allowed | None = None) -> list[Opening]:
    """List what foreign objects let the API's anonymous and signed-in roles do, unless it is allowed."""
    own = catalog.ours(live, expected)
    on_purpose = allowed_rights() if allowed is None else allowed
    found = []
    for name in sorted(live.keys() - own.keys()):
        if kind_of(name) not in NOUNS or catalog.is_archived(name, live):
            continue
        noun = "sequence" if f"sequence {path_of(name)}" in live else NOUNS[kind_of(name)]
        for right in rights(live[name]):
            if right.role in TAKEN_FROM and not catalog.is_allowed(name, right, on_purpose):
                found.append(Opening(name, f"{noun} {path_of(name)}", owner(live[name]), right))
    return found


def close(
    connection: psycopg.Connection[Any],
    recorded: Iterable[str] = (),
    shown: Collection[str] | None = None,
) -> Closed:
    """Find the openings of foreign objects, and take away those that an operator has seen.

    Args:
        connection: as the role that deploys, outside a transaction; committed when something was closed.
        recorded: objects that the stack's state knows: not foreign although the snapshot lacks them.
        shown: lines of `Closed.open`; without it nothing is changed.

    Raises:
        OperatorError: the database refused or went away; nothing was closed.
    """
    try:
        # REVOKE waits for whoever changes the object, and must not hold up others for long.
        connection.execute("set local lock_timeout = '5s'")
        live = _read(connection)
        known = {
            **catalog.read_snapshot(),
            **{name: live[name] for name in recorded if name in live},
        }
        found = openings(live, known)
        result = Closed(open=[str(each) for each in found])
        if wanted := [each for each in found if str(each) in (shown or ())]:
            reasons = {each: _try(connection, each) for each in wanted}
            after = _read(connection)
            for each, reason in reasons.items():
                _judge(result, each, reason, after)
            connection.commit()
    except psycopg.Error as error:
        raise database_error(error, "Nothing was closed.") from error
    finally:
        if not connection.closed:
            connection.rollback()
    return result


def _read(connection: psycopg.Connection[Any]) -> dict[str, str]:
    connection.execute("set local search_path = ''")
    return dict(connection.execute(catalog.query()).fetchall())


def _try(connection: psycopg.Connection[Any], opening: Opening) -> str:
    """Take one opening away in a savepoint; return why it could not be done, as far as Postgres says."""
    try:
        with connection.transaction():
            connection.execute(opening.revoke.encode())
    except psycopg.errors.DependentObjectsStillExist:
        return f"{opening.right.role} passed it on to others; revoke that first"
    except psycopg.DatabaseError as error:
        if error.sqlstate is None:
            raise
        return f"{error.diag.message_primary} (SQLSTATE {error.sqlstate})"
    # A REVOKE of what somebody else granted only warns.
    return f"only {opening.owner} or a superuser may take it"


def _judge(result: Closed, opening: Opening, reason: str, after: Catalog) -> None:
    """Tell from the rights afterwards what one REVOKE did."""
    if opening.right in rights(after.get(opening.name, "")):
        result.left.append(f"{opening} ({reason})")
    else:
        result.closed.append(str(opening))
        result.undo.append(opening.right.grant(opening.target))
