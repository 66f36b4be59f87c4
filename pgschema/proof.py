"""One run of the isolation check, in four round trips: the facts, the values that fit, the rows, the attacks."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from pgschema import privileges
from pgschema.allowed import read_allowed, take_out, unused
from pgschema.attempts import PART, Attempts, Tried, parts
from pgschema.calls import Caller
from pgschema.catalog import read_snapshot
from pgschema.controls import rights
from pgschema.filling import to_fill
from pgschema.inserts import Row, batches, place
from pgschema.insiders import read_insiders
from pgschema.isolation_cases import Attack, Attacker
from pgschema.migrations import SQL
from pgschema.reach import Reach, read_reach
from pgschema.report import Finding, Report, grouped
from pgschema.sample_rows import Planner
from pgschema.shadow import copy, copy_rows, count_on_insert, has_key, to_copy
from pgschema.stage import Organization, Stage
from pgschema.surface import VIEWS, Relation, Surface, literal, query, quoted
from pgschema.tenancy import ACCOUNTS, Tenancy, account_columns, read_tenancy
from pgschema.verdicts import judge_calls, leaks_of, lockouts, undecided

# As the Data API has it; copies of tables come last.
PATH = "set local search_path = public, extensions, pg_temp"
# Each attack has to find out by an index that a large table holds nothing for it: many are one statement.
BY_INDEX = "set local enable_seqscan = off"
CLAIMS = re.compile(r"->>?\s*'([^']+)'")
LARGE = 100_000
QUESTIONS, ROWS = 6, 40  # tables asked about, and rows made, at a time
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
        self.attempts = Attempts(self.connection, self._claims)
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
        return self._judge(attacker, before, self._attack(attacker))

    def _judge(self, attacker: Attacker, before: list[str], tried: Tried) -> Report:
        size = len(tried.outsiders)
        leaks, unjudged = judge_calls(
            tried.caller,
            tried.outsiders,
            before,
            tried.answers[:size],
            tried.answers[size : 2 * size],
            tried.insiders,
            tried.answers[2 * size :],
        )
        found = [*leaks_of(tried.attacks, tried.effects, tried.wanted, tried.results), *privileges.granted(attacker)]
        known = {(each.table, each.role, each.verb, each.actor) for each in found}
        leaks = [*found, *(each for each in leaks if (each.table, each.role, each.verb, each.actor) not in known)]
        missing = undecided(tried.attacks, tried.wanted, tried.results)
        return self._report(tried, leaks, [*privileges.unjudged(attacker), *missing, *unjudged])

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
                BY_INDEX,
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
        with self.connection.pipeline():
            asked = [
                self.connection.execute("select pg_temp.solve(%s)", (Jsonb(part),))
                for part in parts(questions, QUESTIONS)
            ]
        solved: dict[str, Any] = {"columns": {}, "rows": {}}
        for (answer,) in (row for each in asked for row in each.fetchall()):
            solved["columns"] |= answer["columns"]
            solved["rows"] |= answer["rows"]
        self.planner.solved = solved
        self.planner.pins.clear()  # now without values that do not fit

    def _plant(self) -> list[str]:
        """Make the rows, and observe the outsiders' answers before the victim's are there."""
        others = self.stage.outsider, self.stage.neighbour
        with self.connection.pipeline():
            for statement in self._silenced():
                # Not among the preparations: where it fails, nothing may go on.
                self.connection.execute(statement.encode())
            self.connection.execute("select pg_temp.prepare(%s)", (Jsonb(self._preparations()),))
            made = [self._make(part) for each in others for part in parts(self._rows_of(each), ROWS)]
            own = self.connection.execute("select pg_temp.count_rows(%s)", (Jsonb(self._outsiders_rows()),))
            victims = list(self._rows_of(self.stage.victim))
            observed = self.attempts.observe(self._caller(None).outsiders())
            made += [self._make(part) for part in parts(victims, ROWS)]
            seen = self.connection.execute("select * from pg_temp.plant(%s)", (self._views(),))
        for rows, results in made:
            self._take(rows, results.fetchall())
        counted = own.fetchone()
        self.own = {int(relation): number for relation, number in (counted[0] if counted else {}).items() if number}
        for (relation, organization), (_, row, _) in zip(self._viewed(), seen.fetchall(), strict=True):
            if row is not None:
                self.rows[relation.id, organization.id].append(row)
        return [str(answer) for (answer,) in observed.fetchall()]

    def _make(self, rows: list[Row]) -> tuple[list[Row], psycopg.Cursor[Any]]:
        plan = Jsonb(list(batches(rows)))
        return rows, self.connection.execute("select * from pg_temp.plant(%s)", (plan,))

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

    def _rows_of(self, organization: Organization) -> Iterator[Row]:
        yield from self.planner.people(organization)
        for relation in self.filling:
            yield from self.planner.rows(relation, organization)
        if organization is self.stage.victim:
            yield from self._sign_up()

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
        return Jsonb([{"together": None, "each": statements}])

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

    def _attack(self, attacker: Attacker) -> Tried:
        """Try everything."""
        attacks: list[Attack] = []
        done: list[psycopg.Cursor[Any]] = []
        watched, organizations = self._watched(), [each.id for each in self.stage.organizations]
        with self.connection.pipeline():
            self.connection.execute("select pg_temp.prepare(%s)", (Jsonb(self._copied_rows()),))
            self.attempts.watch(watched, organizations, self._members())
            for part in parts(attacker.attacks(), PART):
                attacks += part
                done.append(self.attempts.run(part, watched))
            wanted = list(rights(attacker, read_snapshot() if self.final else {}))
            caller = self._caller(attacker)
            effects = caller.effects() if self.clone else []
            others = [*effects, *(attempt for right in wanted for attempt in right.attempts)]
            done.append(self.attempts.run(others, watched))
            outsiders, insiders = caller.outsiders(), caller.insiders()
            observed = self.attempts.observe([*outsiders, *outsiders, *insiders])
        outcomes = [str(row[0]) for each in done for row in each.fetchall()]
        results = dict(zip(map(id, [*attacks, *others]), outcomes, strict=True))
        answers = [str(row[0]) for row in observed.fetchall()]
        return Tried(attacks, effects, wanted, results, caller, outsiders, insiders, answers)

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
        found = [
            {"id": each.id, "name": each.qualified, "tenant": quoted(name), "type": column.type}
            for each in self.surface.relations.values()
            if each.is_table
            and not each.parents
            and each.id not in large
            and not self.reach.reading(each)
            and (name := self.tenancy.column(each))
            and (column := each.column(name))
        ]
        # The first that changed is named in the finding: in the order of jsonb's keys, as findings always did.
        return sorted(found, key=lambda each: (len(str(each["name"]).encode()), str(each["name"])))

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

    def _report(self, tried: Tried, leaks: Sequence[Finding], unjudged: Sequence[Finding]) -> Report:
        left, used = take_out(self.entries, leaks)
        open_questions, more = take_out(self.entries, unjudged)
        idle = [each for each in self.entries if each not in used | more]
        if self.final and not self.clone:
            open_questions += unused(idle)
        return Report(
            len(tried.attacks) + len(tried.outsiders) + len(tried.effects),
            grouped(left),
            grouped(lockouts(tried.wanted, tried.results)),
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
