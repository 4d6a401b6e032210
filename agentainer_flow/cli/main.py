"""Parses the command line, calls one command, and turns what goes wrong into a sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from agentainer_flow import __version__
from agentainer_flow.cli import access, agents, budgets, commands, pools, run_control, watching
from agentainer_flow.cli.given import WrongUsage
from agentainer_flow.cli.output import Output
from agentainer_flow.client import WorkflowClient
from agentainer_flow.errors import (
    AuthenticationError,
    BundleError,
    ConfigError,
    DefinitionError,
    FlowError,
    NotFound,
    PermissionDenied,
    RunError,
    UnreachableError,
    WaitTimeout,
)

DONE, RUN_FAILED, USAGE, NO_ACCESS, REFUSED = range(5)
EXIT_CODES = (
    "Exit codes: 0 done; 1 the run failed, was cancelled, or has not ended within --timeout; 2 wrong usage,"
    " or a file that cannot be used; 3 the platform cannot be reached, or the token is missing or not"
    " accepted; 4 the platform refused."
)
Command = Callable[[WorkflowClient, argparse.Namespace, Output], int]
Add = Callable[..., argparse.ArgumentParser]  # a verb: its name, what it calls, its help


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code; see EXIT_CODES."""
    parser = build_parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as exc:
        return USAGE if exc.code else DONE
    try:
        if arguments.verb == "completion":
            return access.completion(parser, arguments.shell)
        if arguments.verb == "login":
            return access.login(arguments)
        with WorkflowClient(arguments.url, arguments.token) as client:
            try:
                code: int = arguments.command(client, arguments, Output(as_json=arguments.json))
            except NotFound as exc:
                return _told(f"{exc}{_meant(client, arguments)}", REFUSED)
            sys.stdout.flush()
            return code
    except (ConfigError, UnreachableError, AuthenticationError, PermissionDenied) as exc:
        return _told(exc, NO_ACCESS)
    except (WrongUsage, BundleError, DefinitionError) as exc:
        return _told(exc, USAGE)
    except (RunError, WaitTimeout) as exc:
        return _told(exc, RUN_FAILED)
    except FlowError as exc:
        return _told(exc, REFUSED)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `aflow … | head`; what is still buffered has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _told(what: object, code: int) -> int:
    print(f"aflow: {what}", file=sys.stderr)
    return code


def _meant(client: WorkflowClient, arguments: argparse.Namespace) -> str:
    """The workflow or the pool whose name is nearly that which was given."""
    lists = {"workflow": client.list_workflows, "pool": client.list_pools}
    given, known = getattr(arguments, "name", None), lists.get(getattr(arguments, "noun", ""))
    if given is None or known is None:
        return ""
    names = [str(one["name"]) for one in known()]
    near = [] if given in names else get_close_matches(given, names, 1)
    return f" Did you mean {near[0]}?" if near else ""


class _Parser(argparse.ArgumentParser):
    """Complains in a sentence. The only choices of this command line are its verbs."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"aflow: {message}\n{self.format_usage()}")

    def parse_known_args(  # type: ignore[override]  # a verb's own parser complains, with its own usage
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._not_known(unknown[0]))
        return found, unknown

    def _not_known(self, word: str) -> str:
        if not word.startswith("-"):
            return f"It is not known what {word} is for."
        flag = word.partition("=")[0]
        near = get_close_matches(flag, self._option_string_actions, 1)
        return f"There is no option {flag}" + (f"; did you mean {near[0]}?" if near else ".")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            near = get_close_matches(str(value), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}."
            raise argparse.ArgumentError(None, f"There is no command {value}; {hint}")


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="aflow",
        description="Workflows on pools of warm containers.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"aflow {__version__}")
    nouns = parser.add_subparsers(metavar="NOUN", required=True)

    def noun(name: str, about: str) -> Add:
        verbs = nouns.add_parser(name, help=about).add_subparsers(metavar="VERB", required=True)

        def add(verb: str, command: Command, summary: str) -> argparse.ArgumentParser:
            made = verbs.add_parser(verb, help=summary, description=summary[:1].upper() + summary[1:] + ".")
            _access(made)
            made.set_defaults(command=command, noun=name, verb=verb)
            return made

        return add

    _alone(nouns)
    _workflow_verbs(noun("workflow", "make, run and look at workflows"))
    _run_verbs(noun("run", "look at runs, and act on them"))
    _pool_verbs(noun("pool", "look at pools, and size them"))
    _agent_verbs(noun("agent", "deploy agents, ask them, look at them"))
    _budget_verbs(noun("budget", "bound what agents cost"))
    _trigger_verbs(noun("trigger", "start runs by time, by webhook, by the end of others"))
    _secret_verbs(noun("secret", "values that documents only name"))
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds, such as 30, not {text!r}")
    return value


def _access(made: argparse.ArgumentParser) -> None:
    made.add_argument("--json", action="store_true", help="print JSON, for programs")
    made.add_argument("--url", help="the platform (default: AGENTAINER_URL, the config file)")
    made.add_argument("--token", help="an API token (default: AGENTAINER_TOKEN, the config file)")


def _alone(nouns: Any) -> None:
    """Commands of one word."""
    top = nouns.add_parser("top", help="pools and runs, live")
    top.add_argument("--once", action="store_true", help="print it once")
    top.add_argument("--every", type=_seconds, default=2.0, metavar="SECONDS")
    top.set_defaults(command=watching.top, verb="top")
    login = nouns.add_parser("login", help="write a platform and a token to the config file")
    login.set_defaults(command=access.login, verb="login")
    for made in (top, login):
        _access(made)
    completion = nouns.add_parser("completion", help='for shells: eval "$(aflow completion bash)"')
    completion.add_argument("shell", choices=["bash", "zsh"])
    completion.set_defaults(command=access.completion, verb="completion")


def _budget_verbs(add: Add) -> None:
    listing = add("list", budgets.list_budgets, "the budgets, and what is left of them")
    listing.add_argument("--scope", help="team, pool or workflow")
    listing.add_argument("--target", help="of this pool or workflow")
    add("get", budgets.get_budget, "one budget").add_argument("budget")
    create = add("create", budgets.create_budget, "set a budget")
    create.add_argument("scope", help="team, pool or workflow")
    create.add_argument("limit", help="for each period, such as 25.00")
    create.add_argument("--target", metavar="NAME", help="the pool or workflow that it is for")
    create.add_argument("--period", default="month", help="hour, day or month (unless told)")
    change = add("set", budgets.set_budget, "change a budget")
    change.add_argument("budget")
    change.add_argument("--limit", help="for each period")
    for made in (create, change):
        made.add_argument("--mode", help="audit tells; enforce starts nothing that it could not pay")
        made.add_argument("--timezone", help="whose days and months count, such as Europe/Berlin")
    add("delete", budgets.delete_budget, "forget a budget").add_argument("budget")


def _trigger_verbs(add: Add) -> None:
    add("list", pools.list_triggers, "the triggers").add_argument("--workflow", help="of this one only")
    create = add("create", pools.create_trigger, "set a trigger")
    create.add_argument("workflow")
    create.add_argument("name")
    create.add_argument("--kind", default="schedule", help="schedule (unless told), webhook or event")
    create.add_argument("--cron", help="of a schedule, such as '0 6 * * *'")
    create.add_argument("--config", metavar="JSON", help="whatever the kind needs")
    create.add_argument("--params", metavar="JSON", help="of every run")
    for verb, summary in {
        "fire": "start a run as if its time had come",
        "firings": "what it did",
        "enable": "let it fire again",
        "disable": "let it rest",
        "delete": "forget it",
    }.items():
        add(verb, pools.act_on_trigger, summary).add_argument("trigger")


def _secret_verbs(add: Add) -> None:
    add("list", pools.list_secrets, "the names of the secrets")
    add("set", pools.set_secret, "set a secret; its value comes from standard input").add_argument("name")
    add("delete", pools.delete_secret, "forget a secret").add_argument("name")


def _workflow_verbs(add: Add) -> None:
    create = add("create", commands.create_workflow, "make a workflow of a document or of an SDK class")
    create.add_argument(
        "file", help="FILE.json, FILE.yaml, FILE.py, FILE.py:CLASS of several, or - for standard input"
    )
    create.add_argument("--update", action="store_true", help="save a new version when the name is taken")
    add("list", commands.list_workflows, "the workflows").add_argument("--search", help="in their names")
    add("get", commands.get_workflow, "one workflow").add_argument("name")
    run = add("run", commands.run_workflow, "start a run")
    run.add_argument("name")
    _params(run, "all params")
    run.add_argument("--tag", action="append", default=[], help="repeatable")
    run.add_argument("--wait", action="store_true", help="until it ends; print its output, 1 when it failed")
    run.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="how long to wait")
    add("status", commands.run_status, "the state of a run").add_argument("run")
    add("jobs", commands.run_steps, "the steps of a run").add_argument("run")
    _logs(add)
    add("state", run_control.values_of_run, "the values that the steps of a run share").add_argument("run")
    export = add("export", commands.export_workflow, "print a workflow's document as JSON, or as Python")
    export.add_argument("name")
    form = export.add_mutually_exclusive_group()
    form.add_argument("--python", action="store_true", help="as SDK code that compiles to the same")
    form.add_argument("--yaml", action="store_true", help="with the schema that editors check it by")
    export.add_argument("--version", type=int, help="left out: the newest")
    diff = add("diff", commands.diff_workflow, "what changed between two versions")
    diff.add_argument("name")
    diff.add_argument("old", type=int)
    diff.add_argument("new", type=int)
    mapreduce = add("mapreduce", commands.map_reduce, "run images over a list, and print what came of it")
    mapreduce.add_argument("--mapper", required=True, metavar="IMAGE")
    mapreduce.add_argument("--reducer", metavar="IMAGE")
    mapreduce.add_argument("--items", required=True, metavar="JSON", help="a list; @FILE.json, - for stdin")
    mapreduce.add_argument("--batch-size", type=int)
    mapreduce.add_argument("--pool-size", type=int)
    mapreduce.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="how long to wait")


def _logs(add: Add) -> None:
    logs = add("logs", watching.run_logs, "what the steps of a run wrote")
    logs.add_argument("run")
    logs.add_argument("--step")
    logs.add_argument("--item", type=int)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")


def _run_verbs(add: Add) -> None:
    listing = add("list", commands.list_runs, "the newest runs")
    listing.add_argument("--workflow")
    listing.add_argument("--state")
    listing.add_argument("--tag")
    listing.add_argument("--limit", type=int, default=20)
    add("get", commands.run_status, "one run").add_argument("run")
    _logs(add)
    why = add("why", run_control.why_not, "say why a run, a step or an item is not going on")
    why.add_argument("run")
    why.add_argument("--step")
    why.add_argument("--item", type=int, help="of that step")
    add("cancel", run_control.cancel_run, "stop a run").add_argument("run")
    add("pause", run_control.pause_run, "start nothing new; what runs, finishes").add_argument("run")
    add("resume", run_control.resume_run, "go on with a paused run").add_argument("run")
    retry = add("retry", run_control.retry_run, "run again what did not complete")
    retry.add_argument("run")
    retry.add_argument("--version", type=int, help="as a new run of this version of the workflow")
    replay = add("replay", run_control.replay_run, "start a new run with the params of this one")
    replay.add_argument("run")
    replay.add_argument("--version", type=int, help="of this version of the workflow")
    _params(replay, "params that differ")
    decide = add("decide", run_control.decide_approval, "approve or reject a step that waits for a person")
    decide.add_argument("run")
    decide.add_argument("step")
    choice = decide.add_mutually_exclusive_group(required=True)
    choice.add_argument("--approve", action="store_true")
    choice.add_argument("--reject", action="store_true")
    decide.add_argument("--data", metavar="JSON", help="for the approval's form")
    signal = add("signal", run_control.signal_run, "send an event to a run")
    signal.add_argument("run")
    signal.add_argument("name")
    signal.add_argument("--payload", metavar="JSON")


def _params(verb: argparse.ArgumentParser, whole: str) -> None:
    verb.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="VALUE is JSON, or else text; repeatable",
    )
    verb.add_argument("--params", metavar="JSON", help=f"{whole} as one JSON object")


def _pool_verbs(add: Add) -> None:
    add("list", commands.list_pools, "the pools")
    add("get", commands.get_pool, "one pool").add_argument("name")
    resize = add("resize", commands.resize_pool, "set how many agents a pool may have")
    resize.add_argument("name")
    resize.add_argument("--min", type=int, help="agents that are always there")
    resize.add_argument("--max", type=int, help="agents at most")
    create = add("create", pools.create_pool, "make a pool")
    create.add_argument("name")
    create.add_argument("--image", help="left out: the built-in Python agent")
    create.add_argument("--min", type=int, help="agents that are always there")
    create.add_argument("--max", type=int, help="agents at most")
    create.add_argument("--settings", metavar="JSON", help="any other setting of a pool")
    warm = add("warm", pools.act_on_pool, "start agents now")
    warm.add_argument("name")
    warm.add_argument("size", type=int)
    drain = add("drain", pools.act_on_pool, "give no new leases")
    drain.add_argument("name")
    drain.add_argument("--within", type=_seconds, metavar="SECONDS", help="then end those that are left")
    add("resume", pools.act_on_pool, "give leases again").add_argument("name")
    add("recycle", pools.act_on_pool, "replace every agent").add_argument("name")
    add("delete", pools.delete_pool, "end a pool").add_argument("name")


def _agent_verbs(add: Add) -> None:
    listing = add("list", agents.list_agents, "the live agents, of pools and deployed")
    listing.add_argument("--pool", help="of this pool only")
    listing.add_argument("--deployed", action="store_true", help="those that were deployed by hand")
    deploy = add("deploy", agents.deploy, "deploy the agents of a document, or one by its name and image")
    deploy.add_argument("file", nargs="?", help="kind: AgentDeployment, YAML or JSON; - for standard input")
    deploy.add_argument("--name")
    deploy.add_argument("--image", help="left out: the built-in Python agent")
    deploy.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="repeatable")
    deploy.add_argument("--cpu", help="such as 0.5 or 500m")
    deploy.add_argument("--memory", help="such as 512M or 1Gi")
    deploy.add_argument(
        "--var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for ${NAME} in the document; else the environment's",
    )
    deploy.add_argument("--replace", action="store_true", help="bring agents that exist to the definition")
    add("get", agents.get_agent, "one agent").add_argument("agent", help="id, or name of a deployed one")
    for verb, summary in agents.VERBS.items():
        add(verb, agents.act, summary).add_argument("agent")
    remove = add("remove", agents.remove, "end a deployed agent, and forget it with its requests")
    remove.add_argument("agent")
    remove.add_argument("--volumes", action="store_true", help="its named volumes, too")
    logs = add("logs", agents.logs, "what a deployed agent wrote")
    logs.add_argument("agent")
    logs.add_argument("--tail", type=int, default=100, help="how many lines")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the agent ends")
    add("metrics", agents.metrics, "what a deployed agent uses now").add_argument("agent")
    invoke = add("invoke", agents.invoke, "ask a deployed agent; print its answer")
    invoke.add_argument("agent")
    invoke.add_argument("--input", metavar="JSON", help="left out: null")
    invoke.add_argument("--code", metavar="FILE", help="Python with a main, for the built-in agent")
    invoke.add_argument("--later", action="store_true", help="store it, and do not wait for the answer")
    requests = add("requests", agents.requests, "the requests to a deployed agent")
    requests.add_argument("agent")
    requests.add_argument("--state", help="pending, processing, completed or failed")
    replay = add("replay", agents.replay, "send a stored request once more")
    replay.add_argument("agent")
    replay.add_argument("request")
