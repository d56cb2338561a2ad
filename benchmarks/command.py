"""The command of the benchmarks, where the platform is up."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Final

from benchmarks import report, suite
from benchmarks.honesty import DishonestError
from tests.environment import end_with
from tests.integration.deployment import missing_variables


def main(arguments: Sequence[str]) -> int:
    """Run benchmarks and keep what they show; 1 if one could not be run or its aim was missed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(suite.BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how often each is measured ({_ROUNDS})")
    options = parser.parse_args(arguments)
    names: list[str] = options.names or list(suite.BENCHMARKS)
    unknown = sorted(set(names) - set(suite.BENCHMARKS))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(suite.BENCHMARKS)}")
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; at least 1 is needed")
    if missing := missing_variables():
        parser.error(f"{', '.join(missing)} not set: benchmarks need the sandbox; run them with `make bench`")
    began = time.monotonic()
    results: list[report.Result] = []
    given_up: list[str] = []
    on = report.machine()
    for name in names:
        _say(began, name)
        try:
            result = suite.BENCHMARKS[name](options.rounds, lambda line: _say(began, f"  {line}"))
        except (DishonestError, RuntimeError, TimeoutError) as error:
            print(f"{name} was given up: {error}", flush=True)
            given_up.append(name)
            continue
        report.save(name, result, on)
        results.append(result)
        print(report.details(result), flush=True)
    print(f"\n{', '.join(f'{key}: {value}' for key, value in on.items())}\n\n{report.table(results)}", flush=True)
    if given_up:
        print(f"\nnot measured: {', '.join(given_up)}", flush=True)
        return 1
    return int(any(finding.met is False for result in results for finding in result.findings))


_ROUNDS: Final = 5


def _say(began: float, line: str) -> None:
    seconds = round(time.monotonic() - began)
    print(f"{seconds // 60:>3} min {seconds % 60:02} s  {line}", flush=True)


if __name__ == "__main__":
    end_with(main)
