"""Run the benchmarks: `make bench`, or `make bench ARGS=schema` for one of them."""

import importlib
import sys

BENCHMARKS = ("schema", "upgrade", "isolation", "crm", "client", "requests")


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, or all; refuse a name that is none."""
    if unknown := set(chosen) - set(BENCHMARKS):
        sys.stderr.write(f"no benchmark '{unknown.pop()}'; there are {', '.join(BENCHMARKS)}\n")
        return 2
    for name in chosen or BENCHMARKS:
        importlib.import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
