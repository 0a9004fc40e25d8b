"""What does a recorded run find, with this release's checks?"""

import asyncio
import json
from pathlib import Path

import click
import msgspec

from workers.analysis.proxy_state import clock
from workers.catalogue import load
from workers.collect.bundle import BadBundle, Bundle, BundleSource, unpack
from workers.collect.look import Looker
from workers.core.errors import TypedWrongly
from workers.core.target import Request
from workers.diagnose import Diagnosed, diagnose, resolve
from workers.offline import said


@click.command(name="replay")
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The report as JSON (netdiag.run/1), on one line.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of the sentences.")
@click.pass_context
def command(ctx: click.Context, bundle: Path, lang: str, *, as_json: bool) -> None:
    """Print the findings of the run that was recorded in BUNDLE.

    Exit code: 0 nothing above info, 1 a finding, 3 no finding but something that was needed was not seen.
    """
    recorded = read(bundle)
    ended = asyncio.run(replay(recorded))
    if as_json:
        report = said.as_json(bundle.stem, ended.target, ended.report, load(), lang)
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        by = f"{clock(recorded.at)}, netdiag {recorded.release}"
        click.echo(said.as_text(ended.target, ended.report, load(), when=by, lang=lang))
    ctx.exit(said.exit_code(ended.report))


def read(path: Path) -> Bundle:
    """The bundle in a file. Raises TypedWrongly with a sentence that names the file."""
    try:
        return unpack(path.read_bytes(), load().queries)
    except BadBundle as error:
        raise TypedWrongly(f"{path}: {error}") from error


async def replay(bundle: Bundle) -> Diagnosed:
    """The recorded run again. No second look is waited for: it is there already."""
    # The clock stands still: a replay has neither begun nor can it be late.
    look = Looker(BundleSource(bundle), now=lambda: bundle.at, wait=False)
    target = bundle.target or await resolve(bundle.request, look)
    request: Request = msgspec.structs.replace(bundle.request, target=target)
    return await diagnose(request, look)
