"""The clients of the agency: which there are, which a command means, and the file that each of them has."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from components.errors import OperatorError
from components.settings import PROJECT, check_client_id, load_settings

# Which organization a client goes to is asked when it is created; its file can be checked without.
ANY_ORGANIZATION = {"SUPABASE_ORG_SLUG": "unknown"}


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
    if path.exists():
        return _same_facts(job, read_job(job.client_id, root, local=False), path)
    config = {f"{PROJECT}:{key}": value for key, value in job.facts().items()}
    text = yaml.safe_dump({"config": config}, sort_keys=False, allow_unicode=True, width=1000)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(root / "Pulumi.prod.yaml", folder)
        (Path(folder) / path.name).write_text(text, encoding="utf-8")
        load_settings(job.client_id, Path(folder), "prod", ANY_ORGANIZATION)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return True


def _same_facts(job: ProvisioningJob, there: ProvisioningJob, path: Path) -> bool:
    for key, value in job.facts().items():
        if (found := there.facts()[key]) != value:
            raise OperatorError(
                f"{key} is '{found}' there, not '{value}'", path.name, "Edit the file to change the client."
            )
    return False


def list_clients(root: Path) -> list[str]:
    """Every client: the `Pulumi.<client>.yaml` files that hold a `clientId`, sorted."""
    names = []
    for path in root.glob("Pulumi.*.yaml"):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        except (yaml.YAMLError, UnicodeDecodeError):
            # Cannot be told from an environment's file, so it is named as a client and refused as one.
            content = {"config": {f"{PROJECT}:clientId": None}}
        config = content.get("config") if isinstance(content, dict) else None
        if isinstance(config, dict) and f"{PROJECT}:clientId" in config:
            names.append(path.name.removeprefix("Pulumi.").removesuffix(".yaml"))
    return sorted(names)


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
