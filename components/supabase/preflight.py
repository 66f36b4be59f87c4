"""What Supabase would refuse a new client for, asked before anything of it is created: `python -m
components.supabase.preflight CLIENT [--fresh]`.

A bare `pulumi up` asks the same when it creates the project; by then other resources may exist. Read-only.
"""

import sys
from pathlib import Path

from components.errors import OperatorError
from components.settings import ClientSettings, load_settings
from components.supabase.allocation import check_region, find_project, visible_organization
from components.supabase.client import Client
from components.supabase.ownership import foreign, marked, require_region


def preflight(client: Client, settings: ClientSettings, *, fresh: bool) -> str:
    """Check token, organization, region and name for a client that has no project yet.

    Args:
        fresh: nothing of the client is in state, not even a password, so only our mark can prove that a project of
            that name is ours. Otherwise an interrupted create may have made it, and creating tries the password.

    Returns:
        one line that says where the project will be and on which plan.

    Raises:
        OperatorError: the first thing that will not do.
    """
    organization = visible_organization(client, settings.organization)
    found = find_project(client, settings.organization, settings.project_name)
    if found is None:
        check_region(client, settings.organization, settings.region, settings.instance_size)
    else:
        require_region(found, settings.region)
        if fresh and not settings.adopt and not marked(client, found, settings.client_id):
            raise foreign(found, settings.client_id)
    where = f"organization {settings.organization} (plan {organization.plan}), region {settings.region}"
    return f"Supabase: {where}, project {settings.project_name} {'exists' if found else 'is new'}"


def main(client_id: str, *, fresh: bool) -> int:
    """Print the line of `preflight`, or on standard error what is refused and exit 1."""
    try:
        settings = load_settings(client_id, Path.cwd())
        with Client.from_environment() as client:
            sys.stdout.write(f"{preflight(client, settings, fresh=fresh)}\n")
    except OperatorError as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], fresh="--fresh" in sys.argv[2:]))
