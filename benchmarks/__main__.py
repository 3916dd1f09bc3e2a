"""`python -m benchmarks`: measures, writes benchmarks/results/NAME.json, prints tables."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import attrs
import trio

from offhook.server.run import leaves, raise_file_limit

from . import calls, dial, legs, machine, memory, register, relay, secure
from .processes import Failed
from .tables import table

RESULTS = Path(__file__).parent / "results"
PRIORITY = -10
"""As nice(1) counts."""
BENCHMARKS = {
    "calls": calls,
    "dial": dial,
    "register": register,
    "relay": relay,
    "secure": secure,
    "legs": legs,
    "memory": memory,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="\n".join(f"{name:10}{first_line(benchmark)}" for name, benchmark in BENCHMARKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("which", nargs="*", help=f"of {', '.join(BENCHMARKS)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="one short round, for trying out: nothing is written")
    given = parser.parse_args(arguments)
    unknown = set(given.which) - BENCHMARKS.keys()
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    raise_file_limit()
    step_forward()
    place = Path(tempfile.mkdtemp(prefix="offhook-bench-"))
    failed = False
    try:
        for name in given.which or BENCHMARKS:
            trio.run(run, name, place / name, given.quick)
    except* Failed as failures:
        failed = True
        for failure in leaves(failures):
            print(f"benchmarks: {failure}", file=sys.stderr)
    if failed:
        print(f"Logs are kept in {place}", file=sys.stderr)
        return 1
    shutil.rmtree(place, ignore_errors=True)
    return 0


def step_forward() -> None:
    """Put this process, and so all that it starts, before other work of the machine, where that is allowed: what is
    measured are the servers and not their neighbours."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)


def first_line(benchmark: ModuleType) -> str:
    return (benchmark.__doc__ or "").partition("\n")[0]


async def run(name: str, place: Path, quick: bool) -> None:
    """One benchmark: measure, print, write."""
    benchmark = BENCHMARKS[name]
    print(f"{name}: {first_line(benchmark)}", flush=True)
    facts = machine.facts()
    runs = await benchmark.measure(place, quick=quick)
    summary = benchmark.summarize(runs)
    print(f"\n{table(summary)}\n", flush=True)
    if quick:
        return
    RESULTS.mkdir(exist_ok=True)
    content = {
        "command": f"python -m benchmarks {name}",
        "machine": facts,
        "summary": [attrs.asdict(each) for each in summary],
        "runs": [attrs.asdict(each) for each in runs],
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(f"written to {path}\n")


if __name__ == "__main__":
    sys.exit(main())
