"""The verbs of both command lines, as their own parsers know them."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from importlib import import_module

from django.core.management.base import BaseCommand

from agentainer_flow.cli.main import EXIT_CODES, build_parser
from handbook.reference.tables import table

# The platform's own verbs, in the order of the launcher's help.
PLATFORM = ("up", "down", "status", "logs", "doctor", "test", "bench", "simulate", "verify", "docs")
HEAD = """# Command line

`./aflow` in a checkout knows every verb on this page. Where only the SDK is installed, `aflow` knows those
of the client.
"""
CLIENT = f"""## The client

Every verb takes `--json` (for programs), `--url` and `--token`. Left out, these come from `AGENTAINER_URL`
and `AGENTAINER_TOKEN`, the file that `aflow login` wrote, or the platform of the checkout.

{EXIT_CODES}
"""
_EVERYWHERE = {"help", "json", "url", "token"}


def page() -> str:
    parts = [HEAD, "## The platform\n"]
    for verb in PLATFORM:
        parser = platform_parser(verb)
        parts.append(f"### ./aflow {verb}\n\n{parser.description}\n\n{_usage(parser)}")
        parts.append(_arguments(parser, {"help"}))
    parts.append(CLIENT)
    for words, parser in verbs(build_parser()):
        parts.append(f"### aflow {words}\n\n{parser.description or ''}\n\n{_usage(parser)}")
        parts.append(_arguments(parser, _EVERYWHERE))
    return "\n".join(part for part in parts if part)


def platform_parser(verb: str) -> argparse.ArgumentParser:
    """Of `./aflow VERB`, for a verb of the platform's own."""
    command: BaseCommand = import_module(f"aflow_site.management.commands.{verb}").Command()
    return command.create_parser("./aflow", verb)


def verbs(parser: argparse.ArgumentParser, before: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """("workflow run", its parser), … of all that can be called."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield before, parser
    for action in inner:
        told = {one.dest: one.help for one in action._choices_actions}
        for name, one in action.choices.items():
            one.description = one.description or _sentence(told.get(name))
            yield from verbs(one, f"{before} {name}".strip())


def _sentence(summary: str | None) -> str:
    return f"{summary[:1].upper()}{summary[1:]}." if summary else ""


def _usage(parser: argparse.ArgumentParser) -> str:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    lines = textwrap.wrap(usage, 80, subsequent_indent="    ", break_on_hyphens=False)
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _arguments(parser: argparse.ArgumentParser, known: set[str]) -> str:
    actions = [one for one in parser._actions if one.dest not in known and one.help is not argparse.SUPPRESS]
    rows = [(f"`{_written(action)}`", _help(parser, action)) for action in actions]
    return table(("argument", "meaning"), rows) if rows else ""


def _written(action: argparse.Action) -> str:
    value = action.metavar or action.dest.upper()
    if not action.option_strings:
        return str(action.metavar or action.dest)
    takes = action.nargs != 0
    return ", ".join(f"{flag} {value}" if takes else flag for flag in action.option_strings)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if not action.help:
        return ""
    return parser._get_formatter()._expand_help(action)
