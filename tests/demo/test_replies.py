"""Does a response_url keep Slack's rules: five uses, thirty minutes, replace, delete, ephemeral?"""

import pytest

from bot.demo.errors import SlackRefuses
from bot.demo.people import BOT_USER
from bot.demo.replies import Replies
from bot.demo.validate import Limits
from bot.demo.world import Message, World
from tests.demo.test_bad_luck import Clock


@pytest.fixture
def clock() -> Clock:
    """A clock that a test moves."""
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    """A workspace without a network."""
    return World(clock=clock)


@pytest.fixture
def replies(world: World) -> Replies:
    """Its response_urls."""
    return Replies(world, Limits())


def test_five_answers_and_no_sixth(world: World, replies: Replies) -> None:
    """The sixth use is refused."""
    key = replies.issue("C1INC", "U1ALICE")
    for number in range(5):
        replies.answer(key, {"text": str(number)})
    with pytest.raises(SlackRefuses, match="used_url"):
        replies.answer(key, {"text": "6"})
    assert len(world.ephemerals("alice")) == 5


def test_thirty_minutes_and_no_longer(replies: Replies, clock: Clock) -> None:
    """After half an hour, or for a made-up URL, there is nothing to answer to."""
    key = replies.issue("C1INC", "U1ALICE")
    clock.now += 1799
    replies.answer(key, {"text": "just in time"})
    clock.now += 1
    for late in (key, "made-up"):
        with pytest.raises(SlackRefuses, match="expired_url"):
            replies.answer(late, {"text": "late"})


def test_an_answer_is_for_one_person_unless_it_says_otherwise(world: World, replies: Replies) -> None:
    """Ephemeral by default; `in_channel` for all."""
    key = replies.issue("C1INC", "U1ALICE")
    replies.answer(key, {"text": "private"})
    replies.answer(key, {"text": "public", "response_type": "in_channel"})
    assert [message.text for message in world.ephemerals("alice")] == ["private"]
    assert [message.text for message in world.messages("C1INC")] == ["public"]


def test_the_pressed_message_is_replaced_or_deleted(world: World, replies: Replies) -> None:
    """An ephemeral message too: a response_url is the only way to change one."""
    for only_for in ("", "U1ALICE"):
        message = world.post(Message("C1INC", "", BOT_USER, "old", only_for=only_for))
        key = replies.issue("C1INC", "U1ALICE", message)
        replies.answer(key, {"text": "new", "replace_original": True})
        assert world.find("C1INC", message.ts).text == "new"
        replies.answer(key, {"delete_original": True})
        assert world.find("C1INC", message.ts) is None


def test_delete_original_stands_alone(world: World, replies: Replies) -> None:
    """Together with anything else it is refused, and nothing is deleted."""
    message = world.post(Message("C1INC", "", BOT_USER, "old"))
    key = replies.issue("C1INC", "U1ALICE", message)
    with pytest.raises(SlackRefuses, match="invalid_payload"):
        replies.answer(key, {"delete_original": True, "text": "x"})
    assert world.find("C1INC", message.ts)


def test_an_answer_to_a_press_in_a_thread_stays_there(world: World, replies: Replies) -> None:
    """The ephemeral refusal of a press appears where the button is."""
    parent = world.post(Message("C1INC", "", BOT_USER, "parent"))
    card = world.post(Message("C1INC", "", BOT_USER, "card", thread_ts=parent.ts))
    replies.answer(replies.issue("C1INC", "U1ALICE", card), {"text": "not you"})
    assert world.ephemerals("alice")[0].thread_ts == parent.ts


def test_bad_blocks_and_no_text_are_refused(world: World, replies: Replies) -> None:
    """The rules of blocks hold here as well; only the limit on all of them together does not."""
    key = replies.issue("C1INC", "U1ALICE")
    with pytest.raises(SlackRefuses, match="invalid_blocks"):
        replies.answer(key, {"blocks": [{"type": "section"}]})
    with pytest.raises(SlackRefuses, match="no_text"):
        replies.answer(key, {})
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}
    replies.answer(key, {"text": "t", "blocks": [long] * 5})
    assert len(world.ephemerals("alice")) == 1
