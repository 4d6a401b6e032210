"""Artifacts: bytes by their content, in the store that `AFLOW_ARTIFACTS_URL` names (any of fsspec's).

Each team has its own: what one team stored, another can neither read nor find out about. A row is written
before its file, and a file is deleted while its row is held: so whoever stores the same content while it is
being deleted waits, finds no file, and writes it again. Does not: decide what becomes an artifact, or when
one goes (`workflows.services.retention`).
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import IO, Any
from uuid import UUID

import fsspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from aflow_site.kernel.errors import NotFound
from aflow_site.kernel.ids import new_id
from aflow_site.kernel.json import to_json
from aflow_site.kernel.spool import Spool
from workflows.domain.artifacts import LIMIT, Ref, packed, place_of
from workflows.models import Artifact, ArtifactUse
from workflows.selectors.artifacts import store_of, told_plainly

_UNFINISHED = "unfinished"  # the folder of files that are being written


def store(team_id: int, run_id: UUID, content: bytes, content_type: str = "application/json") -> Ref:
    """Keeps the bytes for as long as the run is kept; the same bytes again give the same reference.

    Not to be called inside a transaction: the file is written after the row is there for all to see. Raises
    StoreAway when it cannot be written; then it is stored by trying again.
    """
    ref = Ref(hashlib.sha256(content).hexdigest(), len(content), content_type)
    _store(team_id, run_id, ref, io.BytesIO(content))
    return ref


def store_list(team_id: int, run_id: UUID, elements: Iterable[Any]) -> Any:
    """What a column holds for the list, which is never held as a whole. Otherwise like `store`."""
    text = Spool()
    for part in _parts(elements):
        text.write(part)
    return store_text(team_id, run_id, text)


def store_text(team_id: int, run_id: UUID, text: Spool) -> Any:
    """What a column holds for the value of that JSON text: a reference, or the value itself when it is small.
    Otherwise like `store`."""
    if text.size <= LIMIT:
        return packed(json.loads(text.rewind().read()))
    ref = Ref(hashlib.file_digest(text.rewind(), "sha256").hexdigest(), text.size)
    _store(team_id, run_id, ref, text.rewind())
    return ref.as_json()


def _parts(elements: Iterable[Any]) -> Iterator[bytes]:
    before = b"["
    for element in elements:
        yield before + to_json(element)
        before = b","
    yield b"[]" if before == b"[" else b"]"


def use(team_id: int, run_id: UUID, ref: Ref) -> None:
    """The run refers to the artifact too, from now on: it is kept for as long as the run is. NotFound."""
    with transaction.atomic():
        artifact = Artifact.objects.select_for_update().filter(team_id=team_id, sha256=ref.sha256).first()
        if artifact is None:
            raise NotFound(f"There is no artifact {ref.sha256[:12]}….")
        ArtifactUse.objects.bulk_create(
            [ArtifactUse(artifact=artifact, run_id=run_id)], ignore_conflicts=True
        )


def _store(team_id: int, run_id: UUID, ref: Ref, file: IO[bytes]) -> None:
    file_system, root = store_of(settings.AFLOW_ARTIFACTS_URL)
    path = f"{root}/{place_of(team_id, ref.sha256)}"
    _write_rows(team_id, run_id, ref, file_system.unstrip_protocol(path))
    with told_plainly():
        if not _is_whole(file_system, path, ref.size):
            _write_file(file_system, root, path, file)


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


def _write_file(file_system: fsspec.AbstractFileSystem, root: str, path: str, content: IO[bytes]) -> None:
    """Under another name first: nobody ever sees half a file."""
    unfinished = f"{root}/{_UNFINISHED}/{new_id().hex}"
    for file in (unfinished, path):
        file_system.makedirs(posixpath.dirname(file), exist_ok=True)
    with file_system.open(unfinished, "wb") as target:
        shutil.copyfileobj(content, target)
    file_system.mv(unfinished, path)


def share(old_run: UUID, new_run: UUID) -> None:
    """What the one run's rows refer to, the other's do as well from now on."""
    uses = ArtifactUse.objects.filter(run_id=old_run).values_list("artifact_id", flat=True)
    ArtifactUse.objects.bulk_create(
        (ArtifactUse(artifact_id=artifact, run_id=new_run) for artifact in uses), ignore_conflicts=True
    )


def remove_unused(limit: int) -> int:
    """Deletes up to `limit` artifacts that no run uses, files first; how many there were."""
    unused = Artifact.objects.filter(uses=None).order_by("pk").values_list("pk", flat=True)[:limit]
    return sum(_remove(pk) for pk in list(unused))


def _remove(pk: int) -> int:
    with transaction.atomic():
        artifact = Artifact.objects.select_for_update().filter(pk=pk).first()
        if artifact is None or artifact.uses.exists():
            return 0
        file_system, path = store_of(artifact.location)
        # Inside the transaction, for this is what whoever stores the same content has to wait for.
        with told_plainly(), suppress(FileNotFoundError):
            file_system.rm_file(path)
        artifact.delete()
    return 1


def remove_unfinished(before: datetime) -> int:
    """Deletes what was left half written by processes that died before then."""
    file_system, root = store_of(settings.AFLOW_ARTIFACTS_URL)
    with told_plainly():
        try:
            files = file_system.ls(f"{root}/{_UNFINISHED}", detail=False)
        except FileNotFoundError:
            return 0
        old = [file for file in files if file_system.modified(file) < before]
        for file in old:
            file_system.rm_file(file)
    return len(old)
