"""Artifacts: kept once by their content, per team, in any of fsspec's stores."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from django.db import connection
from django.test import AsyncClient
from django.utils import timezone

from aflow_site.kernel.errors import NotFound
from teams.facade.contracts import Role
from tests.factories.members import Api, assert_problem, member
from tests.factories.workflows import make_run, make_workflow
from workflows.models import Artifact, ArtifactUse, Run
from workflows.selectors import artifacts as stored
from workflows.services import artifacts

pytestmark = pytest.mark.django_db(transaction=True)

CONTENT = b'{"rows": [' + b"1," * 50_000 + b"1]}"
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["file", "memory"])
def root(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """The store's URL: a directory, and something that is none."""
    url = str(tmp_path / "store") if request.param == "file" else f"memory://{tmp_path.name}"
    settings.AFLOW_ARTIFACTS_URL = url
    return url


@pytest.fixture
def directory(settings: Any, tmp_path: Path) -> Path:
    settings.AFLOW_ARTIFACTS_URL = str(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def api() -> Api:
    return member(Role.VIEWER)


def run_of(api: Api) -> Run:
    return make_run(make_workflow(api.team))


def files_in(url: str) -> list[str]:
    file_system, path = fsspec.core.url_to_fs(url)
    found: list[str] = file_system.find(path)
    return found


def test_what_is_stored_is_loaded(api: Api, root: str) -> None:
    run = run_of(api)
    ref = artifacts.store(api.team.pk, run.pk, CONTENT)
    assert (ref.sha256, ref.size, ref.content_type) == (SHA, len(CONTENT), "application/json")
    assert stored.load(api.team.pk, SHA) == CONTENT
    assert stored.value_of(api.team.pk, ref.as_json()) == {"rows": [1] * 50_001}
    assert stored.value_of(api.team.pk, {"small": 1}) == {"small": 1}
    assert artifacts.store(api.team.pk, run.pk, CONTENT) == ref
    (file,) = files_in(root)
    assert file.endswith(f"/{api.team.pk}/{SHA[:2]}/{SHA[2:4]}/{SHA}")
    assert (Artifact.objects.count(), ArtifactUse.objects.count()) == (1, 1)


def test_teams_do_not_share(api: Api, root: str) -> None:
    artifacts.store(api.team.pk, run_of(api).pk, CONTENT)
    stranger = member(Role.ADMIN, "strangers")
    with pytest.raises(NotFound):
        stored.load(stranger.team.pk, SHA)
    artifacts.store(stranger.team.pk, run_of(stranger).pk, CONTENT)
    assert len(files_in(root)) == 2


def test_a_file_that_is_gone_or_damaged(api: Api, directory: Path) -> None:
    run = run_of(api)
    artifacts.store(api.team.pk, run.pk, CONTENT)
    (file,) = (path for path in directory.rglob("*") if path.is_file())
    file.write_bytes(CONTENT[:-1] + b" ")
    with pytest.raises(stored.ArtifactLost):
        stored.load(api.team.pk, SHA)
    file.write_bytes(b"")  # after a power cut, say
    artifacts.store(api.team.pk, run.pk, CONTENT)
    assert stored.load(api.team.pk, SHA) == CONTENT
    file.unlink()
    with pytest.raises(stored.ArtifactLost):
        stored.load(api.team.pk, SHA)


def test_a_store_that_does_not_answer(api: Api, directory: Path) -> None:
    directory.write_text("no directory")
    run = run_of(api)
    with pytest.raises(stored.StoreAway):
        artifacts.store(api.team.pk, run.pk, CONTENT)
    directory.unlink()
    artifacts.store(api.team.pk, run.pk, CONTENT)
    assert stored.load(api.team.pk, SHA) == CONTENT


def test_an_artifact_goes_with_the_last_run_that_uses_it(api: Api, root: str) -> None:
    first, second = run_of(api), run_of(api)
    for run in (first, second):
        artifacts.store(api.team.pk, run.pk, CONTENT)
    first.delete()
    assert artifacts.remove_unused(10) == 0
    second.delete()
    assert artifacts.remove_unused(10) == 1
    assert (files_in(root), Artifact.objects.count()) == ([], 0)
    assert artifacts.remove_unused(10) == 0


def test_a_removal_that_was_interrupted_is_completed(api: Api, directory: Path) -> None:
    run = run_of(api)
    artifacts.store(api.team.pk, run.pk, CONTENT)
    next(path for path in directory.rglob("*") if path.is_file()).unlink()
    run.delete()
    assert artifacts.remove_unused(10) == 1


def test_half_written_files_are_cleared_away_in_time(api: Api, directory: Path) -> None:
    now = timezone.now()
    assert artifacts.remove_unfinished(now) == 0
    artifacts.store(api.team.pk, run_of(api).pk, CONTENT)
    (directory / "unfinished" / "left").write_bytes(b"half")
    assert artifacts.remove_unfinished(now - timedelta(days=1)) == 0
    assert artifacts.remove_unfinished(timezone.now() + timedelta(seconds=5)) == 1
    assert stored.load(api.team.pk, SHA) == CONTENT


def test_storing_and_removing_at_the_same_time(api: Api, directory: Path) -> None:
    """Whatever their order: what was stored last can be loaded."""
    keeper = run_of(api)
    for _ in range(15):
        loser = run_of(api)
        ArtifactUse.objects.all().delete()
        artifacts.store(api.team.pk, loser.pk, CONTENT)
        loser.delete()
        start = threading.Barrier(2)
        failures: list[Exception] = []

        def act(what: Any, start: threading.Barrier = start, failures: list[Exception] = failures) -> None:
            start.wait()
            try:
                what()
            except Exception as exc:
                failures.append(exc)
            finally:
                connection.close()

        threads = [
            threading.Thread(target=act, args=[lambda: artifacts.remove_unused(10)]),
            threading.Thread(target=act, args=[lambda: artifacts.store(api.team.pk, keeper.pk, CONTENT)]),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert stored.load(api.team.pk, SHA) == CONTENT


# --- over HTTP ---------------------------------------------------------------------------------------------


def test_members_get_the_bytes(api: Api, root: str) -> None:
    artifacts.store(api.team.pk, run_of(api).pk, CONTENT)
    path = f"artifacts/{SHA}/"
    answer = api("GET", path)
    assert b"".join(answer.streaming_content) == CONTENT
    assert (answer["Content-Type"], answer["Content-Length"]) == ("application/json", str(len(CONTENT)))
    assert answer["ETag"] == f'"{SHA}"'
    assert "Content-Disposition" not in answer
    unchanged = api("GET", path, If_None_Match=f'"{SHA}"')
    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", f'"{SHA}"')
    again = api("GET", path, If_None_Match='"other"')
    assert again.status_code == 200
    again.close()


def test_what_is_not_there_or_not_theirs(api: Api, root: str) -> None:
    artifacts.store(api.team.pk, run_of(api).pk, CONTENT)
    assert_problem(api("GET", f"artifacts/{'0' * 64}/"), 404, "not_found")
    assert_problem(api("GET", "artifacts/..%2F..%2Fetc/"), 404, "not_found")
    assert_problem(member(Role.ADMIN, "strangers")("GET", f"artifacts/{SHA}/"), 404, "not_found")
    assert_problem(Api(None)("GET", f"artifacts/{SHA}/"), 401, "not_authenticated")


def test_a_file_that_is_gone_is_a_problem(api: Api, directory: Path) -> None:
    artifacts.store(api.team.pk, run_of(api).pk, CONTENT)
    next(path for path in directory.rglob("*") if path.is_file()).unlink()
    assert_problem(api("GET", f"artifacts/{SHA}/"), 500, "artifact_lost")


def test_other_kinds_of_content_are_saved_and_not_shown(api: Api, root: str) -> None:
    ref = artifacts.store(api.team.pk, run_of(api).pk, b"<script>", "text/html")
    answer = api("GET", f"artifacts/{ref.sha256}/")
    assert answer["Content-Disposition"].startswith("attachment")
    answer.close()


async def test_streaming_under_asgi(api: Api, root: str) -> None:
    from asgiref.sync import sync_to_async

    run = await sync_to_async(run_of)(api)
    await sync_to_async(artifacts.store)(api.team.pk, run.pk, CONTENT)
    answer = await AsyncClient().get(f"/api/v1/artifacts/{SHA}/", headers=api._headers)
    pieces = [piece async for piece in answer.streaming_content]  # type: ignore[attr-defined]
    assert b"".join(pieces) == CONTENT


def test_an_answer_holds_so_many_large_values_and_then_references(api: Api, root: str) -> None:
    ref = artifacts.store(api.team.pk, run_of(api).pk, CONTENT).as_json()
    room = stored.Room(left=len(CONTENT) * 2)
    told = [stored.shown(api.team.pk, ref, room) for _ in range(3)]
    assert [list(one) for one in told[:2]] == [["rows"], ["rows"]]
    assert told[2]["url"].endswith(f"/{SHA}/")
    assert stored.shown(api.team.pk, {"small": 1}, room) == {"small": 1}
