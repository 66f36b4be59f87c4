"""The accounts of a project's people: invited by mail, or let in by a link that works once. Knows no Pulumi."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.readiness import api_url
from supabase_management.transport import Transport


class Accounts(AbstractContextManager["Accounts"]):
    """A session with the Auth API of one project; use it as a context manager.

    It reads a secret key of the project from the Management API for as long as it lasts: nobody has to hold one.

    Args:
        client: a session with the Management API.
        ref: the project.
        before_write: called before each write.

    Raises:
        OperatorError: the project has no secret key.
    """

    def __init__(self, client: Client, ref: str, before_write: Callable[[], None]) -> None:
        keys = [key.api_key for key in client.keys(ref) if key.type == "secret"]
        if not keys:
            raise OperatorError("has no secret key", f"project {ref}", "Run `up`: it makes one.")
        self._where = f"accounts of project {ref}"
        self._http = Transport(api_url(client.base_url, client.project(ref)), keys[0], before_write, apikey=True)

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def invite(self, email: str) -> str:
        """Send an invitation, once more to who has not followed an earlier one; the account's id.

        Raises:
            ApiError: 400 from Supabase's built-in mailer, which writes to the organization's own team only.
        """
        return str(self._write("/auth/v1/invite", {"email": email})["id"])

    def invitation_link(self, email: str) -> tuple[str, str]:
        """The account's id, and a link that lets its holder in once; an earlier one stops working."""
        answer = self._write("/auth/v1/admin/generate_link", {"type": "invite", "email": email})
        return str(answer["id"]), str(answer["action_link"])

    def _write(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._http.write("POST", path, body)
        except ApiError as error:
            if not error.unauthorized:
                raise
            remedy = "Give the access token api_gateway_keys_read, and run again in a minute."
            raise OperatorError(f"the project refuses its secret key: {error.reason}", self._where, remedy) from error
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            raise ApiError("POST", path, 200, "the answer has an unexpected shape: lacks 'id'")
        return answer
