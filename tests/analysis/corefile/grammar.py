"""Corefiles made from each plugin's own options, and from braces and snippets in any order; alike for the same seed."""

import random
from pathlib import Path
from typing import Any

import yaml

GRAMMAR = yaml.safe_load((Path(__file__).parent / "grammar.yaml").read_text(encoding="utf-8"))
POOLS: dict[str, list[str]] = GRAMMAR["pools"]
PLUGINS: dict[str, dict[str, Any]] = GRAMMAR["plugins"]
SPECIAL: list[str] = GRAMMAR["special"]
ANY = [word for pool in POOLS.values() for word in pool]


def corefiles(seed: int, count: int) -> list[str]:
    """So many Corefiles, most with one or two plugins in one server block."""
    chance = random.Random(seed)  # noqa: S311 -- chance that can be repeated
    return [_corefile(chance) for _ in range(count)]


def _corefile(chance: random.Random) -> str:
    blocks = []
    for _ in range(1 if chance.random() < 0.9 else 2):
        keys = (
            [chance.choice(POOLS["zones"]) for _ in range(chance.choice((1, 1, 2)))] if chance.random() < 0.15 else "."
        )
        lines = [_use(chance, chance.choice(list(PLUGINS))) for _ in range(chance.choice((1, 1, 1, 2)))]
        blocks.append(f"{' '.join(keys)} {{\n" + "\n".join(lines) + "\n}\n")
    return "".join(blocks)


def _use(chance: random.Random, name: str) -> str:
    plugin = PLUGINS[name]
    args, options = chance.choice([plugin["args"], *plugin.get("variants", [])]), plugin.get("options", {})
    line = " ".join([name, *_args(chance, args)])
    if not options or chance.random() < 0.25:
        return line
    chosen = [chance.choice(list(options)) for _ in range(chance.choice((1, 1, 2, 3)))]
    block = "".join(f"  {' '.join([option, *_args(chance, options[option])])}\n" for option in chosen)
    return f"{line} {{\n{block}}}"


def _args(chance: random.Random, pools: list[list[str] | str]) -> list[str]:
    """Mostly one word from each pool; sometimes fewer, more, or a stranger."""
    count = len(pools) if chance.random() < 0.7 else chance.randint(0, len(pools) + 1)
    words = [_word(chance, pool) for pool in pools[:count]]
    if count > len(pools) or (words and chance.random() < 0.05):
        words.append(chance.choice(ANY))
    return [_quoted(chance, word) for word in words]


def _word(chance: random.Random, pool: list[str] | str) -> str:
    """A word of a pool, of the first three more often: else hardly any Corefile would load."""
    words = POOLS[pool] if isinstance(pool, str) else pool
    return chance.choice(words[:3] if chance.random() < 0.6 else words)


def _quoted(chance: random.Random, word: str) -> str:
    spaced = " " in word and not word.startswith('"') and chance.random() < 0.5
    return f'"{word}"' if spaced or not word else word


def layouts(seed: int, count: int) -> list[str]:
    """So many texts of braces, snippets, imports, quotation marks and comments in any order."""
    chance = random.Random(seed)  # noqa: S311 -- chance that can be repeated
    return [_layout(chance) for _ in range(count)]


def _layout(chance: random.Random) -> str:
    parts = [part or chance.choice(GRAMMAR["fragments"]) for part in chance.choice(GRAMMAR["frames"])]
    for _ in range(chance.choice((0, 1, 2, 3))):
        parts.insert(chance.randint(0, len(parts)), chance.choice(GRAMMAR["fragments"]))
    return "".join(part + chance.choice(("\n", "\n", "\n", "\n", " ", "\r\n", "")) for part in parts)
