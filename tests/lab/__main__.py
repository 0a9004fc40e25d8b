"""What can be done with the lab from a terminal: `python -m tests.lab build|capabilities|in|shell|record|score`."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from tests.lab import build, capabilities, cell, namespaces
from tests.lab.processes import LabError


def main() -> int:
    """Exit code 0 when it worked, 1 when not, 2 when typed wrongly."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments) or 0)
    except (LabError, build.CannotBuildError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    each = commands.add_parser(
        "build", help="build Kubernetes and CoreDNS from their pinned Go modules; at once when built"
    )
    each.add_argument("--background-nice", action="store_true", help="with the lowest useful priority")
    each.set_defaults(run=_build)
    each = commands.add_parser("capabilities", help="try what the lab needs; exit code 1 when something is missing")
    each.set_defaults(run=lambda _: capabilities.report())
    each = commands.add_parser("score", help="what netdiag says of each fault; the last line is JSON (root)")
    each.add_argument("--only", action="append", default=[], metavar="ID")
    default = str(cell.Cell())
    each.add_argument("--cells", type=_cells, default=default, metavar="CELL,CELL", help=f"or all (default {default})")
    each.add_argument("--healthy-only", action="store_true", help="only ask each healthy cell; inject nothing")
    each.add_argument("--ci", action="store_true", help="all faults in one cell, some in pairwise others, all healthy")
    each.add_argument("--record", type=Path, metavar="DIR", help="write bundles before and after each fault")
    each.add_argument("--json", action="store_true", help="print nothing but the line of JSON")
    each.add_argument("--table", type=Path, metavar="FILE", help="write the scoreboard as a page of Markdown")
    each.set_defaults(run=_score)
    each = commands.add_parser("record", help="write before.bundle and after.bundle of a fault into DIR (root)")
    each.add_argument("--fault", required=True, metavar="ID")
    each.add_argument("folder", type=Path, metavar="DIR")
    each.set_defaults(run=_record)
    each = commands.add_parser("shell", help="a cluster to play in, with kubectl; broken, if a fault is named (root)")
    each.add_argument("--fault", metavar="ID")
    each.set_defaults(run=_shell)
    for each in map(commands.choices.__getitem__, ("shell", "record")):
        each.add_argument("--cell", type=_cell, default=default, metavar="CELL", help=f"default {default}")
    each = commands.add_parser("in", help="run a command inside the lab's own namespaces (root)")
    each.add_argument("argv", nargs="+", metavar="COMMAND")
    each.set_defaults(run=lambda arguments: namespaces.enter(arguments.argv))
    each = commands.add_parser("first", help="(used by `in`)")
    each.add_argument("argv", nargs="+")
    each.set_defaults(run=lambda arguments: namespaces.first_process(arguments.argv))
    return parser


def _cells(text: str) -> list[cell.Cell]:
    return list(cell.every()) if text == "all" else [_cell(name) for name in text.split(",")]


def _cell(text: str) -> cell.Cell:
    try:
        return cell.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _build(arguments: argparse.Namespace) -> int:
    if arguments.background_nice:
        os.nice(15)
    for folder in sorted({str(path.parent) for path in build.build().values()}):
        print(folder)
    return 0


def _shell(arguments: argparse.Namespace) -> int:
    _go_inside()
    from tests.lab import shell  # noqa: PLC0415 - `build` and `in` need none of it

    return asyncio.run(shell.shell(arguments.fault, arguments.cell))


def _score(arguments: argparse.Namespace) -> int:
    _go_inside()
    from tests.lab import faults, score  # noqa: PLC0415 - `build` and `in` need none of it

    everything = faults.load()
    if unknown := sorted(set(arguments.only) - set(everything)):
        raise LabError(f"no fault is called {', '.join(unknown)}; there are {', '.join(sorted(everything))}")
    chosen = () if arguments.healthy_only else arguments.only or sorted(everything)
    plan = score.ci_plan(everything) if arguments.ci else [(one, chosen) for one in arguments.cells]
    return asyncio.run(score.score(plan, quiet=arguments.json, table=arguments.table, record=arguments.record))


def _record(arguments: argparse.Namespace) -> int:
    _go_inside()
    from tests.lab import record  # noqa: PLC0415 - `build` and `in` need none of it

    arguments.folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(record.record(arguments.fault, arguments.folder, arguments.cell))


def _go_inside() -> None:
    """Start again inside the lab's namespaces, unless this is inside already."""
    if not namespaces.inside():
        build.build()
        namespaces.enter([sys.executable, "-m", "tests.lab", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
