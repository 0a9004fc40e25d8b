"""What does netdiag say, in English and in Chinese? The sentences of `words.yaml`, by name.

Parameters are plain text: whoever puts a sentence into a message decides how it is kept literal.
"""

import functools
import importlib.resources

import yaml

LANGUAGES = ("en", "zh")
Words = dict[str, dict[str, dict[str, str]]]


@functools.cache
def load() -> Words:
    """Every sentence: group -> name -> language -> text."""
    text = (importlib.resources.files("bot.cards") / "words.yaml").read_text(encoding="utf-8")
    words: Words = yaml.safe_load(text)
    return words


def say(language: str, key: str, **params: object) -> str:
    """The sentence `group.name` in this language (English for one we do not have). Raises KeyError for no such one."""
    group, _, name = key.partition(".")
    sentences = load()[group][name]
    return sentences.get(language, sentences["en"]).format(**params)


def refusal(language: str, reason: str, **params: object) -> str:
    """Why something may not be done; `reason` is a NotAllowed's."""
    if reason.startswith("already-") and reason not in load()["refused"]:
        state = say(language, f"state.{reason.removeprefix('already-')}")
        return say(language, "refused.already", state=state, by=params.get("by", ""))
    return say(language, f"refused.{reason}", **params)
