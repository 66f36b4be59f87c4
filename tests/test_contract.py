"""What other people's state, scripts and reviews rely on: class paths, tokens, import directions."""

import importlib
import subprocess
import sys
from pathlib import Path

import dill
import pytest

from components.database import ISOLATION_CHECK
from components.site import PROBE

ROOT = Path(__file__).parent.parent

PROVIDERS = {
    "components.supabase.project": ("ProjectProvider", "Project", "pulumi-python:dynamic/supabase:Project"),
    "components.supabase.endpoints": ("EndpointsProvider", "Endpoints", "pulumi-python:dynamic/supabase:Endpoints"),
    "components.supabase.api_key": ("ApiKeyProvider", "ApiKey", "pulumi-python:dynamic/supabase:ApiKey"),
    "components.supabase.pause": ("PauseProvider", "Pause", "pulumi-python:dynamic/supabase:Pause"),
    "components.supabase.owner": ("OwnerProvider", "Owner", "pulumi-python:dynamic/supabase:Owner"),
    "components.supabase.settings": ("SettingsProvider", "Settings", "pulumi-python:dynamic/supabase:Settings"),
    "components.schema.resource": ("SchemaProvider", "Schema", "pulumi-python:dynamic/schema:Schema"),
}


@pytest.mark.parametrize("module", PROVIDERS)
def test_state_holds_a_providers_class_path_and_nothing_else(module: str) -> None:
    provider = getattr(importlib.import_module(module), PROVIDERS[module][0])()
    pickled = dill.dumps(provider, protocol=dill.DEFAULT_PROTOCOL, recurse=True)
    assert module.encode() in pickled
    assert len(pickled) < 120
    assert vars(provider) == {}


@pytest.mark.parametrize("module", PROVIDERS)
def test_importing_a_provider_declares_nothing_and_stays_cheap(module: str) -> None:
    """The provider process imports the module too: no native provider, no HTTP client, no database driver yet."""
    code = f"import sys, {module}; print([n for n in ('pulumi_github', 'pulumiverse_vercel', 'httpx', 'psycopg')"
    found = subprocess.run(
        [sys.executable, "-c", f"{code} if n in sys.modules])"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("command", "recorded"),
    [(ISOLATION_CHECK, "components.schema.isolation"), (PROBE, "components.probe")],
)
def test_a_command_of_the_state_keeps_its_words_and_fails_where_it_can_see_nothing(command: str, recorded: str) -> None:
    """A module without a main would do nothing and end with exit code 0, which counts as passed."""
    assert command == f".venv/bin/python -m {recorded}"
    environment = {"PATH": "/usr/bin:/bin", "DATABASE_URL": "postgresql://postgres@127.0.0.1:1/none", "SITE_URL": "x"}
    done = subprocess.run([sys.executable, "-m", recorded], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert done.stderr.strip()


def test_the_program_is_under_forty_lines() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) < 40


def test_at_most_fourteen_direct_run_time_packages() -> None:
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    assert len(pins) <= 14
