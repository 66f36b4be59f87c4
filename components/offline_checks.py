"""What can be known of a client before its first billed project exists, from its settings and `sql/` alone.

Asked for by the program, which hands the answers to `Project` as inputs, and by `doctor`. Knows no Pulumi.
"""

import re

from components.project_settings import ServiceSettings
from pgschema.lexer import tokens
from pgschema.migrations import read_migrations

SMTP_PASSWORD = "SMTP_PASSWORD"  # noqa: S105 - the name of a variable
# In each new project before any migration.
SUPABASE_SCHEMAS = frozenset(
    {"auth", "extensions", "graphql", "graphql_public", "pgbouncer", "public", "realtime", "storage", "vault"}
)
CREATED = re.compile(
    r"\bcreate\s+schema\s+(?:if\s+not\s+exists\s+)?(?!authorization\b)"
    r'(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>[^\W\d][\w$]*))',
    re.IGNORECASE,
)


def needed_variables(service: ServiceSettings) -> list[str]:
    """The environment variables without which a new client's settings cannot be made."""
    return [SMTP_PASSWORD] if service.mailer else []


def unknown_schemas(service: ServiceSettings) -> list[str]:
    """The schemas of `dataApiSchemas` that neither Supabase nor a migration makes.

    Raises:
        OperatorError: the migrations cannot be read.
    """
    wanted = service.data_api_schemas or ()
    if SUPABASE_SCHEMAS.issuperset(wanted):
        return []
    statements = (statement for migration in read_migrations() for statement in migration.statements)
    made = {_name(found) for statement in statements for found in CREATED.finditer(_code(statement.text))}
    return sorted(set(wanted) - SUPABASE_SCHEMAS - made)


def _code(text: str) -> str:
    """A statement without its comments and string literals; a body in dollar quotes stays."""
    return " ".join(token.text for token in tokens(text) if token.kind != "string")


def _name(found: re.Match[str]) -> str:
    return found["quoted"].replace('""', '"') if found["quoted"] else found["plain"].lower()
