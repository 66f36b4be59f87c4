"""The Supabase Management API over a real Postgres. Every project is a database; nothing else of Supabase runs."""

import secrets
from typing import Any

from starlette.applications import Starlette

from emulators.context import Context
from emulators.supabase import keys, organizations, projects, settings
from emulators.supabase.calls import ORGANIZATION, TOKEN, Call, RefusedError, route
from emulators.supabase.database import ProjectDatabases
from emulators.supabase.project import find


def exports(url: str) -> dict[str, str]:
    """The environment variables that lead a client here."""
    return {"SUPABASE_API_URL": url, "SUPABASE_ACCESS_TOKEN": TOKEN, "SUPABASE_ORG_SLUG": ORGANIZATION}


def app(context: Context) -> Starlette:
    """The emulator; `context.postgres` runs already."""
    local = [
        route("POST", "/_local/projects/{ref}/copy", _copy, 201),
        route("DELETE", "/_local/copies/{name}", _drop_copy),
    ]
    starlette = Starlette(
        routes=[*organizations.ROUTES, *keys.ROUTES, *settings.ROUTES, *projects.ROUTES, *local],
    )
    starlette.state.context = context
    starlette.state.databases = ProjectDatabases(context.postgres)
    starlette.state.databases.prepare()
    return starlette


def _copy(call: Call) -> Any:
    """A scratch copy of a project's database, for trying out what must not happen in the real one."""
    ref = find(call)["ref"]
    name = f"copy_{secrets.token_hex(6)}"
    call.databases.copy(ref, name)
    databases = call.databases
    return {"name": name, "dsn": f"postgresql://{databases.login(ref)}@{databases.host}:{databases.port}/{name}"}


def _drop_copy(call: Call) -> Any:
    if not call.path["name"].startswith("copy_"):
        raise RefusedError(404, "No such copy")
    call.databases.drop(call.path["name"])
    return {"name": call.path["name"]}
