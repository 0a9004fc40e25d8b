"""A check command by one's own kubeconfig: what is typed wrongly gets a sentence, and nodes are not asked."""

import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from workers.cli import main
from workers.collect.cluster.api import Api
from workers.collect.live import ApiSource
from workers.core.evidence.kube_proxy import ProxyProcess
from workers.core.evidence.service import Nodes

NOBODY = "https://127.0.0.1:1"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Two contexts, of a cluster where nobody answers."""
    file = tmp_path / "config"
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("prod", "stage")]
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": NOBODY}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": contexts,
        "current-context": "prod",
    }
    file.write_text(yaml.safe_dump(said))
    return file


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["svc"], 2, '"svc" needs a name'),
        (["svc", "a_b"], 2, "cannot be a name"),
        (["svc", "checkout", "--cluster", "prod"], 2, "choose it by --context NAME"),
        (["svc", "checkout", "--context", "dev"], 2, 'no context "dev"; it has prod, stage'),
        (["svc", "checkout", "--kubeconfig", "/nowhere"], 2, "Name one by --kubeconfig FILE"),
        (["svc", "checkout"], 5, f"no connection to the API server at {NOBODY}"),
    ],
)
def test_each_mistake_has_its_sentence(kubeconfig: Path, words: list[str], code: int, sentence: str) -> None:
    """And the exit code of its kind; never a traceback."""
    options = [] if "--kubeconfig" in words else ["--kubeconfig", str(kubeconfig)]
    ended = CliRunner().invoke(main, [*words, *options])
    assert (ended.exit_code, sentence in ended.output) == (code, True), ended.output


async def test_what_an_agent_would_tell_is_missing(kubeconfig: Path) -> None:
    """A node's query is not even tried; one for the API server is, and says why there is no answer."""
    api = Api.connect(kubeconfig, role="your kubeconfig", context="stage")
    source = ApiSource(api, clock=time.time)
    node = await source.fetch(ProxyProcess("node-1"))
    assert (node.missing and node.missing.reason, node.node) == ("api-only", "node-1")
    nodes = await source.fetch(Nodes())
    assert nodes.missing is not None
    assert nodes.missing.reason == "unreachable"
    api.close()
