"""Which rows belong to an organization: the column that says so, or the parent that a row follows."""

from collections.abc import Mapping
from dataclasses import dataclass

from pgschema.insiders import Insiders
from pgschema.surface import Constraint, Relation, Surface

ACCOUNTS = "auth.users"


@dataclass(frozen=True)
class Tenancy:
    """How relations belong to organizations.

    Attributes:
        columns: relation id -> the column that holds the organization.
        owned: ids of tables that belong to an organization by themselves or through another table.
    """

    columns: Mapping[int, str]
    owned: frozenset[int]

    def column(self, relation: Relation) -> str | None:
        """The column that holds the organization."""
        return self.columns.get(relation.id)


def read_tenancy(surface: Surface, insiders: Insiders) -> Tenancy:
    """Find the tenant column of each relation from its keys, or by its name where no key says so."""
    root, members = surface.named(insiders.tenant["table"]), insiders.members
    columns: dict[int, str] = {}
    if root:
        columns[root.id] = insiders.tenant["key"]
    relations = list(surface.relations.values())
    for _ in range(len(relations)):
        before = len(columns)
        for each in relations:
            if each.id not in columns and (name := _by_key(each, columns) or _by_parent(each, columns)):
                columns[each.id] = name
        if len(columns) == before:
            break
    for each in relations:
        # Views and history tables have no keys.
        if each.id not in columns and each.column(members["tenant"]):
            columns[each.id] = members["tenant"]
    accounts = {each.id: account_columns(each, surface) for each in relations}
    return Tenancy(columns, _owned(relations, columns, accounts))


def _by_key(relation: Relation, columns: Mapping[int, str]) -> str | None:
    for key in relation.keys:
        theirs = columns.get(key.target)
        if theirs and theirs in key.theirs and key.target != relation.id:
            return key.columns[key.theirs.index(theirs)]
    return None


def _by_parent(relation: Relation, columns: Mapping[int, str]) -> str | None:
    return next((columns[each] for each in relation.parents if each in columns), None)


def account_columns(relation: Relation, surface: Surface) -> tuple[str, ...]:
    """The columns that hold an account."""
    return tuple(key.columns[0] for key in relation.keys if is_account(key, surface))


def is_account(key: Constraint, surface: Surface) -> bool:
    """Whether a foreign key points at the accounts."""
    target = surface.relations.get(key.target)
    return target is not None and target.full == ACCOUNTS


def _owned(
    relations: list[Relation], columns: Mapping[int, str], accounts: Mapping[int, tuple[str, ...]]
) -> frozenset[int]:
    owned = {each.id for each in relations if each.id in columns or accounts[each.id]}
    for _ in relations:
        more = {each.id for each in relations if owned & {*(key.target for key in each.keys), *each.parents}}
        if more <= owned:
            break
        owned |= more
    return frozenset(owned)
