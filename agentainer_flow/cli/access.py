"""`aflow login` and `aflow completion`."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Iterator

from agentainer_flow.cli.given import WrongUsage
from agentainer_flow.cli.output import Output
from agentainer_flow.client import WorkflowClient
from agentainer_flow.client.config import config_file

_BASH = """\
_aflow() {{
    local words="${{COMP_WORDS[*]:1:COMP_CWORD-1}}" known=""
    case "$words" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$known" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _aflow aflow
"""
_ZSH = "autoload -Uz bashcompinit && bashcompinit\n"


def login(arguments: argparse.Namespace) -> int:
    """Tries the token, and writes both to the config file, readable for its owner alone."""
    if not arguments.url:
        raise WrongUsage("Say which platform: aflow login --url https://….")
    token = arguments.token
    if not token:
        token = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
    with WorkflowClient(arguments.url, token) as client:
        client.list_pools()
        file = config_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            os.fchmod(handle.fileno(), 0o600)
            json.dump({"url": client.url, "token": token}, handle)
    output = Output(as_json=arguments.json)
    if output.as_json:
        output.value({"url": client.url, "file": str(file)})
    output.line(f"Logged in at {client.url}; the token is in {file}.")
    return 0


def completion(parser: argparse.ArgumentParser, shell: str) -> int:
    """Prints what the shell evaluates: eval "$(aflow completion bash)"."""
    cases = "\n".join(
        f'        {words!r}{"*" if flags else ""}) known="{known}" ;;'
        for words, known, flags in sorted(_known(parser, ()), reverse=True)
    )
    print((_ZSH if shell == "zsh" else "") + _BASH.format(cases=cases), end="")
    return 0


def _known(parser: argparse.ArgumentParser, path: tuple[str, ...]) -> Iterator[tuple[str, str, bool]]:
    """For each place on the command line: the words before it, and those that may follow."""
    verbs = [
        (name, one)
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, one in action.choices.items()
    ]
    flags = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
    names = [name for name, _ in verbs] or flags
    yield " ".join(path), " ".join(names), not verbs
    for name, one in verbs:
        yield from _known(one, (*path, name))
