"""Encrypts the secrets of a state file under `PULUMI_CONFIG_PASSPHRASE`."""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from common.errors import OperatorError

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 - the variable's name


class Vault:
    """Seals JSON values with XSalsa20-Poly1305; the key is derived by scrypt from the passphrase and a salt.

    Args:
        environment: holds the passphrase.
        salt: of the state file; a new one when None.

    Raises:
        OperatorError: the passphrase is not set.
    """

    def __init__(self, environment: Mapping[str, str], salt: bytes | None = None) -> None:
        passphrase = environment.get(PASSPHRASE)
        if passphrase is None:
            raise OperatorError("is not set", PASSPHRASE, "It encrypts the secrets of the stack's state: export it.")
        self.salt = os.urandom(16) if salt is None else salt
        self._box = SecretBox(hashlib.scrypt(passphrase.encode(), salt=self.salt, n=2**14, r=8, p=1, dklen=32))

    def seal(self, value: Any) -> str:
        """A value as base64 text."""
        return base64.b64encode(self._box.encrypt(json.dumps(value).encode())).decode()

    def open(self, sealed: str) -> Any:
        """What `seal` was given.

        Raises:
            OperatorError: sealed under another passphrase, or tampered with.
        """
        try:
            return json.loads(self._box.decrypt(base64.b64decode(sealed)))
        except CryptoError:
            raise OperatorError(
                "does not open the stack's state", PASSPHRASE, "Use the one it was made with."
            ) from None
