"""The one door: asked once, within a budget, redacted, recorded."""

import asyncio
from typing import Any

import pytest

from tests.world import Answering, World
from workers.collect.look import Looker
from workers.collect.redact import clean
from workers.core.evidence.kube_proxy import ProxyProcess
from workers.core.evidence.reach import ApiAnswer, ApiAnswers, ApiReach
from workers.core.evidence.service import GetService, Nodes
from workers.core.query import Query, Seen

CHECKOUT = GetService("shop", "checkout")
KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIB\n-----END EC PRIVATE KEY-----"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVz.c2lnbmF0dXJl"


async def test_the_same_question_is_asked_once() -> None:
    """Also by two checks at the same time."""
    source = Answering(World())
    look = Looker(source, now=lambda: 0.0)
    first, second = await asyncio.gather(look(CHECKOUT), look(CHECKOUT))
    assert first is second
    assert await look.all([CHECKOUT, CHECKOUT]) == [first, first]
    assert (await look.both(CHECKOUT, Nodes()))[0] is first
    assert source.asked == [CHECKOUT, Nodes()]


async def test_a_second_look_waits_from_the_first_on() -> None:
    """And is itself asked once."""
    source, now = Answering(World(at=100.0)), 99.9
    look = Looker(source, now=lambda: now)
    await look(CHECKOUT)
    begun = asyncio.get_running_loop().time()
    assert (await look.later(CHECKOUT, after=0.0)).value is not None
    await look.later(CHECKOUT, after=0.0)
    assert asyncio.get_running_loop().time() - begun >= 0.09
    assert source.asked == [CHECKOUT, CHECKOUT]
    assert [one.nth for one in look.recorded()] == [1, 2]


async def test_recorded_second_looks_are_not_waited_for() -> None:
    """They are there already."""
    look = Looker(Answering(World(at=100.0)), now=lambda: 0.0, wait=False)
    async with asyncio.timeout(1):
        await look.later(CHECKOUT, after=30.0)


async def test_a_spent_budget_is_said_and_recorded() -> None:
    """By number and by time; a replay comes to the same end."""
    look = Looker(Answering(World()), now=lambda: 0.0, budget=1)
    await look(Nodes())
    seen = await look(ProxyProcess("node-1"))
    assert seen.missing is not None
    assert (seen.missing.reason, seen.node, seen.value) == ("over-budget", "node-1", None)
    assert len(look.recorded()) == 2
    late = Looker(Answering(World()), now=lambda: 2.0, until=1.0)
    assert (await late(CHECKOUT)).missing is not None


async def test_looks_are_counted() -> None:
    """For people who wait."""
    counts: list[int] = []
    look = Looker(Answering(World()), now=lambda: 0.0, on_look=counts.append)
    await look.all([CHECKOUT, Nodes(), CHECKOUT])
    assert counts == [1, 2]


async def test_one_who_gives_up_takes_nothing_from_the_others() -> None:
    """A check that is cancelled does not cancel the look."""
    source = Slow()
    look = Looker(source, now=lambda: 0.0)
    first = asyncio.ensure_future(look(CHECKOUT))
    second = asyncio.ensure_future(look(CHECKOUT))
    await asyncio.sleep(0)
    first.cancel()
    source.go.set()
    assert (await second).value is not None
    assert first.cancelled() or first.cancelling()


class Slow(Answering):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(World())
        self.go = asyncio.Event()

    async def fetch(self, query: Query[Any]) -> Seen[Any]:
        """As soon as `go` is set."""
        await self.go.wait()
        return await super().fetch(query)


async def test_unanswered_looks_are_not_recorded() -> None:
    """A run that was given up has seen what it has seen."""
    look = Looker(Slow(), now=lambda: 0.0)
    waiting = asyncio.ensure_future(look(CHECKOUT))
    await asyncio.sleep(0)
    assert look.recorded() == ()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_secrets_are_cut_out_where_evidence_is_collected() -> None:
    """Nothing behind the door ever holds them: not the check, not the bundle."""
    answers = ApiAnswers((ApiAnswer("a:1", "error", detail=f"Authorization: Bearer {JWT}; {KEY}"),))
    look = Looker(Answering(World(api={"node-1": answers})), now=lambda: 0.0)
    seen = await look(ApiReach("node-1"))
    assert seen.value is not None
    assert seen.value.answers[0].detail == "Authorization: Bearer [redacted]; [redacted]"
    assert look.recorded()[0].seen == seen


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (KEY, "[redacted]"),
        (KEY[:50], "[redacted]"),
        (f"token is {JWT}", "token is [redacted]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"),
        ("https://user:pass@registry/x", "https://[redacted]@registry/x"),
        ("password=hunter2 next", "password=[redacted] next"),
        ('{"token": "abc def"}', '{"token": [redacted]}'),
        ("    client-key-data: LS0tLS1CRUdJTg==", "    client-key-data: [redacted]"),
        ("kube-proxy --token abc --v 2", "kube-proxy --token [redacted] --v 2"),
        ("api_key: x", "api_key: [redacted]"),
    ],
)
def test_secrets_are_known_by_their_shape(text: str, cleaned: str) -> None:
    """Keys, tokens, passwords, kubeconfig fields."""
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        '-A KUBE-SERVICES -m comment --comment "shop/auth-token:http has no endpoints" -j REJECT',
        "shop/vault-secret:80-8080 -> 10.244.1.5:8080",
        "Post https://172.30.0.1:6443/api: dial tcp: i/o timeout",
        "kube-proxy-token-abcde",
    ],
)
def test_evidence_that_only_looks_like_a_secret_is_left(text: str) -> None:
    """A Service may be named `auth-token`: its rules must stay what they are."""
    assert clean(text) == text
