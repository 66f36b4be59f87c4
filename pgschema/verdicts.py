"""What the outcomes of attacks, and the answers of views and functions, say about isolation."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pgschema.calls import REFUSED, WRITES, Caller, Observation
from pgschema.controls import Right
from pgschema.isolation_cases import RAISED, Attack
from pgschema.report import CHANGED, SQLSTATE_LENGTH, Finding, outcome_text
from pgschema.surface import Function, Relation

DEPENDS = "the answer depends on another organization's rows"
WRITING = "runs with its owner's rights and writes: only a clone can try it"
SILENT = "runs with its owner's rights and answered to no made-up argument, not even of a member"
UNSTEADY = "runs with its owner's rights and answers differently each time"


def judge_calls(
    caller: Caller,
    outsiders: Sequence[Observation],
    without: Sequence[str],
    with_victim: Sequence[str],
    again: Sequence[str],
    insiders: Sequence[Observation],
    answers: Sequence[str],
) -> tuple[list[Finding], list[Finding]]:
    """Leaks, and what could not be judged.

    Args:
        caller: knows the database.
        outsiders: the queries of those that must learn nothing.
        without, with_victim, again: their answers without the victim's rows, with them, and once more.
        insiders, answers: the same calls by the victim's members.
    """
    leaks, unsteady = [], set()
    heard: dict[int, list[str]] = defaultdict(list)
    for each, first, second, third in zip(outsiders, without, with_victim, again, strict=True):
        heard[each.about.id].append(second)
        if second != third:
            unsteady.add(each.about.id)
            first, second = first.partition(" ")[0], second.partition(" ")[0]
        if outcome := _outcome(caller, each, first, second):
            verb = "execute" if isinstance(each.about, Function) else "select"
            leaks.append(Finding(each.about.short, each.actor.role, verb, each.actor.label, outcome))
    for each, answer in zip(insiders, answers, strict=True):
        heard[each.about.id].append(answer)
    found = {(finding.table, finding.role) for finding in leaks}
    functions = caller.functions()
    unjudged = [each for function in functions for each in _unheard(caller, function, heard[function.id], unsteady)]
    seen = {each.about.id: each.about for each in outsiders if isinstance(each.about, Relation)}
    for view in seen.values():
        if table := _unshown(caller, view):
            outcome = f"shows {table} with its owner's rights, which has no row to show"
            unjudged.append(Finding(view.short, "authenticated", "select", "", outcome))
    return leaks, [each for each in unjudged if (each.table, each.role) not in found]


def leaks_of(
    attacks: Sequence[Attack], effects: Sequence[Attack], wanted: Sequence[Right], results: Mapping[int, str]
) -> list[Finding]:
    """Attacks that got through, and statements of members that changed what is another's.

    Args:
        attacks: what has to be repelled.
        effects: calls by members.
        wanted: the rights that members have to keep.
        results: `id` of an attempt -> its outcome.
    """
    got_through = [each for each in attacks if not each.repelled(results[id(each)])]
    attempts = [*effects, *(attempt for right in wanted for attempt in right.attempts)]
    changed = [each for each in attempts if results[id(each)].startswith(CHANGED)]
    return [_finding(each, results[id(each)]) for each in (*got_through, *changed)]


def undecided(attacks: Sequence[Attack], wanted: Sequence[Right], results: Mapping[int, str]) -> list[Finding]:
    """Rows that a trigger refuses to members and outsiders alike: its rule was never the organization."""
    kept = {right.table for right in wanted if right.verb == "insert" and _kept(right, results)}
    tried = {right.table for right in wanted if right.verb == "insert"}
    outcome = "a trigger refuses the row to members too: give one that it takes in sql/checks/rows/{0}.sql"
    return [
        Finding(each.table, each.actor.role, each.verb, "", outcome.format(each.table))
        for each in attacks
        if each.verb == "insert" and results[id(each)] in RAISED and each.table in tried - kept
    ]


def lockouts(wanted: Sequence[Right], results: Mapping[int, str]) -> list[Finding]:
    """Rights that members, or the server, have lost."""
    missing = [right for right in wanted if not _kept(right, results)]
    blind = {right.table for right in missing if right.verb == "select" and right.actor.role == "authenticated"}
    return [
        Finding(right.table, right.actor.role, right.verb, right.actor.label, outcome_text(outcome))
        for right in missing
        # Who cannot see its rows cannot name them either.
        if (right.verb == "select" or right.table not in blind)
        and (outcome := results[id(right.attempts[0])]) not in RAISED
    ]


def _kept(right: Right, results: Mapping[int, str]) -> bool:
    outcomes = [results[id(each)] for each in right.attempts]
    return any(outcome in right.attempts[0].allowed or outcome.startswith(CHANGED) for outcome in outcomes)


def _finding(attack: Attack, outcome: str) -> Finding:
    return Finding(attack.table, attack.actor.role, attack.verb, attack.actor.label, outcome_text(outcome))


def _outcome(caller: Caller, observation: Observation, without: str, with_victim: str) -> str:
    """What an outsider learned, or nothing."""
    if without != with_victim and not (_failed(with_victim) and _failed(without)):
        return DEPENDS
    about = observation.about
    rows = 0 if _failed(with_victim) else int(with_victim.partition(" ")[0])
    # An outsider has no rows, so many of them are others', whoever's they are.
    if rows > 1 and _has_owners_rights(caller, about):
        return f"{rows} rows"
    if isinstance(about, Relation) and _failed(with_victim) and with_victim not in REFUSED:
        return f"failed with SQLSTATE {with_victim}"
    return ""


def _has_owners_rights(caller: Caller, about: Relation | Function) -> bool:
    """Whether it reads rows of organizations past the policies."""
    if isinstance(about, Function):
        return about.definer and about.set
    surface, sources = caller.surface, caller.surface.sources(about)
    private = any(surface.relations[each].sealed for each in sources)
    return not caller.attacker.by_caller(about) and (private or bool(sources & caller.attacker.tenancy.owned))


def _unshown(caller: Caller, view: Relation) -> str:
    """A table without a row that a view shows with its owner's rights, so that nothing is known about the view."""
    if caller.attacker.by_caller(view):
        return ""
    attacker, surface = caller.attacker, caller.surface
    tables = [surface.relations[each] for each in surface.sources(view) if surface.relations[each].is_table]
    empty = [each for each in tables if not attacker.rows.get((each.id, attacker.stage.victim.id)) and each.rows <= 0]
    return empty[0].full if empty else ""


def _unheard(caller: Caller, function: Function, answers: Iterable[str], unsteady: set[int]) -> Iterable[Finding]:
    """Functions with their owner's rights that proved nothing."""
    if not function.definer:
        return
    roles = [role for role in ("anon", "authenticated") if role in function.roles]
    if function.id in unsteady:
        reason = UNSTEADY
    elif WRITES in set(answers):
        if caller.attacker.clone:
            return  # called with its effects
        reason = WRITING
    elif not any(not _failed(answer) and not answer.startswith("0") for answer in answers):
        reason = SILENT
    else:
        return
    for role in roles:
        yield Finding(function.short, role, "execute", "", reason)


def _failed(answer: str) -> bool:
    return len(answer) == SQLSTATE_LENGTH and " " not in answer
