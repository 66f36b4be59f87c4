"""What leaves a recording before it is written."""

import json

import pytest

from tests.live.recorder import Exchange
from tests.live.redaction import redact

RUN = "live-6a1f00c2-9e3b"
KNOWN = "a-token-that-looks-like-nothing"
TELLING = {
    "db_pass": "short",
    "password": "x",
    "smtp_pass": "y",
    "api_key": "eyJ.z.z",
    "prefix": "sb_secret_abcde",
    "encrypted_value": "sealed",
    "text": f"Bearer {KNOWN} for sbp_0123456789 at postgres://me:pw@db, ghp_abcdef, sb_secret_abc-def",
    "people": ["someone.real@agency.example"],
}


def test_secrets_go_by_field_by_look_and_by_being_known() -> None:
    (done,) = redact([Exchange("POST", f"/v1/x?token={KNOWN}", TELLING, 200, [TELLING])], secrets=[KNOWN], names={})
    assert done.answer == [done.request]
    assert done.request.pop("people") == ["someone@example.com"]
    assert done.request.pop("text") == (
        "Bearer [secret] for [secret] at postgres://[secret]@db, [secret], [secret]"
    )  # fmt: skip
    assert set(done.request.values()) == {"[secret]"}
    assert done.path == "/v1/x?token=[secret]"


def test_what_a_telling_field_holds_is_secret_in_every_other_place_too() -> None:
    made = Exchange("POST", "/v1/projects", {"db_pass": KNOWN}, 201, None)
    (_, later) = redact([made, Exchange("POST", "/v1/x", {"query": f"-- {KNOWN}"}, 200, KNOWN)], secrets=[], names={})
    assert (later.request, later.answer) == ({"query": "-- [secret]"}, "[secret]")


def test_our_names_and_the_ids_that_later_requests_repeat_become_masks() -> None:
    made = {"name": RUN, "ref": "abcdefghijklmnopqrst", "id": 711274, "organization_id": "agency", "region": "x"}
    host = {"host": "db.abcdefghijklmnopqrst.supabase.co"}
    exchanges = [
        Exchange("POST", "/v1/projects", {"name": RUN, "id": 5}, 201, made),
        Exchange("GET", "/v1/projects/abcdefghijklmnopqrst", None, 200, host),
        Exchange("DELETE", "/repos/agency/rules/711274", None, 204, None),
    ]
    first, second, third = redact(exchanges, secrets=[], names={RUN: "__RUN__", "agency": "__OWNER__"})
    masked = {"name": "__RUN__", "ref": "__ID_1__", "id": "__ID_2__", "organization_id": "__OWNER__", "region": "x"}
    assert (first.request, first.answer) == ({"name": "__RUN__", "id": 5}, masked)
    assert (second.path, second.answer) == ("/v1/projects/__ID_1__", {"host": "db.__ID_1__.supabase.co"})
    assert third.path == "/repos/__OWNER__/rules/__ID_2__"


def test_a_known_secret_that_would_stay_stops_the_writing() -> None:
    with pytest.raises(AssertionError, match="a secret would have been written"):
        redact([Exchange("GET", "/v1/x", None, 200, {"number": 1234567890})], secrets=["1234567890"], names={})
    kept = redact([Exchange("GET", "/v1/x", None, 200, {"text": f"<{KNOWN}>"})], secrets=[KNOWN, ""], names={})
    assert KNOWN not in json.dumps(kept[0].answer)
