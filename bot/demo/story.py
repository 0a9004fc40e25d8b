"""Does the whole story work? alice asks and proposes, only bob's yes counts, it heals, it is audited.

Each step does what a person would do in the workspace and looks at what that person would then see.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, TypeVar

from bot.demo.driver import Person
from bot.demo.house import House
from bot.demo.people import BOT_USER
from bot.demo.workspace import Workspace
from bot.demo.world import Message, buttons, visible_text

T = TypeVar("T")
CHANNEL = "C1INC"
LOUD = ("channel", "here", "everyone")
ENDED = (":white_check_mark:", ":x:", ":grey_question:", ":no_entry_sign:")


class Told(NamedTuple):
    """A step that went well: what happened, one line of what was seen, and the seconds it took."""

    title: str
    seen: str
    seconds: float


class WentWrong(Exception):
    """A step of the story did not go as it should; the message says what was seen instead."""


class Story:
    """The story in one workspace; `patience` is how many seconds each wait may take."""

    def __init__(self, workspace: Workspace, house: House, *, patience: float = 45.0) -> None:
        self._workspace = workspace
        self._house = house
        self._patience = patience
        self._alice = Person(workspace, "alice")
        self._bob = Person(workspace, "bob")
        self._run = ""  # the run's parent message
        self._card = ""  # the approval's card

    async def tell(self) -> AsyncIterator[Told]:
        """Every step in order. Raises WentWrong at the first that fails."""
        steps: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
            ("the bot is connected", self._connected),
            ("alice types /netdiag svc checkout, and it is acked", self._asks),
            ("the run's message names the cause", self._finds),
            ("alice proposes the remedy, and gets a card", self._proposes),
            ("alice's own approval is refused, visibly", self._own_approval),
            ("bob approves, it runs, and the same check is healthy", self._approves),
            ("/netdiag audit shows it", self._audit),
            ("netdiag audit verify passes", self._verify),
            ("nobody was alerted, no message was refused", self._quiet),
        )
        loop = asyncio.get_running_loop()
        for title, step in steps:
            begun = loop.time()
            try:
                seen = await step()
            except (TimeoutError, AssertionError) as error:
                raise WentWrong(f"{title}: {error}") from error
            yield Told(title, seen, loop.time() - begun)

    async def _connected(self) -> str:
        await self._until(lambda: self._workspace.links.links)
        return f"{len(self._workspace.links.links)} socket"

    async def _asks(self) -> str:
        ack = await self._alice.slash("svc checkout")
        _expect(ack.acked, f"not acked: {ack.error}")
        return f"acked in {ack.seconds * 1000:.0f} ms"

    async def _finds(self) -> str:
        self._run = (await self._until(self._newest_run)).ts
        await self._until(lambda: self._with_button("propose"))
        await self._until(lambda: "Checking" not in self._first_line())
        first = self._first_line()
        _expect("kube-proxy" in first and "node-2" in first, f"the first line is: {first}")
        return first

    def _first_line(self) -> str:
        return visible_text(self._message(self._run)).splitlines()[0]

    async def _proposes(self) -> str:
        finding = await self._until(lambda: self._with_button("propose"))
        await self._alice.press(finding.ts, "propose")
        self._card = (await self._until(lambda: self._with_button("approve"))).ts
        return visible_text(self._message(self._card)).splitlines()[0]

    async def _own_approval(self) -> str:
        before = len(self._alice.ephemerals)
        await self._alice.press(self._card, "approve")
        await self._until(lambda: len(self._alice.ephemerals) > before)
        _expect(_has_button(self._message(self._card), "approve"), "the card has lost its buttons")
        return visible_text(self._alice.ephemerals[-1]).splitlines()[0]

    async def _approves(self) -> str:
        await self._bob.press(self._card, "approve")
        await self._until(self._ended)
        text = visible_text(self._message(self._card))
        _expect(":white_check_mark:" in text, f"the card says: {text}")
        _expect("audit" in text.lower(), f"the card names no audit entry: {text}")
        return text.splitlines()[0]

    async def _audit(self) -> str:
        before = len(self._alice.ephemerals)
        ack = await self._alice.slash("audit")
        _expect(ack.acked, f"not acked: {ack.error}")
        await self._until(lambda: len(self._alice.ephemerals) > before)
        text = visible_text(self._alice.ephemerals[-1])
        _expect("alice" in text or "U1ALICE" in text, f"alice is not in it: {text}")
        _expect("bob" in text or "U2BOB" in text, f"bob is not in it: {text}")
        return f"{len(text.splitlines())} lines"

    async def _verify(self) -> str:
        code, output = await self._house.run("audit", "verify")
        _expect(code == 0, f"exit code {code}: {output}")
        return output.strip().splitlines()[-1]

    async def _quiet(self) -> str:
        loud = [event.data for event in self._workspace.log.of("pinged") if event.data["kind"] in LOUD]
        refused = [event.data for event in self._workspace.log.of("api", ok=False)]
        _expect(not loud, f"alerts: {loud}")
        _expect(not refused, f"refused calls: {[(call['method'], call['error']) for call in refused]}")
        return f"{len(self._workspace.log.of('api'))} calls of Slack's API"

    def _newest_run(self) -> Message | None:
        mine = [message for message in self._workspace.messages(CHANNEL) if message.user == BOT_USER]
        return mine[-1] if mine else None

    def _with_button(self, action_id: str) -> Message | None:
        thread = [self._message(self._run), *self._workspace.thread(CHANNEL, self._run)]
        return next((message for message in thread if _has_button(message, action_id)), None)

    def _ended(self) -> bool:
        """The card has no buttons any more, and one of the signs of an end."""
        card = self._message(self._card)
        return not _has_button(card, "approve") and any(mark in visible_text(card) for mark in ENDED)

    def _message(self, ts: str) -> Message:
        found = self._workspace.find(CHANNEL, ts)
        _expect(found is not None, f"the message {ts} is gone")
        return found  # type: ignore[return-value]  # expected one line above

    async def _until(self, predicate: Callable[[], T | None]) -> T:
        return await self._workspace.wait_for(predicate, self._patience)


def _expect(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _has_button(message: Message, action_id: str) -> bool:
    return any(button.get("action_id") == action_id for button in buttons(message))
