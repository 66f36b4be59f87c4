"""The clients of the agency: which there are, which a command means, and the file that each of them has."""

import io
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from common.errors import OperatorError, printable
from components.settings import (
    CLIENT_KEYS,
    ENVIRONMENT_KEYS,
    PROJECT,
    RESERVED,
    check_client_id,
    load_settings,
)
from components.settings_file import OTHER_SUFFIX, SUFFIX, read_settings_file

# Which organization a client goes to is asked when it is created; its file can be checked without.
ANY_ORGANIZATION = {"SUPABASE_ORG_SLUG": "unknown"}
# Wider than the names that Pulumi reads: a file named nearly like a client's is a mistake that somebody must see.
SETTINGS_FILE = re.compile(r"pulumi\..+\.ya?ml", re.IGNORECASE)


@dataclass(frozen=True)
class ProvisioningJob:
    """What an operator says about a new client.

    Attributes:
        client_id: lower-case slug, also the stack's name.
        client_name: the client's name as people write it.
        org_email: address of the client's owner.
        tier: a key of the environment's `tiers`.
    """

    client_id: str
    client_name: str
    org_email: str
    tier: str

    def facts(self) -> dict[str, str]:
        """The facts under the names they have in the client's file."""
        return {
            "clientId": self.client_id,
            "clientName": self.client_name.strip(),
            "orgEmail": self.org_email.strip(),
            "tier": self.tier,
        }


def read_job(client: str, root: Path, *, local: bool) -> ProvisioningJob:
    """Read the facts of a client that has a file, after checking every setting that needs no network.

    Raises:
        OperatorError: naming property, value and rule of the first setting that is wrong.
    """
    settings = load_settings(client, root, "local" if local else None, ANY_ORGANIZATION)
    return ProvisioningJob(settings.client_id, settings.client_name, settings.org_email, settings.tier)


def write_client(job: ProvisioningJob, root: Path) -> bool:
    """Write the client's file unless it is there already.

    Returns:
        Whether a file was written; false when one with the same facts exists.

    Raises:
        OperatorError: a fact is refused, or the file says something else. Nothing is written then.
    """
    check_client_id(job.client_id)
    path = root / f"Pulumi.{job.client_id}.yaml"
    if path.exists() or path.is_symlink() or path.with_suffix(OTHER_SUFFIX).exists():
        return _same_facts(job, read_job(job.client_id, root, local=False), path)
    text = _client_text(job)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(root / "Pulumi.prod.yaml", folder)
        (Path(folder) / path.name).write_text(text, encoding="utf-8")
        load_settings(job.client_id, Path(folder), "prod", ANY_ORGANIZATION)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return True


def _client_text(job: ProvisioningJob) -> str:
    """The file's text; quoted, because YAML readers do not agree on `no`, `null` or `0o7`, and a name may be that."""
    config = {f"{PROJECT}:{key}": DoubleQuotedScalarString(value) for key, value in job.facts().items()}
    yaml, text = YAML(), io.StringIO()
    yaml.width = 1000  # one line for each fact
    yaml.dump({"config": config}, text)
    return text.getvalue()


def _same_facts(job: ProvisioningJob, there: ProvisioningJob, path: Path) -> bool:
    for key, value in job.facts().items():
        if (found := there.facts()[key]) != value:
            raise OperatorError(
                f"{key} is '{found}' there, not '{value}'", path.name, "Edit the file to change the client."
            )
    return False


def list_clients(root: Path) -> list[str]:
    """Name every client, sorted: each settings file that is not an environment's, whatever is wrong with it.

    A file without a `clientId`, with a misspelt one, or one that nothing can read is named too: reading the settings
    of that name says what is wrong. A name that cannot be a client id is printable.
    """
    found = {path for path in root.iterdir() if SETTINGS_FILE.fullmatch(path.name)}
    return sorted({printable(_client_name(path)) for path in found if not _is_environment(path)})


def list_environments(root: Path) -> list[str]:
    """Name every environment that has a settings file, sorted."""
    found = {path for path in root.iterdir() if SETTINGS_FILE.fullmatch(path.name)}
    return sorted({printable(_client_name(path)) for path in found if _is_environment(path)})


def _client_name(path: Path) -> str:
    name = path.name.removeprefix("Pulumi.")
    return name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else name.removesuffix(OTHER_SUFFIX)


def _is_environment(path: Path) -> bool:
    """Whether a file holds the settings of an environment: a reserved name, or keys that only an environment has."""
    if _client_name(path) in RESERVED:
        return True
    try:
        config = read_settings_file(path).get("config")
    except OperatorError:
        return False
    if not isinstance(config, dict):
        return False
    keys = {key.removeprefix(f"{PROJECT}:") for key in config}
    return bool(keys & (ENVIRONMENT_KEYS - CLIENT_KEYS)) and not keys & (CLIENT_KEYS - ENVIRONMENT_KEYS)


def choose_clients(root: Path, named: Sequence[str], *, every: bool, shard: str = "1/1") -> list[str]:
    """The clients that a command means.

    Args:
        root: the folder that holds the clients' files.
        named: client ids, in the order given.
        every: all clients instead.
        shard: `i/n` takes the i-th of n parts; the parts are disjoint and cover all.

    Raises:
        OperatorError: neither or both of `named` and `every`, or a shard that is none.
    """
    if bool(named) == every:
        raise OperatorError("name at least one client, or give --all", "CLIENT")
    index, _, count = shard.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise OperatorError(f"'{shard}' must be i/n with i from 1 to n", "--shard")
    chosen = list_clients(root) if every else list(dict.fromkeys(named))
    return chosen[int(index) - 1 :: int(count)]
