"""What other people's state, scripts and reviews rely on: class paths, tokens, import directions, the budget."""

import ast
import importlib
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import dill
import pytest

ROOT = Path(__file__).parent.parent

PROVIDERS = {
    "components.supabase.project": ("ProjectProvider", "Project", "pulumi-python:dynamic/supabase:Project"),
    "components.supabase.endpoints": ("EndpointsProvider", "Endpoints", "pulumi-python:dynamic/supabase:Endpoints"),
    "components.supabase.api_key": ("ApiKeyProvider", "ApiKey", "pulumi-python:dynamic/supabase:ApiKey"),
    "components.supabase.owner": ("OwnerProvider", "Owner", "pulumi-python:dynamic/supabase:Owner"),
    "components.supabase.settings": ("SettingsProvider", "Settings", "pulumi-python:dynamic/supabase:Settings"),
    "components.schema.resource": ("SchemaProvider", "Schema", "pulumi-python:dynamic/schema:Schema"),
}

PRODUCT_LINES = 5850
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
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


def test_the_program_is_under_forty_lines() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) < 40


def code_lines(*folders: str) -> int:
    """Lines that hold Python or SQL: neither blank, nor comment, nor docstring."""
    python = sum(_python_lines(file) for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return python + sum(_sql_lines(file) for folder in folders for file in (ROOT / folder).rglob("*.sql"))


def _sql_lines(file: Path) -> int:
    lines = (line.strip() for line in file.read_text().splitlines())
    return sum(bool(line) and not line.startswith("--") for line in lines)


def _python_lines(file: Path) -> int:
    source = file.read_text()
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


def test_the_product_stays_within_its_budget_and_the_stand_ins_stay_smaller() -> None:
    rehearsal = code_lines("automation/rehearsal")
    product = code_lines("components", "automation") - rehearsal
    assert product <= PRODUCT_LINES, product
    assert code_lines("emulators") + rehearsal < product + code_lines("sql")


def test_at_most_twelve_direct_run_time_packages() -> None:
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    assert len(pins) <= 12
