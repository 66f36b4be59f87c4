"""Ours or not, and the ambiguous create: every outcome of a login and of our mark, on a made-up clock."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from common.errors import OperatorError
from supabase_management import pooler
from supabase_management.adoption import Wanted
from supabase_management.client import Client
from supabase_management.errors import ApiError, WrongPasswordError
from supabase_management.pooler import Login
from supabase_management.project_lifecycle import allocate
from tests.supabase.conftest import Clock
from tests.supabase.management import BASE, REF, TOKEN, Script

pytestmark = pytest.mark.usefixtures("clock")

PASSWORD = "Abcdefghijklmnop"
WANTED = Wanted("client-acme-prod", "agency", "eu-west-2", "acme", PASSWORD, timeout=60)
PROJECT = {"ref": REF, "name": "client-acme-prod", "region": "eu-west-2", "status": "ACTIVE_HEALTHY"}
POOLER = {"db_host": "aws-1.pooler.test", "db_port": 6543, "db_user": f"postgres.{REF}", "db_name": "postgres"}
LIST = "GET /v1/organizations/agency/projects"
PASSWORD_ROUTE = f"PATCH /v1/projects/{REF}/database/password"
LOGIN_ROLE = f"POST /v1/projects/{REF}/cli/login-role"
QUERY = f"POST /v1/projects/{REF}/database/query"
MARK = (201, [{"client_id": "acme", "project_name": "client-acme-prod"}])
FOREIGN_MARK = (201, [{"client_id": "bolt", "project_name": "client-acme-prod"}])
NO_MARK = (400, {"message": "Failed to run sql query: ERROR:  42P01: relation does not exist"})
ANSWERS = {
    "GET /v1/organizations/agency": (200, {"slug": "agency", "name": "Agency", "plan": "pro"}),
    "GET /v1/projects/available-regions": (
        200,
        {
            "all": {
                "specific": [{"code": "eu-west-2"}, {"code": "us-east-1"}, {"code": "eu-west-3", "status": "capacity"}]
            }
        },
    ),
    "POST /v1/projects": (201, PROJECT),
    LIST: (200, {"projects": [PROJECT]}),
    f"GET /v1/projects/{REF}": (200, PROJECT),
    f"GET /v1/projects/{REF}/config/database/pooler": (200, [POOLER]),
    QUERY: NO_MARK,
    PASSWORD_ROUTE: (200, {}),
}


FREE = {"GET /v1/organizations/agency": (200, {"slug": "agency", "name": "Agency", "plan": "free"})}


def run(answers: dict[str, Any] | None = None, wanted: Wanted = WANTED) -> Script:
    script = Script(ANSWERS | (answers or {}))
    assert allocate(Client(BASE, TOKEN, http=script), wanted) == REF
    return script


def test_a_new_project_is_created_once_all_is_known_to_be_right() -> None:
    script = run({LIST: (200, {"projects": []})})
    assert script.calls == [
        "GET /v1/organizations/agency",
        LIST,
        "GET /v1/projects/available-regions",
        "POST /v1/projects",
    ]


def test_a_project_of_another_name_or_on_its_way_out_is_not_found() -> None:
    listed = [{**PROJECT, "name": "client-acme-prod-2"}, {**PROJECT, "status": "GOING_DOWN"}]
    assert "POST /v1/projects" in run({LIST: (200, {"projects": listed})}).calls


def test_a_login_with_our_password_is_proof(logins: list[Login]) -> None:
    logins += [Login.ACCEPTED]
    script = run()
    assert not {"POST /v1/projects", PASSWORD_ROUTE} & set(script.calls)


def test_a_project_still_coming_up_is_proved_once_it_answers(logins: list[Login]) -> None:
    logins += [Login.NO_ANSWER, Login.NOT_YET, Login.ACCEPTED]
    states = [(200, {**PROJECT, "status": status}) for status in ("UNKNOWN", "COMING_UP", "ACTIVE_HEALTHY")]
    run({f"GET /v1/projects/{REF}": states})
    assert logins == []


def test_refused_twice_ten_seconds_apart_and_no_mark_is_foreign(logins: list[Login], clock: Clock) -> None:
    logins += [Login.REFUSED, Login.REFUSED, Login.ACCEPTED]
    with pytest.raises(OperatorError, match=r"nothing proves that it is ours.*`adopt: true` in Pulumi\.acme\.yaml"):
        run()
    assert clock.pauses == [10.0]
    assert logins == [Login.ACCEPTED]


def test_the_mark_of_another_client_is_no_proof(logins: list[Login]) -> None:
    logins += [Login.REFUSED, Login.REFUSED]
    with pytest.raises(OperatorError, match="nothing proves that it is ours"):
        run({QUERY: FOREIGN_MARK})


@pytest.mark.parametrize(("outcome", "told"), [(Login.REFUSED, True), (Login.ACCEPTED, False)])
def test_our_mark_is_proof_and_no_password_is_reset(
    logins: list[Login], caplog: pytest.LogCaptureFixture, outcome: Login, told: bool
) -> None:
    logins += [outcome]
    script = run({QUERY: MARK}, replace(WANTED, adopt=True))
    assert PASSWORD_ROUTE not in script.calls
    assert ("found again by our mark. Its database password stays as it is." in caplog.text) == told


def test_the_mark_of_a_database_that_was_not_up_is_asked_for_again(logins: list[Login]) -> None:
    logins += [Login.REFUSED, Login.REFUSED]
    not_up = (400, {"message": "Failed to run sql query: connect ECONNREFUSED"})
    assert PASSWORD_ROUTE not in run({QUERY: [not_up, MARK]}).calls


def test_a_foreign_project_is_adopted_with_a_word(logins: list[Login], caplog: pytest.LogCaptureFixture) -> None:
    logins += [Login.REFUSED, Login.REFUSED, Login.REFUSED, Login.ACCEPTED]
    script = run(wanted=replace(WANTED, adopt=True))
    assert script.calls.count(PASSWORD_ROUTE) == 1
    assert "because `adopt: true`" in caplog.text


def test_adopting_with_the_right_password_resets_nothing(logins: list[Login]) -> None:
    logins += [Login.ACCEPTED]
    assert PASSWORD_ROUTE not in run(wanted=replace(WANTED, adopt=True)).calls


def test_adopting_with_the_password_the_project_has_resets_nothing_and_says_so(
    logins: list[Login], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_DB_PASSWORD", "what-it-always-was")
    logins += [Login.ACCEPTED]
    assert PASSWORD_ROUTE not in run(wanted=replace(WANTED, adopt=True)).calls
    assert "taken over with its password, which stays as it is" in caplog.text


def test_adopting_with_a_wrong_password_is_refused_and_resets_nothing(
    logins: list[Login], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_DB_PASSWORD", "what-it-never-was")
    logins += [Login.REFUSED, Login.REFUSED]
    script = Script(ANSWERS)
    with pytest.raises(OperatorError, match=r"refuses the password.*Correct SUPABASE_DB_PASSWORD") as refusal:
        allocate(Client(BASE, TOKEN, http=script), replace(WANTED, adopt=True))
    assert PASSWORD_ROUTE not in script.calls
    assert "never-was" not in str(refusal.value)


@pytest.mark.parametrize("outcomes", [[Login.NOT_YET] * 4, [Login.NOT_YET, Login.REFUSED, Login.NOT_YET]])
def test_three_logins_without_two_refusals_tell_nothing(logins: list[Login], outcomes: list[Login]) -> None:
    logins += outcomes
    with pytest.raises(OperatorError, match="cannot tell whether it is ours"):
        run()
    assert len(outcomes) - len(logins) == 3


def test_a_mark_that_cannot_be_read_tells_nothing(logins: list[Login]) -> None:
    logins += [Login.REFUSED, Login.REFUSED]
    with pytest.raises(OperatorError, match=r"cannot tell whether it is ours.*ECONNREFUSED"):
        run({QUERY: (400, {"message": "Failed to run sql query: connect ECONNREFUSED"})})


def test_a_project_in_another_region_is_refused_untouched(logins: list[Login]) -> None:
    elsewhere = {**PROJECT, "region": "us-east-1"}
    with pytest.raises(OperatorError, match="exists in region us-east-1, not in eu-west-2"):
        run({LIST: (200, {"projects": [elsewhere]})})
    assert logins == []


@pytest.mark.parametrize("status", ["INACTIVE", "INIT_FAILED", "RESTORE_FAILED"])
def test_a_project_that_never_becomes_ready_ends_the_wait_at_once(status: str, clock: Clock) -> None:
    with pytest.raises(OperatorError, match=f"the project is {status}"):
        run({f"GET /v1/projects/{REF}": (200, {**PROJECT, "status": status})})
    assert clock.pauses == []


def test_a_state_of_later_days_is_waited_for(logins: list[Login]) -> None:
    logins += [Login.ACCEPTED]
    states = [(200, {**PROJECT, "status": status}) for status in ("DREAMING", "ACTIVE_HEALTHY")]
    run({f"GET /v1/projects/{REF}": states})


def test_the_deadline_names_the_last_state_seen(clock: Clock) -> None:
    with pytest.raises(OperatorError, match=r"not ready after 60 s, last seen: COMING_UP.*run `up` again"):
        run({f"GET /v1/projects/{REF}": (200, {**PROJECT, "status": "COMING_UP"})})
    assert clock.pauses[0] == 1.0
    assert max(clock.pauses) == 5.0
    assert sum(clock.pauses) <= 60


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("lost"), (500, {"message": "oops"})])
def test_a_create_whose_answer_is_lost_finds_its_project(logins: list[Login], lost: Any) -> None:
    logins += [Login.ACCEPTED]
    script = run({"POST /v1/projects": lost, LIST: [(200, {"projects": []}), (200, {"projects": [PROJECT]})]})
    assert script.calls.count("POST /v1/projects") == 1


@pytest.mark.parametrize("failure", [(500, {"message": "oops"}), (400, {"message": "limit reached"})])
def test_a_create_that_made_nothing_fails_with_its_reason(failure: Any) -> None:
    with pytest.raises(ApiError, match=failure[1]["message"]):
        run({"POST /v1/projects": failure, LIST: (200, {"projects": []})})


def test_two_projects_of_our_name_are_told_apart_by_nobody() -> None:
    with pytest.raises(OperatorError, match="2 projects of organization agency are named 'client-acme-prod'"):
        run({LIST: (200, {"projects": [PROJECT, PROJECT]})})


def test_a_region_that_is_not_offered_is_refused_before_anything_is_made() -> None:
    with pytest.raises(OperatorError) as raised:
        run({LIST: (200, {"projects": []})}, replace(WANTED, region="af-south-1"))
    assert str(raised.value) == (
        "region: 'af-south-1' is not offered to organization agency; there is eu-west-2, us-east-1."
        " Change `region` in Pulumi.<environment>.yaml."
    )


@pytest.mark.parametrize("status", [403, 404])
def test_an_organization_that_the_token_cannot_see_is_named_with_those_it_sees(status: int) -> None:
    with pytest.raises(
        OperatorError, match=r"does not see organization 'agency' \(it sees: other\).*SUPABASE_ORG_SLUG"
    ):
        run(
            {
                "GET /v1/organizations/agency": (status, {"message": "no"}),
                "GET /v1/organizations": (200, [{"slug": "other", "name": "Other"}]),
            }
        )


def test_a_new_password_is_refused_three_times_before_that_is_an_error(logins: list[Login], clock: Clock) -> None:
    logins += [Login.REFUSED] * 4
    with pytest.raises(WrongPasswordError, match="refused the password 3 times"):
        pooler.wait_for_database(Client(BASE, TOKEN, http=Script(ANSWERS)), REF, PASSWORD, timeout=600, changed=True)
    assert clock.pauses == [10.0, 10.0]


def test_a_database_that_refuses_the_password_is_entered_by_a_temporary_login(logins: list[Login]) -> None:
    logins += [Login.REFUSED]
    script = Script(ANSWERS | {LOGIN_ROLE: (201, {"role": "cli_login_postgres", "password": "x1", "ttl_seconds": 300})})
    address = pooler.wait_for_database(Client(BASE, TOKEN, http=script), REF, PASSWORD, timeout=60)
    assert address.temporary is not None
    assert address.temporary.role == "cli_login_postgres"
    assert "x1" not in repr(address) + address.dsn
    assert address.dsn.startswith(f"postgresql://postgres.{REF}@")
    assert json.loads(script.requests[-1].content) == {"read_only": False}


def test_without_a_temporary_login_a_refused_password_is_an_error_that_says_why(logins: list[Login]) -> None:
    logins += [Login.REFUSED]
    refusal = (403, {"message": "Forbidden", "missing_permissions": ["database_write"]})
    script = Script(ANSWERS | {LOGIN_ROLE: refusal})
    with pytest.raises(
        WrongPasswordError, match=r"no temporary login: Forbidden\. Give the access token: database_wri"
    ):
        pooler.wait_for_database(Client(BASE, TOKEN, http=script), REF, PASSWORD, timeout=60)


def test_the_session_port_follows_from_the_transaction_port_only_where_it_is_supabases(logins: list[Login]) -> None:
    logins += [Login.ACCEPTED] * 2
    address = pooler.wait_for_database(Client(BASE, TOKEN, http=Script(ANSWERS)), REF, PASSWORD, timeout=60)
    assert address.dsn == f"postgresql://postgres.{REF}@aws-1.pooler.test:5432/postgres"
    assert address.transaction_dsn == f"postgresql://postgres.{REF}@aws-1.pooler.test:6543/postgres"
    local = {f"GET /v1/projects/{REF}/config/database/pooler": (200, [{**POOLER, "db_port": 54321}])}
    address = pooler.wait_for_database(Client(BASE, TOKEN, http=Script(ANSWERS | local)), REF, PASSWORD, timeout=60)
    assert (address.port, address.transaction_port) == (54321, 54321)


@pytest.mark.parametrize("size", ["nano", None])
def test_the_free_plan_has_its_smallest_size(size: str | None) -> None:
    script = run({**FREE, LIST: (200, {"projects": []})}, replace(WANTED, instance_size=size))
    assert script.calls.count("POST /v1/projects") == 1


def test_a_size_that_the_free_plan_lacks_is_refused_before_anything_is_created() -> None:
    script = Script(ANSWERS | FREE | {LIST: (200, {"projects": []})})
    with pytest.raises(OperatorError, match=r"^instanceSize: the plan free has no compute size 'micro', only nano\."):
        allocate(Client(BASE, TOKEN, http=script), replace(WANTED, instance_size="micro"))
    assert "POST /v1/projects" not in script.calls
