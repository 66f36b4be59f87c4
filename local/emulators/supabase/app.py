"""The Supabase Management API over a real Postgres, where every project is a database, and each project's own API."""

import secrets
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount

from local.emulators.context import Context
from local.emulators.rest import RefusedError
from local.emulators.store import Store
from local.emulators.supabase import (
    configuration,
    extras,
    gateway,
    keys,
    logs,
    organizations,
    pooler,
    projects,
    settings,
)
from local.emulators.supabase import (
    magic_links as links,
)
from local.emulators.supabase.calls import LACKING, ORGANIZATION, Call, gate, no_route, refuse, route
from local.emulators.supabase.database import ProjectDatabases
from local.emulators.supabase.project import find


def exports(url: str) -> dict[str, str]:
    """The environment variables that lead a client here, but for the token."""
    return {"SUPABASE_API_URL": url, "SUPABASE_ORG_SLUG": ORGANIZATION}


def token(store: Store) -> str:
    """The one access token, made up for each store."""
    kept = store.get("supabase:token", "token") or {"value": f"sbp_{secrets.token_hex(20)}"}
    store.put("supabase:token", "token", kept)
    return str(kept["value"])


def app(context: Context) -> Starlette:
    """The emulator; `context.postgres` runs already."""
    databases = ProjectDatabases(context.postgres, context.remembered)
    databases.prepare()
    guard = pooler.start(context)
    databases.pooler_port = guard.port
    local = [
        route("POST", "/_local/projects/{ref}/copy", _copy, 201),
        route("DELETE", "/_local/copies/{name}", _drop_copy),
        route("GET", "/_local/projects/{ref}/mail", links.mail),
        route("PUT", "/_local/projects/{ref}/pooler", partial(_refuse_logins, guard)),
        route("PUT", "/_local/token", _take_permissions),
    ]
    starlette = Starlette(
        routes=[
            *organizations.ROUTES,
            *keys.ROUTES,
            *logs.ROUTES,
            *settings.ROUTES,
            *configuration.ROUTES,
            *extras.ROUTES,
            *projects.ROUTES,
            *local,
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=gate)],
        exception_handlers={RefusedError: refuse, 404: no_route, 405: no_route},
    )
    starlette.state.context = context
    starlette.state.token = token(context.store)
    starlette.state.databases = databases
    return Starlette(routes=[Mount("/projects", gateway.app(context, databases)), Mount("/", starlette)])


def _take_permissions(call: Call) -> Any:
    """The token from now on lacks the listed permissions."""
    call.context.store.put(LACKING, "token", call.fields({"permissions": list}))
    return call.body


def _refuse_logins(guard: pooler.Pooler, call: Call) -> Any:
    """The pooler refuses the next logins of a project; see its module."""
    order = call.fields({"words": str, "times": int})
    guard.refuse(find(call)["ref"], order["words"], order["times"])
    return order


def _copy(call: Call) -> Any:
    """A scratch copy of a project's database, for trying out what must not happen in the real one."""
    ref = find(call)["ref"]
    name = f"copy_{ref}_{secrets.token_hex(6)}"
    call.databases.copy(ref, name)
    databases = call.databases
    return {"name": name, "dsn": f"postgresql://{databases.login(ref)}@{databases.host}:{databases.port}/{name}"}


def _drop_copy(call: Call) -> Any:
    if not call.path["name"].startswith("copy_"):
        raise RefusedError(404, "No such copy")
    call.databases.drop(call.path["name"])
    return {"name": call.path["name"]}
