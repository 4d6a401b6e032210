"""Artifacts read: their bytes and the values that they hold, checked against their name.

`workflows.services.artifacts` writes and deletes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any

import fsspec
from fsspec.core import url_to_fs

from aflow_site.kernel.errors import FlowError, NotFound, Overloaded
from workflows.domain.artifacts import read_ref, unpacked
from workflows.domain.json_lists import elements
from workflows.models import Artifact

MOST_SHOWN = 8 * 1024 * 1024  # bytes of a value that the API tells as it is; of larger ones, their reference


class StoreAway(Overloaded):
    code = "artifacts_away"
    title = "The store of artifacts does not answer"


class ArtifactLost(FlowError):
    code = "artifact_lost"
    title = "An artifact is not what it was"


@lru_cache(maxsize=8)
def store_of(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system, and the path in it."""
    file_system, path = url_to_fs(url)
    return file_system, path


@contextmanager
def told_plainly() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreAway(f"Artifacts cannot be reached: {exc}.", headers={"Retry-After": "5"}) from exc


def find(team_id: int, sha256: str) -> Artifact:
    artifact = Artifact.objects.filter(team_id=team_id, sha256=sha256).first()
    if artifact is None:
        raise NotFound(f"There is no artifact {sha256[:12]}….")
    return artifact


def open_file(artifact: Artifact) -> IO[bytes]:
    """Its bytes as a file; the caller closes it."""
    file_system, path = store_of(artifact.location)
    with told_plainly():
        try:
            file: IO[bytes] = file_system.open(path, "rb")
        except FileNotFoundError as exc:
            raise ArtifactLost(f"The file of artifact {artifact} is not there any more.") from exc
    return file


def load(team_id: int, sha256: str) -> bytes:
    """The bytes that were stored. NotFound; StoreAway; ArtifactLost when they are gone or were changed."""
    with open_file(find(team_id, sha256)) as file, told_plainly():
        content = file.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactLost(f"The file of artifact {sha256[:12]}… does not hold what was stored.")
    return content


def elements_of(team_id: int, sha256: str, path: Sequence[str | int]) -> Iterator[Any]:
    """The elements of the list at `path` in an artifact of JSON, while its file is read. NoList; NotFound;
    StoreAway; ArtifactLost, at the end, when the file does not hold what was stored."""
    with open_file(find(team_id, sha256)) as opened:
        file = _Hashed(opened)
        yield from elements(file, path)
    file.check(sha256)


class _Hashed:
    """A file that is read once, and says afterwards whether it was what it should be."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        with told_plainly():
            content = self._file.read(size)
        self._hash.update(content)
        return content

    def check(self, sha256: str) -> None:
        if self._hash.hexdigest() != sha256:
            raise ArtifactLost(f"The file of artifact {sha256[:12]}… does not hold what was stored.")


def value_of(team_id: int, stored: Any) -> Any:
    """The JSON value that a column stands for: itself, or what its reference leads to."""
    ref = read_ref(stored)
    return unpacked(stored) if ref is None else json.loads(load(team_id, ref.sha256))


@dataclass(slots=True)
class Room:
    """How many bytes of large values an answer may still hold."""

    left: int = 4 * MOST_SHOWN

    def takes(self, size: int) -> bool:
        if size > self.left:
            return False
        self.left -= size
        return True


def shown(team_id: int, stored: Any, room: Room | None = None) -> Any:
    """What the API tells of a column: the value, or the reference of one that is too large to show."""
    ref = read_ref(stored)
    if ref is None or (ref.size <= MOST_SHOWN and (room is None or room.takes(ref.size))):
        return value_of(team_id, stored)
    return {**ref.as_json(), "url": f"/api/v1/artifacts/{ref.sha256}/"}
