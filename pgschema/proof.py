"""One run of the isolation check, in four round trips: the facts, the values that fit, the rows, the attacks."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from pgschema import privileges
from pgschema.allowed import read_allowed, take_out, unused
from pgschema.calls import Caller, Observation
from pgschema.catalog import read_snapshot
from pgschema.controls import Right, rights
from pgschema.insiders import read_insiders
from pgschema.isolation_cases import Attack, Attacker
from pgschema.migrations import SQL
from pgschema.reach import Reach, read_reach
from pgschema.report import Finding, Report, grouped
from pgschema.sample_rows import Planner, Row, place, to_fill
from pgschema.shadow import copy, copy_rows, count_on_insert, has_key, to_copy
from pgschema.stage import Actor, Organization, Stage
from pgschema.surface import VIEWS, Relation, Surface, literal, query, quoted
from pgschema.tenancy import ACCOUNTS, Tenancy, account_columns, read_tenancy
from pgschema.verdicts import judge_calls, leaks_of, lockouts, undecided

# As the Data API has it; copies of tables come last.
PATH = "set local search_path = public, extensions, pg_temp"
CLAIMS = re.compile(r"->>?\s*'([^']+)'")
LARGE = 100_000
# Parts of every token, which nobody chooses.
RESERVED = frozenset({"sub", "role", "user_metadata", "app_metadata"})


class Proof:
    """Everything that one run knows; see `run`."""

    def __init__(
        self, connection: psycopg.Connection[Any], session: Sequence[str], *, clone: bool, final: bool
    ) -> None:
        self.connection, self.session, self.clone, self.final = connection, session, clone, final
        self.stage, self.entries = Stage.new(), read_allowed()
        # What members and the server may not do in their own organization is a rule about the newest migration: an
        # older one may still let them, and a client that comes from there has to be upgraded.
        self.insiders = read_insiders() if final else replace(read_insiders(), refused=())
        self.failures: dict[int, str] = {}
        self.rows: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
        self.borrowed: set[int] = set()
        self.own: dict[int, int] = {}
        self.actors: dict[Actor, int] = {}

    def run(self) -> Report:
        """Carry out the check; the caller rolls back to the savepoint `isolation`.

        Raises:
            psycopg.Error: as the database gave it, or that the schema is missing.
        """
        self.surface = self._facts()
        self._require_schema()
        self.tenancy: Tenancy = read_tenancy(self.surface, self.insiders)
        self.reach: Reach = read_reach(self.surface)
        people = {each.id for each in self._people()}
        copied = to_copy(self.surface, self.reach, people, clone=self.clone)
        counting = count_on_insert(self.surface, clone=self.clone)
        large = frozenset(each.id for each in self._large() if has_key(each)) - copied
        self.planner = Planner(self.surface, self.tenancy, self.insiders, self.stage, copied, counting, large)
        self.filling = to_fill(self.surface)
        self._solve()
        before = self._plant()
        attacker = Attacker(
            self.surface,
            self.tenancy,
            self.insiders,
            self.stage,
            self.reach,
            self.planner,
            self.rows,
            self.clone,
            self.failures,
            frozenset(self.borrowed),
            self.own,
        )
        attacks = attacker.attacks()
        wanted = list(rights(attacker, read_snapshot() if self.final else {}))
        caller = self._caller(attacker)
        outsiders, insiders = caller.outsiders(), caller.insiders()
        effects = caller.effects() if self.clone else []
        tries = [*attacks, *effects, *(attempt for right in wanted for attempt in right.attempts)]
        outcomes, answers = self._attack(tries, [*outsiders, *outsiders, *insiders])
        results = dict(zip(map(id, tries), outcomes, strict=True))
        size = len(outsiders)
        leaks, unjudged = judge_calls(
            caller, outsiders, before, answers[:size], answers[size : 2 * size], insiders, answers[2 * size :]
        )
        found = [*leaks_of(attacks, effects, wanted, results), *privileges.granted(attacker)]
        known = {(each.table, each.role, each.verb, each.actor) for each in found}
        leaks = [*found, *(each for each in leaks if (each.table, each.role, each.verb, each.actor) not in known)]
        unjudged = [*privileges.unjudged(attacker), *undecided(attacks, wanted, results), *unjudged]
        return self._report(len(attacks) + len(outsiders) + len(effects), leaks, wanted, unjudged, results)

    def _facts(self) -> Surface:
        sealed = "{" + ",".join(self.insiders.sealed) + "}"
        functions = (SQL / "checks" / "isolation.sql").read_text(encoding="utf-8")
        facts = query().replace("%(sealed)s", f"{literal(sealed)}::text[]")
        script = ";\n".join(
            [
                "savepoint isolation",
                *self.session,
                functions.rstrip().rstrip(";"),
                "set local search_path = ''",
                facts,
                PATH,
            ]
        )
        cursor = self.connection.execute(script.encode())
        rows: list[tuple[str, Any]] = []
        while True:
            if cursor.description is not None:
                rows = cursor.fetchall()
            if not cursor.nextset():
                return Surface.of(rows)

    def _require_schema(self) -> None:
        names = self.insiders.tenant["table"], self.insiders.members["table"]
        if not any(self.surface.named(name) for name in names):
            raise psycopg.errors.UndefinedTable(f"there is no table {names[0]}")

    def _solve(self) -> None:
        unfilled = [each for each in self._people() if each not in self.filling]
        questions = self.planner.questions([*self.filling, *unfilled])
        row = self.connection.execute("select pg_temp.solve(%s)", (Jsonb(questions),)).fetchone()
        self.planner.solved = row[0] if row else {}
        self.planner.pins.clear()  # now without values that do not fit

    def _plant(self) -> list[str]:
        """Make the rows, and observe the outsiders' answers before the victim's are there."""
        others: list[Row] = []
        for organization in (self.stage.outsider, self.stage.neighbour):
            others += self._rows_of(organization)
        victims = self._rows_of(self.stage.victim)
        caller = self._caller(None)
        with self.connection.pipeline():
            for statement in self._silenced():
                # Not among the preparations: where it fails, nothing may go on.
                self.connection.execute(statement.encode())
            self.connection.execute("select pg_temp.prepare(%s)", (Jsonb(self._preparations()),))
            planted = self.connection.execute("select * from pg_temp.plant(%s)", (self._statements(others),))
            own = self.connection.execute("select pg_temp.count_rows(%s)", (Jsonb(self._outsiders_rows()),))
            observed = self._observe(caller.outsiders())
            made = self.connection.execute("select * from pg_temp.plant(%s)", (self._statements(victims),))
            seen = self.connection.execute("select * from pg_temp.plant(%s)", (self._views(),))
        self._take(others, planted.fetchall())
        self._take(victims, made.fetchall())
        counted = own.fetchone()
        self.own = {int(relation): number for relation, number in (counted[0] if counted else {}).items() if number}
        for (relation, organization), (_, row, _) in zip(self._viewed(), seen.fetchall(), strict=True):
            if row is not None:
                self.rows[relation.id, organization.id].append(row)
        return [str(answer) for (answer,) in observed.fetchall()]

    def _preparations(self) -> list[str]:
        """Copies of tables, and keys to accounts that need not be there before the end."""
        statements: list[str] = []
        for relation in self.filling:
            if relation.id in self.planner.copied | self.planner.counting | self.planner.large:
                statements += copy(relation)
            if relation.id in self.planner.copied:
                continue
            for key in relation.keys:
                target = self.surface.relations.get(key.target)
                if target and target.full == ACCOUNTS and not key.deferrable:
                    name = f"{literal(relation.qualified)}::regclass, {literal(key.name)}"
                    statements.append(f"select pg_temp.loosen({name}, {str(self.clone).lower()})")
        return statements

    def _outsiders_rows(self) -> list[dict[str, Any]]:
        """Conditions for the rows that the outsider's organization or its accounts have in a table."""
        accounts = ", ".join(literal(account) for account in self.stage.outsider.accounts.values())
        large = {each.id for each in self._large()}
        found = []
        for relation in self.surface.exposed:
            if not relation.is_table or relation.parents or relation.id in large | self.reach.readers:
                continue
            tenant = self.tenancy.column(relation)
            conditions = [f"{quoted(name)} in ({accounts})" for name in account_columns(relation, self.surface)]
            if tenant:
                conditions = [f"{quoted(tenant)} = {literal(self.stage.outsider.id)}"]
            if conditions:
                name = place(relation, self.planner.copied)
                found.append({"id": relation.id, "name": name, "condition": " or ".join(conditions)})
        return found

    def _silenced(self) -> list[str]:
        """Switch off what the tables that make a member a member must not do, for as long as the savepoint lasts."""
        if self.clone:
            return []
        return [
            f"alter table {relation.qualified} disable trigger {quoted(trigger['name'])}"
            for relation in self._people()
            for trigger in relation.triggers
            if trigger["function"] in self.reach.functions
        ]

    def _people(self) -> list[Relation]:
        names = self.insiders.tenant["table"], self.insiders.members["table"]
        return [each for name in names if (each := self.surface.named(name))]

    def _rows_of(self, organization: Organization) -> list[Row]:
        found = list(self.planner.people(organization))
        for relation in self.filling:
            found += self.planner.rows(relation, organization)
        return [*found, *self._sign_up()] if organization is self.stage.victim else found

    def _sign_up(self) -> list[Row]:
        """The account without an organization signs up, claiming to belong to the victim's."""
        accounts = self.surface.named(ACCOUNTS)
        if accounts is None or not accounts.triggers:
            return []
        if self.reach.writing(accounts) and not self.clone:
            self.failures[accounts.id] = "they may reach outside or move a sequence"
            return []
        claims = json.dumps(dict.fromkeys(self._claims, self.stage.victim.id))
        statement = f"select pg_temp.sign_up({literal(self.stage.stranger)}, {literal(claims)})"
        return [Row(accounts, self.stage.victim, "sign-up", (statement,))]

    @cached_property
    def _claims(self) -> list[str]:
        """Names under which policies and functions look for something in a request."""
        guards = [policy for each in self.surface.relations.values() for policy in each.policies]
        policies = [policy[part] or "" for policy in guards for part in ("using", "check")]
        sources = [each.source for each in self.surface.functions if not each.member and not each.supabase]
        found = (name for text in (*policies, *sources) for name in CLAIMS.findall(text))
        return list(dict.fromkeys(["organization_id", *(name for name in found if name not in RESERVED)]))

    def _statements(self, rows: Sequence[Row]) -> Jsonb:
        return Jsonb([list(each.statements) for each in rows])

    def _viewed(self) -> list[tuple[Relation, Organization]]:
        """Views that rows can be written through, for the victim."""
        return [
            (each, self.stage.victim)
            for each in self.surface.exposed
            if each.kind in VIEWS and each.writable and self.tenancy.column(each) and not self.reach.reading(each)
        ]

    def _views(self) -> Jsonb:
        statements = []
        for relation, organization in self._viewed():
            condition = f"{quoted(self.tenancy.columns[relation.id])} = {literal(organization.id)}"
            statements.append([f"select to_jsonb(t) from {relation.qualified} t where {condition} limit 1"])  # noqa: S608
        return Jsonb(statements)

    def _take(self, rows: Sequence[Row], results: Sequence[tuple[str, Any, int]]) -> None:
        for row, (outcome, made, turn) in zip(rows, results, strict=True):
            about = (row.relation.id, row.organization.id)
            if made is not None and row.variant != "sign-up":
                self.rows[about].append(made)
                if turn == len(row.statements) > 3:
                    self.borrowed.add(row.relation.id)
            elif made is None and row.variant in {"minimal", "sign-up"} and row.organization is self.stage.victim:
                self.failures[row.relation.id] = outcome

    def _caller(self, attacker: Attacker | None) -> Caller:
        plain = attacker or Attacker(
            self.surface, self.tenancy, self.insiders, self.stage, self.reach, self.planner, self.rows, self.clone
        )
        known = [
            (self.surface.relations[relation].name, values)
            for (relation, organization, variant), values in self.planner.made.items()
            if organization == self.stage.victim.id and variant in {"minimal", "itself", "member"}
        ]
        return Caller(self.surface, plain, known)

    def _actor(self, actor: Actor) -> int:
        return self.actors.setdefault(actor, len(self.actors))

    def _requests(self) -> Jsonb:
        return Jsonb([{"role": each.role, "settings": each.settings(self._claims)} for each in self.actors])

    def _observe(self, observations: Sequence[Observation]) -> psycopg.Cursor[Any]:
        queries = [{"actor": self._actor(each.actor), "statement": each.statement} for each in observations]
        return self.connection.execute("select * from pg_temp.observe(%s, %s)", (self._requests(), Jsonb(queries)))

    def _attack(self, tries: Sequence[Attack], observations: Sequence[Observation]) -> tuple[list[str], list[str]]:
        attacks = [
            {
                "actor": self._actor(each.actor),
                "statement": each.statement,
                "read_only": each.read_only,
                "own": each.own,
                "watch": each.watch,
                "keeps": not each.verb.startswith("delete"),
                "immediate": each.immediate,
                "enough": sorted(each.allowed) if each.right else None,
                "right": each.right,
            }
            for each in tries
        ]
        ids = [each.id for each in self.stage.organizations]
        with self.connection.pipeline():
            self.connection.execute("select pg_temp.prepare(%s)", (Jsonb(self._copied_rows()),))
            done = self.connection.execute(
                "select * from pg_temp.run(%s, %s, %s, %s::uuid[], %s)",
                (self._requests(), Jsonb(attacks), Jsonb(self._watched()), ids, self._members()),
            )
            answers = self._observe(observations)
        return [str(row[0]) for row in done.fetchall()], [str(row[0]) for row in answers.fetchall()]

    def _copied_rows(self) -> list[str]:
        statements = []
        for relation in self.filling:
            if relation.id in self.planner.large:
                rows = [row for each in self.stage.organizations for row in self.rows.get((relation.id, each.id), [])]
                statements.append(copy_rows(relation, rows))
        return [each for each in statements if each]

    def _watched(self) -> list[dict[str, Any]]:
        """Tables whose rows of other organizations must stay as they are."""
        large = {each.id for each in self._large()}
        return [
            {
                "id": each.id,
                "name": each.qualified,
                "tenant": quoted(name),
                "type": column.type,
            }
            for each in self.surface.relations.values()
            if each.is_table
            and not each.parents
            and each.id not in large
            and not self.reach.reading(each)
            and (name := self.tenancy.column(each))
            and (column := each.column(name))
        ]

    def _members(self) -> str | None:
        """A query for what must not change about the accounts of the check."""
        relation = self.surface.named(self.insiders.members["table"])
        if relation is None:
            return None
        parts = ", ".join(f"t.{quoted(name)}" for name in self.insiders.members["protected"])
        accounts = ", ".join(literal(a) for each in self.stage.organizations for a in each.accounts.values())
        account = quoted(self.insiders.members["account"])
        return (
            f"select md5(string_agg(row({parts})::text, chr(10) order by {account}))"  # noqa: S608
            f" from {relation.qualified} t where {account} in ({accounts})"
        )

    def _large(self) -> list[Relation]:
        return privileges.large_and_unindexed(self.surface, dict(self.tenancy.columns), LARGE)

    def _report(
        self,
        attacks: int,
        leaks: Sequence[Finding],
        wanted: Sequence[Right],
        unjudged: Sequence[Finding],
        results: dict[int, str],
    ) -> Report:
        left, used = take_out(self.entries, leaks)
        open_questions, more = take_out(self.entries, unjudged)
        idle = [each for each in self.entries if each not in used | more]
        if self.final and not self.clone:
            open_questions += unused(idle)
        return Report(
            attacks,
            grouped(left),
            grouped(lockouts(wanted, results)),
            grouped(open_questions),
            tuple(str(each) for each in self.entries if each in used | more),
            tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        slow = [
            f"{each.short}: about {each.rows:.0f} rows and no index that begins with"
            f" {self.tenancy.column(each) or 'a tenant column'}: each query of a member reads them all"
            for each in self._large()
        ]
        copied = [
            f"{each.short}: judged by a copy of its policies, because its triggers may reach outside or move a sequence"
            for each in self.surface.exposed
            if each.id in self.planner.copied
        ]
        silenced = [f"tried without triggers that may reach outside: {statement}" for statement in self._silenced()]
        return [*slow, *copied, *silenced]
