"""Artifacts: bytes by their content, in the store that `AFLOW_ARTIFACTS_URL` names (any of fsspec's).

Each team has its own: what one team stored, another can neither read nor find out about. A row is written
before its file, and a file is deleted while its row is held: so whoever stores the same content while it is
being deleted waits, finds no file, and writes it again. Does not: decide what becomes an artifact, or when
one goes (`workflows.services.retention`).
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import IO, Any
from uuid import UUID

import fsspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from fsspec.core import url_to_fs

from aflow_site.kernel.errors import FlowError, NotFound, Overloaded
from aflow_site.kernel.ids import new_id
from workflows.domain.artifacts import Ref, place_of, read_ref, unpacked
from workflows.models import Artifact, ArtifactUse

_UNFINISHED = "unfinished"  # the folder of files that are being written


class StoreAway(Overloaded):
    code = "artifacts_away"
    title = "The store of artifacts does not answer"


class ArtifactLost(FlowError):
    code = "artifact_lost"
    title = "An artifact is not what it was"


@lru_cache(maxsize=8)
def _store(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system, and the path in it."""
    file_system, path = url_to_fs(url)
    return file_system, path


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreAway(f"Artifacts cannot be reached: {exc}.", headers={"Retry-After": "5"}) from exc


def store(team_id: int, run_id: UUID, content: bytes, content_type: str = "application/json") -> Ref:
    """Keeps the bytes for as long as the run is kept; the same bytes again give the same reference.

    Not to be called inside a transaction: the file is written after the row is there for all to see. Raises
    StoreAway when it cannot be written; then it is stored by trying again.
    """
    ref = Ref(hashlib.sha256(content).hexdigest(), len(content), content_type)
    file_system, root = _store(settings.AFLOW_ARTIFACTS_URL)
    path = f"{root}/{place_of(team_id, ref.sha256)}"
    _write_rows(team_id, run_id, ref, file_system.unstrip_protocol(path))
    with _told_plainly():
        if not _is_whole(file_system, path, ref.size):
            _write_file(file_system, root, path, content)
    return ref


def _write_rows(team_id: int, run_id: UUID, ref: Ref, location: str) -> None:
    with transaction.atomic():
        found = Artifact.objects.select_for_update().filter(team_id=team_id, sha256=ref.sha256)
        artifact = found.first()
        while artifact is None:
            row = Artifact(
                team_id=team_id,
                sha256=ref.sha256,
                size=ref.size,
                content_type=ref.content_type,
                location=location,
                created_at=timezone.now(),
            )
            Artifact.objects.bulk_create([row], ignore_conflicts=True)
            artifact = found.first()
        if artifact.location != location:  # the setting has changed since
            artifact.location = location
            artifact.save(update_fields=["location"])
        use = ArtifactUse(artifact=artifact, run_id=run_id)
        ArtifactUse.objects.bulk_create([use], ignore_conflicts=True)


def _is_whole(file_system: fsspec.AbstractFileSystem, path: str, size: int) -> bool:
    try:
        return bool(file_system.size(path) == size)
    except FileNotFoundError:
        return False


def _write_file(file_system: fsspec.AbstractFileSystem, root: str, path: str, content: bytes) -> None:
    """Under another name first: nobody ever sees half a file."""
    unfinished = f"{root}/{_UNFINISHED}/{new_id().hex}"
    for file in (unfinished, path):
        file_system.makedirs(posixpath.dirname(file), exist_ok=True)
    file_system.pipe_file(unfinished, content)
    file_system.mv(unfinished, path)


def find(team_id: int, sha256: str) -> Artifact:
    artifact = Artifact.objects.filter(team_id=team_id, sha256=sha256).first()
    if artifact is None:
        raise NotFound(f"There is no artifact {sha256[:12]}….")
    return artifact


def open_file(artifact: Artifact) -> IO[bytes]:
    """Its bytes as a file; the caller closes it."""
    file_system, path = _store(artifact.location)
    with _told_plainly():
        try:
            file: IO[bytes] = file_system.open(path, "rb")
        except FileNotFoundError as exc:
            raise ArtifactLost(f"The file of artifact {artifact} is not there any more.") from exc
    return file


def load(team_id: int, sha256: str) -> bytes:
    """The bytes that were stored. NotFound; StoreAway; ArtifactLost when they are gone or were changed."""
    with open_file(find(team_id, sha256)) as file, _told_plainly():
        content = file.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactLost(f"The file of artifact {sha256[:12]}… does not hold what was stored.")
    return content


def value_of(team_id: int, stored: Any) -> Any:
    """The JSON value that a column stands for: itself, or what its reference leads to."""
    ref = read_ref(stored)
    return unpacked(stored) if ref is None else json.loads(load(team_id, ref.sha256))


def remove_unused(limit: int) -> int:
    """Deletes up to `limit` artifacts that no run uses, files first; how many there were."""
    unused = Artifact.objects.filter(uses=None).order_by("pk").values_list("pk", flat=True)[:limit]
    return sum(_remove(pk) for pk in list(unused))


def _remove(pk: int) -> int:
    with transaction.atomic():
        artifact = Artifact.objects.select_for_update().filter(pk=pk).first()
        if artifact is None or artifact.uses.exists():
            return 0
        file_system, path = _store(artifact.location)
        # Inside the transaction, for this is what whoever stores the same content has to wait for.
        with _told_plainly(), suppress(FileNotFoundError):
            file_system.rm_file(path)
        artifact.delete()
    return 1


def remove_unfinished(before: datetime) -> int:
    """Deletes what was left half written by processes that died before then."""
    file_system, root = _store(settings.AFLOW_ARTIFACTS_URL)
    with _told_plainly():
        try:
            files = file_system.ls(f"{root}/{_UNFINISHED}", detail=False)
        except FileNotFoundError:
            return 0
        old = [file for file in files if file_system.modified(file) < before]
        for file in old:
            file_system.rm_file(file)
    return len(old)
