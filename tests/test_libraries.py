"""The libraries under the components stand on their own, at run time too."""

import subprocess
import sys

import pytest

from tests.layout import LIBRARIES

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
tops = {name.partition(".")[0] for name in sys.modules}
print(*sorted(tops & {"pulumi", "grpc", "components", "automation", "local"}))
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_loads_neither_pulumi_nor_what_lies_above_it(library: str) -> None:
    command = [sys.executable, "-c", IMPORT_ALL, library]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
