"""`./aflow up`."""

from __future__ import annotations

import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import connections

from aflow_site.supervision import environment, examples, staying, stopping, supervisor_client
from aflow_site.supervision.api_client import ApiClient
from aflow_site.supervision.command import PlatformCommand
from aflow_site.supervision.starting import Start, only_start


class Command(PlatformCommand):
    help = "Sets up everything, starts the platform, runs the first example, and stays until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        environment.add_start_arguments(parser)
        parser.add_argument("--detach", action="store_true", help="return once the platform is ready")
        parser.add_argument("--no-examples", action="store_true", help="install and run no example workflows")

    def run(self, options: dict[str, Any]) -> int:
        if supervisor_client.answers(self.layout):
            return self._already_running(options["port"])
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # both mean: take down what has started
        with only_start(self.layout):
            try:
                login = self._start(options)
                if not options["detach"]:
                    staying.hold_signals()
            except BaseException as exc:
                self._give_up(exc)
                if isinstance(exc, KeyboardInterrupt):
                    return 130
                raise
        if options["detach"]:
            self.voice.say(
                f"\n{settings.AFLOW_URL}  {login}\nIt goes on in the background; ./aflow down ends it."
            )
            return 0
        self.voice.say(f"\n{settings.AFLOW_URL}  {login}\nCtrl-C stops everything.")
        connections.close_all()
        staying.stay(self.layout)
        return 0

    def _start(self, options: dict[str, Any]) -> str:
        """Returns the login in words."""
        self.voice.heading("Agentainer Flow")
        start = Start(self.voice, self.layout, options["runtime"])
        start.run()
        if not options["no_examples"]:
            self._examples()
        if start.login is None:
            return ""
        return f"user {start.login.username}, password {start.login.password}"

    def _examples(self) -> None:
        api = ApiClient.of(self.layout, settings.AFLOW_URL)
        try:
            with self.voice.step("Examples") as step:
                step.note(examples.install(api, self.layout))
            with self.voice.step(f"Running {examples.FIRST}") as step:
                run = examples.run_to_completion(api, examples.FIRST)
                step.note(run["state"])
            examples.show(self.voice, run)
        finally:
            api.close()

    def _already_running(self, port: int | None) -> int:
        url = os.environ.get("AFLOW_URL", "")
        if port is not None and str(port) != os.environ.get("AFLOW_PORT"):
            self.voice.complain(
                f"The platform of {self.layout.data_dir} is running at {url}: stop it with ./aflow down "
                f"before you start it on port {port}, or choose another --data-dir."
            )
            return 1
        self.voice.say(f"The platform is running at {url}; ./aflow down ends it.")
        return 0

    def _give_up(self, cause: BaseException) -> None:
        """Takes down what had started; the cause is told afterwards, also when this goes wrong."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not supervisor_client.answers(self.layout):
            return  # nothing had started
        self.voice.say("Stopping what had started …")
        stopping.stop(self.layout, settings.AFLOW_INSTANCE, self.voice)
