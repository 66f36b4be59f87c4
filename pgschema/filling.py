"""Which tables the isolation check fills, and in which order."""

from pgschema.surface import Relation, Surface
from pgschema.tenancy import ACCOUNTS


def to_fill(surface: Surface) -> list[Relation]:
    """The tables that get rows, parents first: exposed ones and those that they refer to."""
    parents = {parent for each in surface.relations.values() for parent in each.parents}
    shown = {source for each in surface.exposed for source in surface.sources(each)}
    wanted = {each.id for each in surface.exposed if each.is_table}
    # Accounts are made on their own.
    wanted |= {each for each in shown if surface.relations[each].is_table and surface.relations[each].schema != "auth"}
    while True:
        targets = {key.target for each in wanted for key in surface.relations[each].keys}
        if not (more := (targets & set(surface.relations)) - wanted):
            break
        wanted |= more
    chosen = [
        each
        for each in surface.relations.values()
        # Rows of a partitioned table are its partitions'.
        if each.id in wanted and each.full != ACCOUNTS and not (each.kind == "p" and each.id in parents)
    ]
    return _parents_first(chosen)


def _parents_first(relations: list[Relation]) -> list[Relation]:
    left, done, ordered = list(relations), set[int](), list[Relation]()
    ids = {each.id for each in relations}
    while left:
        ready = [each for each in left if not (_needs(each) & ids) - done - {each.id}]
        # Tables that require each other have deferrable keys, or nobody could fill them.
        for each in ready or left[:1]:
            ordered.append(each)
            done.add(each.id)
            left.remove(each)
    return ordered


def _needs(relation: Relation) -> set[int]:
    required = {column.name for column in relation.columns if column.required}
    return {key.target for key in relation.keys if required & set(key.columns)}
