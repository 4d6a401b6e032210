"""The supervisor's configuration, as the supervisor itself reads it, and how restarts are counted."""

from __future__ import annotations

import shlex
from configparser import RawConfigParser
from pathlib import Path

import pytest

from aflow_site.supervision import programs, supervisor_client
from aflow_site.supervision.layout import Layout, make_data_dir

ENVIRONMENT = {
    "AFLOW_HOST": "127.0.0.1",
    "AFLOW_PORT": "8123",
    "AFLOW_EXECUTORS": "3",
    "AFLOW_REDIS_PORT": "6400",
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "100% of it")
    make_data_dir(layout)
    return layout


def test_redis_starts_first_and_stops_last(layout: Layout) -> None:
    found = programs.programs(ENVIRONMENT, layout)
    assert [program.name for program in found] == [
        "redis",
        "web",
        "executor-0",
        "executor-1",
        "executor-2",
        "controller",
    ]
    assert [program.priority for program in found] == sorted(program.priority for program in found)
    assert [program.name for program in found if program.autostart] == ["redis"]


def test_an_outside_redis_is_not_ours_to_start(layout: Layout) -> None:
    outside = {name: value for name, value in ENVIRONMENT.items() if name != "AFLOW_REDIS_PORT"}
    assert "redis" not in [program.name for program in programs.programs(outside, layout)]


def test_odd_paths_survive_the_configuration(layout: Layout) -> None:
    found = programs.programs(ENVIRONMENT, layout)
    programs.write_configuration(found, layout)
    parser = RawConfigParser()
    parser.read(layout.supervisor_conf)
    command = parser["program:redis"]["command"] % {}
    assert tuple(shlex.split(command)) == found[0].command
    assert str(layout.redis / "redis.conf") in found[0].command


def test_restarts_are_counted_across_a_rotation_of_the_log(layout: Layout) -> None:
    log = layout.supervisor_log
    log.with_name("supervisord.log.1").write_text(
        "INFO spawned: 'web' with pid 1\nINFO spawned: 'redis' with pid 2\n"
    )
    log.write_text("INFO exited: web (terminated by SIGKILL)\nINFO spawned: 'web' with pid 3\n")
    assert supervisor_client.restarts(layout) == {"web": 1, "redis": 0}


def test_without_a_supervisor_there_are_no_processes(layout: Layout) -> None:
    assert not supervisor_client.answers(layout)
    assert supervisor_client.processes(layout) == []
    assert not supervisor_client.shut_down(layout)
