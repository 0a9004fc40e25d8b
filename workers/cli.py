"""What can be typed after `netdiag`, and which module answers it?

Modules are named as text and imported only when their command is called, so that a machine with one extra can run its
role, and `netdiag --help` imports nothing.
"""

import importlib
from typing import Any, NamedTuple

import click

from workers import grammar
from workers.core.errors import NetdiagError, NotAllowed, NotTrusted, TypedWrongly


class Entry(NamedTuple):
    """A command: `module:attribute`, the extra that brings what it imports (empty: none), and a line of help."""

    where: str
    extra: str
    help: str


COMMANDS = {
    "bot": Entry("bot.__main__:command", "bot", "The Slack side."),
    "worker": Entry("workers.worker:command", "worker", "The cluster side: looks, or changes what was approved."),
    "agent": Entry("workers.agent.command:command", "agent", "The node side: answers probes."),
    "demo": Entry("bot.demo.command:command", "demo", "The whole story in a browser, without Slack and cluster."),
    "doctor": Entry(
        "bot.doctor.command:command", "bot", "Is everything there that the bot needs, and what is to be done?"
    ),
    "audit": Entry("bot.audit_cli:command", "bot", "Read and verify the audit trail."),
    "replay": Entry("workers.offline.replay:command", "", "Print what a recorded run finds."),
    "corefile": Entry(
        "workers.offline.corefile:command", "", "Say whether CoreDNS loads a Corefile, and what will hurt."
    ),
    "keys": Entry("workers.keys:command", "", "Make, replace and hand out the keys of bot and workers."),
    **{
        one.name: Entry("workers.offline.direct:command", "worker", f"{one.help['en']} (by your kubeconfig)")
        for one in grammar.COMMANDS.values()
        if one.kind == "check"
    },
}
OURS = ("bot", "workers")


class Stopped(click.ClickException):
    """Ends the command with one sentence; the exit code says that it was called wrongly."""

    exit_code = 2


class Refused(Stopped):
    """Ends the command with one sentence: this may not be done."""

    exit_code = 4


class Failed(Stopped):
    """Ends the command with one sentence: netdiag failed."""

    exit_code = 5


class LazyGroup(click.Group):
    """A group that knows its commands by name, and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now. Raises Stopped when its extra is not installed."""
        entry = COMMANDS.get(cmd_name)
        return load(cmd_name, entry) if entry else super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of `--help`, without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; an error of ours becomes its sentence and the exit code of its kind."""
        try:
            return super().invoke(ctx)
        except TypedWrongly as error:
            raise Stopped(str(error)) from error
        except (NotAllowed, NotTrusted) as error:
            raise Refused(str(error)) from error
        except NetdiagError as error:
            raise Failed(str(error)) from error


def load(name: str, entry: Entry) -> click.Command:
    """Import a command. Raises Stopped with what to install when something outside netdiag is not there."""
    module, _, attribute = entry.where.partition(":")
    try:
        command: click.Command = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if not entry.extra or (error.name or "").partition(".")[0] in OURS:
            raise
        raise Stopped(
            f"netdiag {name} needs the extra '{entry.extra}': pip install 'netdiag-bot[{entry.extra}]'"
            f" ({error.name} is not installed)"
        ) from error
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="netdiag-bot", prog_name="netdiag", message="%(prog)s %(version)s")
def main() -> None:
    """Finds the broken link of a Kubernetes service network, and heals it when a second person agrees."""
