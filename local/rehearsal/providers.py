"""Finds the provider of a resource type, and starts and stops them all."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from common.errors import OperatorError
from local.rehearsal.command import CommandProvider
from local.rehearsal.dynamic import DynamicProvider
from local.rehearsal.password import PasswordProvider
from local.rehearsal.provider import Provider, ProviderError
from local.rehearsal.simulated import SimulatedProvider
from local.rehearsal.state import Resource

# Where the providers of this process and of the program may send anything: this machine only.
LOOPBACK_ONLY = ("SUPABASE_API_URL", "GITHUB_BASE_URL", "VERCEL_EMULATOR_URL")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def require_loopback(environment: Mapping[str, str]) -> None:
    """Refuse to rehearse against anything but this machine.

    Raises:
        OperatorError: a service's address is missing or not on loopback.
    """
    for name in LOOPBACK_ONLY:
        if urlsplit(environment.get(name, "")).hostname not in LOOPBACK:
            raise OperatorError(
                "must be an address of this machine in rehearsal",
                name,
                "Start the emulators: clients local start.",
            )


class Providers:
    """The providers of one operation.

    `pending` are the URNs of creates that an earlier one did not finish; it is None where the state may have been lost.
    """

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str],
        config: Mapping[str, str],
        log: Path,
        pending: Collection[str] | None,
    ) -> None:
        require_loopback(environment)
        self._dynamic = DynamicProvider(root, environment, config, log)
        self._simulated = {
            "github": SimulatedProvider("github", environment["GITHUB_BASE_URL"], pending),
            "vercel": SimulatedProvider("vercel", environment["VERCEL_EMULATOR_URL"], pending),
        }
        self._by_type: dict[str, Provider] = {
            "command:local:Command": CommandProvider(root, environment),
            "random:index/randomPassword:RandomPassword": PasswordProvider(),
        }

    def start(self, address: str, lock: int | None) -> None:
        """Start the process of the dynamic providers; see `DynamicProvider.start`."""
        self._dynamic.start(address, lock)

    def stop(self) -> None:
        """Stop everything that was started; returns when it has ended."""
        self._dynamic.stop()
        for provider in self._simulated.values():
            provider.close()

    def made_by(self, stack: str, types: Collection[str]) -> Iterator[Resource]:
        """Yield what simulated creates of a stack have made, whether or not its state knows.

        Args:
            types: type tokens that the stack is known to use; services without any are not asked.
        """
        for service, provider in self._simulated.items():
            if any(type_.startswith(f"{service}:") for type_ in types):
                yield from provider.made_by(stack)

    def find(self, type_: str) -> Provider:
        """The provider of a type.

        Raises:
            ProviderError: there is none in rehearsal.
        """
        package = type_.partition(":")[0]
        found = self._by_type.get(type_) or self._simulated.get(package)
        if package == "pulumi-python":
            found = self._dynamic
        if found is None:
            raise ProviderError(f"{type_} is not supported in rehearsal: it needs the pulumi command")
        return found
