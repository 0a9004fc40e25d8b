"""A check command at the terminal, by one's own kubeconfig: read-only, and nothing else needs to be installed.

Only the API server is asked. What a node's agent would have told is said to be unknown.
"""

import asyncio
import json
import secrets
import shlex
import time
from pathlib import Path
from typing import Any

import click
import msgspec
from kubernetes import config

from workers import grammar
from workers.analysis.proxy_state import clock
from workers.catalogue import load
from workers.collect.cluster.api import Api
from workers.collect.live import ApiSource
from workers.collect.look import Looker
from workers.core.errors import TypedWrongly
from workers.core.target import Request
from workers.diagnose import Ambiguous, Diagnosed, NoSuchTarget, diagnose, resolve
from workers.offline import said
from workers.release import RELEASE

LONGEST = 60.0  # seconds of a run


@click.command(
    name="check", context_settings={"ignore_unknown_options": True}, options_metavar="[-n NAMESPACE] [OPTIONS]"
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="NAME[:PORT]")
@click.option("--kubeconfig", default=str(config.KUBE_CONFIG_DEFAULT_LOCATION), help="Default: as kubectl's.")
@click.option("--context", help="A context of the kubeconfig; default: the current one.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON (netdiag.run/1), on one line.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of the sentences.")
@click.pass_context
def command(
    ctx: click.Context, words: tuple[str, ...], kubeconfig: str, context: str | None, lang: str, *, as_json: bool
) -> None:
    """Look at NAME in the cluster of your kubeconfig. Nothing is changed there, and no agent is asked.

    Exit code: 0 nothing above info, 1 a finding, 2 typed wrongly, 3 no finding but something that was needed was not
    seen, 5 netdiag failed.
    """
    request = grammar.parse(shlex.join((ctx.info_name or "", *words)))
    if request.target is None or request.target.cluster:
        raise TypedWrongly("The cluster is that of the kubeconfig: choose it by --context NAME.")
    cluster = _context(kubeconfig, context)
    target = msgspec.structs.replace(request.target, cluster=cluster)
    api = Api.connect(Path(kubeconfig), role="your kubeconfig", context=context)
    begun = time.time()
    try:
        ended = asyncio.run(ask(msgspec.structs.replace(request, target=target), api))
    except (NoSuchTarget, Ambiguous) as error:
        choices = "".join(f"\n  netdiag {choice}" for choice in error.choices)
        raise TypedWrongly(f"{error}{choices}") from error
    finally:
        api.close()
    if as_json:
        report = said.as_json(secrets.token_hex(8), ended.target, ended.report, load(), lang)
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        by = f"{clock(begun)}, netdiag {RELEASE}, {cluster}"
        click.echo(said.as_text(ended.target, ended.report, load(), when=by, recorded=False, lang=lang))
    ctx.exit(said.exit_code(ended.report))


def _context(kubeconfig: str, name: str | None) -> str:
    """The context that is used. Raises TypedWrongly, naming those that there are."""
    kube: Any = config  # it ships no types for these
    try:
        contexts, current = kube.list_kube_config_contexts(kubeconfig)
    except (config.ConfigException, OSError) as error:
        raise TypedWrongly(
            f"{kubeconfig} cannot be used: {str(error).rstrip('.')}. Name one by --kubeconfig FILE."
        ) from error
    names = [one["name"] for one in contexts]
    if name and name not in names:
        raise TypedWrongly(f'{kubeconfig} has no context "{name}"; it has {", ".join(names)}.')
    return name or str(current["name"])


async def ask(request: Request, api: Api) -> Diagnosed:
    """The run, over the API server alone. Raises as `resolve`."""
    look = Looker(ApiSource(api, clock=time.time), now=time.time, until=time.time() + LONGEST)
    target = await resolve(request, look)
    return await diagnose(msgspec.structs.replace(request, target=target), look)
