"""A project as the emulator keeps it: its phases follow the clock, and its database is up before its services."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.emulators.rest import RefusedError
from local.emulators.supabase.calls import Call

KIND = "supabase:project"
SIZES = (
    "nano", "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge",
    *(f"{size}{kind}" for size in ("24xlarge", "48xlarge")
      for kind in ("", "_optimized_cpu", "_optimized_memory", "_high_memory")),
)  # fmt: skip
DATABASE_UP = 0.4  # of the time that a project takes; its services follow one by one
# Phase that ends by itself -> what it ends in.
ENDS_IN = {"coming up": "active", "restoring": "active", "pausing": "inactive"}
STATUS = {"active": "ACTIVE_HEALTHY", "restoring": "RESTORING", "pausing": "PAUSING", "inactive": "INACTIVE"}

Project = dict[str, Any]


def find(call: Call) -> Project:
    """The project that the path names, as it is now."""
    project = call.context.store.get(KIND, call.path["ref"])
    if project is None:
        raise RefusedError(404, "Project not found")
    return settle(call, project)


def settle(call: Call, project: Project) -> Project:
    """Let the clock end a phase whose time has passed; looking at a project writes nothing."""
    if project["phase"] in ENDS_IN and age(call, project) >= call.context.startup:
        project["phase"] = ENDS_IN[project["phase"]]
    return project


@contextmanager
def changing(call: Call) -> Iterator[Project]:
    """The project that the path names, kept as it is at the end; nobody else changes it meanwhile."""
    with call.context.store.transaction():
        project = find(call)
        yield project
        call.context.store.put(KIND, project["ref"], project)


def database_up(call: Call, project: Project) -> bool:
    """Whether the project's database takes connections."""
    if project["phase"] in ("coming up", "restoring"):
        return age(call, project) >= DATABASE_UP * call.context.startup
    return bool(project["phase"] == "active")


def age(call: Call, project: Project) -> float:
    """Seconds since the project entered its phase."""
    return call.context.clock().timestamp() - float(project["since"])


def status(call: Call, project: Project) -> str:
    """The status that the service shows."""
    if project["phase"] == "coming up":
        return "UNKNOWN" if age(call, project) < 0.1 * call.context.startup else "COMING_UP"
    return STATUS[project["phase"]]


def enter(call: Call, project: Project, phase: str) -> None:
    """Let a phase begin now."""
    project |= {"phase": phase, "since": call.context.clock().timestamp()}
