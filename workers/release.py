"""Which netdiag is this? One answer for `--version`, bundles and heartbeats."""

from importlib import metadata

RELEASE = metadata.version("netdiag-bot")
