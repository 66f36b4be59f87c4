"""Looking at, changing and removing a project, and waiting for its API: each answer the service may give."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from common.errors import OperatorError
from supabase_management.adoption import Wanted
from supabase_management.client import Client
from supabase_management.pausing import pause
from supabase_management.pooler import Login
from supabase_management.project_lifecycle import CHANGED_BY_HAND, change, live, remove
from supabase_management.readiness import SERVICES, current_endpoints, wait_for_endpoints
from tests.supabase.conftest import Clock
from tests.supabase.management import BASE, REF, TOKEN, Script

pytestmark = pytest.mark.usefixtures("clock")

PASSWORD, OLD = "Abcdefghijklmnop", "Zyxwvutsrqponmlk"
WANTED = Wanted("client-acme-prod", "agency", "eu-west-2", "acme", PASSWORD, timeout=60)
PATH = f"/v1/projects/{REF}"
PROJECT = {
    "ref": REF,
    "name": "client-acme-prod",
    "region": "eu-west-2",
    "organization_slug": "agency",
    "status": "ACTIVE_HEALTHY",
    "database": {"host": f"db.{REF}.supabase.co"},
}
POOLER = {"db_host": "aws-1.pooler.test", "db_port": 6543, "db_user": f"postgres.{REF}", "db_name": "postgres"}
KEYS = [
    {"name": "anon", "type": "legacy", "id": "anon", "api_key": "jwt-anon"},
    {"name": "another", "type": "publishable", "id": "1", "api_key": "sb_publishable_another"},
    {"name": "default", "type": "publishable", "id": "2", "api_key": "sb_publishable_default"},
]
LIST = "GET /v1/organizations/agency/projects"
HEALTHY = [{"name": service, "status": "ACTIVE_HEALTHY"} for service in SERVICES]
ANSWERS: dict[str, Any] = {
    f"GET {PATH}": (200, PROJECT),
    f"PATCH {PATH}": (200, {}),
    f"DELETE {PATH}": (200, {}),
    f"POST {PATH}/pause": (200, None),
    f"POST {PATH}/restore": (200, None),
    f"PATCH {PATH}/database/password": (200, {}),
    f"GET {PATH}/config/database/pooler": (200, [POOLER]),
    f"GET {PATH}/billing/addons": (
        200,
        {"selected_addons": [{"type": "compute_instance", "variant": {"id": "ci_small"}}]},
    ),
    f"PATCH {PATH}/billing/addons": (200, None),
    f"GET {PATH}/health": (200, HEALTHY),
    f"GET {PATH}/postgrest": (200, {"db_schema": "public", "jwt_secret": "never kept"}),
    f"GET {PATH}/api-keys": (200, KEYS),
    f"POST {PATH}/api-keys": (201, {"name": "default", "id": "3", "api_key": "sb_publishable_made"}),
    "GET /v1/organizations/agency": (200, {"slug": "agency", "plan": "pro"}),
}


def session(answers: dict[str, Any] | None = None) -> tuple[Client, Script]:
    script = Script(ANSWERS | (answers or {}))
    return Client(BASE, TOKEN, http=script), script


def listed(*projects: dict[str, Any]) -> dict[str, Any]:
    """One page of an organization's projects."""
    page = [{**project, "is_branch": False} for project in projects]
    return {"projects": page, "pagination": {"count": len(page), "limit": 100, "offset": 0}}


def writes(script: Script) -> list[str]:
    return [call.replace(PATH, "") for call in script.calls if not call.startswith("GET")]


def status(value: str) -> tuple[int, dict[str, Any]]:
    return 200, {**PROJECT, "status": value}


def test_a_look_gives_what_the_service_holds(logins: list[Login]) -> None:
    logins += [Login.ACCEPTED]
    client, _ = session()
    assert live(client, REF, {"instance_size": "micro", "db_password": PASSWORD}) == {
        "project_name": "client-acme-prod",
        "organization": "agency",
        "region": "eu-west-2",
        "instance_size": "small",
        "paused": False,
    }


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [(Login.REFUSED, CHANGED_BY_HAND), (Login.NO_ANSWER, None), (Login.NOT_YET, None), (Login.ACCEPTED, None)],
)
def test_only_a_refused_login_shows_as_a_changed_password(
    logins: list[Login], outcome: Login, shown: str | None
) -> None:
    logins += [outcome]
    values = live(session()[0], REF, {"db_password": PASSWORD})
    assert values is not None
    assert values.get("db_password") == shown


@pytest.mark.parametrize("answer", [(404, {}), (406, {}), status("REMOVED"), status("GOING_DOWN")])
def test_a_deleted_project_is_gone(answer: Any) -> None:
    client, _ = session({f"GET {PATH}": answer, LIST: (200, listed())})
    assert live(client, REF, {"organization": "agency"}) is None
    assert current_endpoints(client, REF) is None


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"GET /v1/organizations/agency": (404, {})}, "the token does not see organization 'agency'"),
        ({"GET /v1/organizations/agency": (403, {"message": "Forbidden"})}, "does not see organization 'agency'"),
        ({"LIST": (403, {"message": "Forbidden"})}, "the token does not see organization 'agency'"),
        ({"LIST": (200, "LISTED")}, "is listed by its organization, but not shown to this token"),
    ],
)
def test_a_project_that_the_token_may_not_see_is_not_gone(answers: dict[str, Any], said: str) -> None:
    given = {LIST: (200, listed()), **{route.replace("LIST", LIST): answer for route, answer in answers.items()}}
    found = {route: (200, listed(PROJECT)) if answer == (200, "LISTED") else answer for route, answer in given.items()}
    hidden = (404, {"message": "Project not found"})
    client, script = session({f"GET {PATH}": hidden, f"DELETE {PATH}": hidden, **found})
    for act in (lambda: live(client, REF, {"organization": "agency"}), lambda: remove(client, REF, 60, "agency")):
        with pytest.raises(OperatorError, match=said):
            act()
    assert writes(script) == ["DELETE "]


def test_a_project_of_an_organization_that_the_state_does_not_name_is_not_gone() -> None:
    with pytest.raises(OperatorError, match="its state names no organization"):
        live(session({f"GET {PATH}": (404, {})})[0], REF, {})


def test_a_look_that_fails_is_an_error_and_not_gone() -> None:
    with pytest.raises(OperatorError, match="Supabase answered 403"):
        live(session({f"GET {PATH}": (403, {"message": "Forbidden"})})[0], REF, {})


def test_a_paused_project_shows_as_paused_and_is_not_logged_in_to() -> None:
    client, _ = session({f"GET {PATH}": status("INACTIVE")})
    values = live(client, REF, {"db_password": PASSWORD})
    assert values is not None
    assert values["paused"] is True
    assert current_endpoints(client, REF) == {}


def test_a_change_writes_only_what_differs(logins: list[Login]) -> None:
    client, script = session()
    change(client, REF, PASSWORD, replace(WANTED, instance_size="small"))
    assert writes(script) == []
    logins += [Login.REFUSED, Login.ACCEPTED]
    change(client, REF, OLD, replace(WANTED, project_name="other", instance_size="large", paused=True))
    # Pausing is left to the last resource of the client.
    assert writes(script) == ["PATCH ", "PATCH /database/password", "PATCH /billing/addons"]
    assert logins == []


def test_a_paused_project_is_restored_before_anything_else() -> None:
    client, script = session({f"GET {PATH}": [status("INACTIVE"), status("RESTORING"), status("ACTIVE_HEALTHY")]})
    change(client, REF, PASSWORD, replace(WANTED, project_name="other"))
    assert writes(script) == ["POST /restore", "PATCH "]


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        (["PAUSING", "PAUSING", "INACTIVE", "RESTORING", "ACTIVE_HEALTHY"], ["POST /restore", "PATCH "]),
        (["INACTIVE", "INACTIVE", "RESTORING", "COMING_UP", "ACTIVE_HEALTHY"], ["POST /restore", "PATCH "]),
        (["RESTORE_FAILED", "RESTORING", "ACTIVE_HEALTHY"], ["POST /restore", "PATCH "]),
        (["RESTORING", "ACTIVE_HEALTHY"], ["PATCH "]),
        (["COMING_UP", "ACTIVE_HEALTHY"], ["PATCH "]),
        (["RESIZING", "ACTIVE_HEALTHY"], ["PATCH "]),
        (["ACTIVE_UNHEALTHY"], ["PATCH "]),
        (["A_STATE_OF_LATER_DAYS", "ACTIVE_HEALTHY"], ["PATCH "]),
    ],
)
def test_a_project_on_its_way_is_waited_for_and_a_restore_is_asked_for_once(seen: list[str], asked: list[str]) -> None:
    client, script = session({f"GET {PATH}": [status(each) for each in seen]})
    change(client, REF, PASSWORD, replace(WANTED, project_name="other"))
    assert writes(script) == asked


def test_a_restore_whose_answer_is_lost_is_looked_at_before_it_is_asked_for_again() -> None:
    lost = httpx.ReadTimeout("lost")
    looks = [status("INACTIVE"), status("RESTORING"), status("ACTIVE_HEALTHY")]
    client, script = session({f"GET {PATH}": looks, f"POST {PATH}/restore": lost})
    change(client, REF, PASSWORD, replace(WANTED, project_name="other"))
    assert writes(script) == ["POST /restore", "PATCH "]


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (["PAUSING"], "not ready after 60 s, last seen: PAUSING"),
        (["INACTIVE"], "not ready after 60 s, last seen: INACTIVE"),
        (["INACTIVE", "RESTORING", "INACTIVE"], "its restore ended in INACTIVE"),
        (["INACTIVE", "RESTORING", "RESTORE_FAILED"], "its restore ended in RESTORE_FAILED"),
        (["GOING_DOWN"], "the project is GOING_DOWN"),
    ],
)
def test_a_project_that_does_not_come_back_is_an_error_before_its_deadline(
    clock: Clock, seen: list[str], said: str
) -> None:
    client, script = session({f"GET {PATH}": [status(each) for each in seen]})
    with pytest.raises(OperatorError, match=said):
        change(client, REF, PASSWORD, replace(WANTED, project_name="other"))
    assert "PATCH " not in writes(script)
    assert clock.now <= 60


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        (["ACTIVE_HEALTHY", "ACTIVE_HEALTHY", "PAUSING", "INACTIVE"], ["POST /pause"]),
        (["ACTIVE_UNHEALTHY", "PAUSING", "INACTIVE"], ["POST /pause"]),
        (["RESTORING", "ACTIVE_HEALTHY", "PAUSING", "INACTIVE"], ["POST /pause"]),
        (["PAUSE_FAILED", "PAUSING", "INACTIVE"], ["POST /pause"]),
        (["PAUSING", "INACTIVE"], []),
        (["INACTIVE"], []),
    ],
)
def test_pausing_returns_once_the_project_is_paused(seen: list[str], asked: list[str]) -> None:
    client, script = session({f"GET {PATH}": [status(each) for each in seen]})
    pause(client, REF, timeout=60)
    assert writes(script) == asked


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (["ACTIVE_HEALTHY", "PAUSING", "PAUSE_FAILED"], "cannot be paused, it is PAUSE_FAILED"),
        (["REMOVED"], "cannot be paused, it is REMOVED"),
        (["PAUSING"], "not ready after 60 s, last seen: PAUSING"),
    ],
)
def test_a_project_that_cannot_be_paused_is_an_error(clock: Clock, seen: list[str], said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        pause(session({f"GET {PATH}": [status(each) for each in seen]})[0], REF, timeout=60)
    assert clock.now <= 60


def test_a_project_that_somebody_restored_still_counts_as_paused_here() -> None:
    values = live(session()[0], REF, {"paused": True})
    assert values is not None
    assert values["paused"] is True


@pytest.mark.parametrize(
    ("old", "changes", "said"),
    [
        (OLD, {}, "the password of a paused project cannot be changed"),
        (PASSWORD, {"instance_size": "large"}, "the size of a paused project cannot be changed"),
    ],
)
def test_what_a_paused_project_cannot_change_is_left_alone_with_a_word(
    old: str, changes: dict[str, Any], said: str
) -> None:
    client, script = session({f"GET {PATH}": status("INACTIVE")})
    with pytest.raises(OperatorError, match=said):
        change(client, REF, old, replace(WANTED, paused=True, project_name="other", **changes))
    assert writes(script) == []


def test_a_project_that_is_not_ready_for_deletion_is_waited_for(clock: Clock) -> None:
    early = (400, {"message": "Project not ready for deletion."})
    client, script = session({f"DELETE {PATH}": [early, early, (200, {})]})
    remove(client, REF, 60, "agency")
    assert len(writes(script)) == 3
    assert clock.pauses == [3.0, 3.0]


@pytest.mark.parametrize("answer", [(404, {}), (406, {})])
def test_deleting_what_is_gone_is_no_error(answer: Any) -> None:
    remove(session({f"DELETE {PATH}": answer, LIST: (200, listed())})[0], REF, 60, "agency")


def test_a_delete_whose_answer_is_lost_is_looked_up_and_not_repeated() -> None:
    client, script = session(
        {f"DELETE {PATH}": httpx.ReadTimeout("lost"), f"GET {PATH}": status("GOING_DOWN"), LIST: (200, listed())}
    )
    remove(client, REF, 60, "agency")
    assert len(writes(script)) == 1


def test_a_delete_that_is_refused_is_an_error() -> None:
    with pytest.raises(OperatorError, match="has a billing hold"):
        remove(session({f"DELETE {PATH}": (400, {"message": "has a billing hold"})})[0], REF, 60, "agency")


def test_endpoints_come_once_every_service_answers() -> None:
    starting = [{"name": "auth", "status": "UNHEALTHY", "error": "Failed to retrieve project's auth service health"}]
    client, script = session(
        {
            f"GET {PATH}": [status("COMING_UP"), status("ACTIVE_HEALTHY")],
            f"GET {PATH}/health": [(200, starting), (200, HEALTHY)],
            f"GET {PATH}/config/database/pooler": [(200, []), (200, [POOLER])],
        }
    )
    assert wait_for_endpoints(client, REF, timeout=60) == {
        "api_url": f"https://{REF}.supabase.co",
        "publishable_key": "sb_publishable_default",
        "session_dsn": f"postgresql://postgres.{REF}@aws-1.pooler.test:5432/postgres",
        "transaction_dsn": f"postgresql://postgres.{REF}@aws-1.pooler.test:6543/postgres",
        "legacy_anon_key": "jwt-anon",
        "legacy_service_role_key": "",
        "plan": "pro",
    }
    assert writes(script) == []


def test_a_data_api_switched_off_is_not_waited_for() -> None:
    without = [service for service in HEALTHY if service["name"] != "rest"] + [{"name": "rest", "status": "UNHEALTHY"}]
    answers = {f"GET {PATH}/health": (200, without), f"GET {PATH}/postgrest": (200, {"db_schema": ""})}
    assert wait_for_endpoints(session(answers)[0], REF, timeout=60)["publishable_key"]
    with pytest.raises(OperatorError, match="last seen: ACTIVE_HEALTHY, waiting for rest"):
        wait_for_endpoints(session({f"GET {PATH}/health": (200, without)})[0], REF, timeout=60)


def test_a_project_without_a_publishable_key_gets_one() -> None:
    client, script = session({f"GET {PATH}/api-keys": (200, KEYS[:1])})
    assert wait_for_endpoints(client, REF, timeout=60)["publishable_key"] == "sb_publishable_made"
    assert json.loads(script.requests[-1].content) == {"type": "publishable", "name": "default"}
