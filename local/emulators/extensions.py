"""Postgres extensions of local mode: those of the server, which the database's owner may create, and stand-ins.

The hosted service lets `postgres` create every extension on its list. Postgres itself allows that for extensions whose
control file says `trusted`, so the server gets a folder of its own with changed copies of the control files
(`extension_control_path`, since Postgres 18). A stand-in is SQL of this repository for an extension whose library the
server lacks; its comment and its errors say so.
"""

import hashlib
import shutil
from pathlib import Path

STAND_INS = Path(__file__).parent / "supabase" / "stand_ins"
# What hosted projects offer (supautils.privileged_extensions), as far as a server here may have it.
OFFERED = (
    *("autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink", "dict_int", "dict_xsyn"),
    *("earthdistance", "fuzzystrmatch", "hstore", "http", "hypopg", "index_advisor", "insert_username", "intarray"),
    *("isn", "ltree", "moddatetime", "pg_cron", "pg_graphql", "pg_hashids", "pg_jsonschema", "pg_net", "pg_partman"),
    *("pg_prewarm", "pg_repack", "pg_stat_monitor", "pg_stat_statements", "pg_trgm", "pg_walinspect", "pgaudit"),
    *(
        "pgcrypto",
        "pgjwt",
        "pgmq",
        "pgroonga",
        "pgrouting",
        "pgrowlocks",
        "pgstattuple",
        "pgtap",
        "plpgsql_check",
        "postgis",
    ),
    *("postgres_fdw", "refint", "rum", "seg", "sslinfo", "supabase_vault", "tablefunc", "tcn", "tsm_system_rows"),
    *("tsm_system_time", "unaccent", "uuid-ossp", "vector", "wrappers"),
)
# What the hosted service runs once an extension is there, added to the script that makes it.
AFTER = {"postgres_fdw--1.0.sql": "grant usage on foreign data wrapper postgres_fdw to @extowner@ with grant option;"}
PI_WORDS = 18 + 4 * 256  # Blowfish's subkeys and boxes


def install(folder: Path, server: Path) -> Path:
    """Write the extensions' files anew.

    Args:
        folder: where the server can read; replaced.
        server: the server's own `extension` folder.

    Returns:
        the value for `extension_control_path`, without `$system`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    target = folder / "extension"
    target.mkdir(parents=True)
    for name in OFFERED:
        control = server / f"{name}.control"
        if control.exists():
            _copy_trusted(control, target)
        elif (stand_in := STAND_INS / control.name).exists():
            shutil.copy(stand_in, target)
            for script in STAND_INS.glob(f"{name}--*.sql"):
                (target / script.name).write_text(_completed(script.read_text(), name))
    for path in (folder, target, *target.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def digest() -> str:
    """The SHA-256 of all stand-ins, which a template database holds."""
    content = b"".join(path.read_bytes() for path in sorted(STAND_INS.iterdir()))
    return hashlib.sha256(content).hexdigest()


def _copy_trusted(control: Path, target: Path) -> None:
    """Copy a control file and its scripts; Postgres looks for scripts beside the control file."""
    lines = [line for line in control.read_text().splitlines() if not line.lstrip().startswith("trusted")]
    (target / control.name).write_text("\n".join([*lines, "trusted = true", ""]))
    for script in control.parent.glob(f"{control.stem}--*.sql"):
        (target / script.name).write_text(f"{script.read_text()}\n{AFTER.get(script.name, '')}\n")


def _completed(script: str, name: str) -> str:
    """Put the shared parts of stand-ins into a script."""
    sha1 = (STAND_INS / "sha1.sql").read_text()
    text = script.replace("{sha1}", sha1).replace("{prefix}", name.replace("-", "_"))
    return text.replace("{pi}", ", ".join(map(str, _pi_words()))) if "{pi}" in text else text


def _pi_words() -> list[int]:
    """The fraction of pi in 32-bit words, by Machin's formula."""
    bits = PI_WORDS * 32
    one = 1 << (bits + 64)
    fraction = (4 * (4 * _arctan(5, one) - _arctan(239, one)) - 3 * one) >> 64
    return [(fraction >> (bits - 32 * (word + 1))) & 0xFFFFFFFF for word in range(PI_WORDS)]


def _arctan(inverse: int, one: int) -> int:
    """The arcus tangent of 1/inverse, as a multiple of 1/one."""
    power = one // inverse
    total, divisor = power, 1
    while power:
        power //= -inverse * inverse
        divisor += 2
        total += power // divisor
    return total
