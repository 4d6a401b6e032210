"""Opens what a source names: a path, an HTTP URL, or any other URL of fsspec's. Unpacks what is compressed.

Does not: look at lines.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from agentainer_flow.errors import FlowError

SILENCE = 60.0  # seconds after which a server that says nothing is given up
HERE = frozenset({"", "file", "local"})  # what every agent has itself
_PACKED: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
)
_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "azure")  # that obstore serves


class SourceError(FlowError):
    """A source cannot be read. `line`: the one that is at fault (from 1), if one is."""

    def __init__(self, source: str, message: str, line: int | None = None) -> None:
        place = "" if line is None else f", line {line}"
        super().__init__(f"{shown(source)}{place}: {message}")
        self.line = line


def shown(source: str) -> str:
    """A source as messages may tell it: without passwords and signatures."""
    parts = urlsplit(source)
    if not parts.scheme or not parts.netloc:
        return source
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def scheme_of(source: str) -> str:
    scheme, colon, rest = source.partition(":")
    return scheme.lower() if colon and len(scheme) > 1 and (rest.startswith("//") or scheme == "data") else ""


@contextmanager
def opened(source: str, options: Mapping[str, Any], root: Path | None) -> Iterator[IO[bytes]]:
    """The source's bytes, unpacked; `root` is where relative paths begin. Raises SourceError."""
    with _raw(source, options, root) as raw:
        file = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)
        start = file.peek(6)
        for magic, unpack in _PACKED:
            if start.startswith(magic):
                with unpack(file, "rb") as unpacked:
                    yield unpacked
                return
        if start.startswith(b"PK\x03\x04"):
            raise SourceError(source, "a zip archive holds several files; unpack it, or compress with gzip.")
        yield file


def files_in(source: str, options: Mapping[str, Any], root: Path | None) -> list[str] | None:
    """The files of a directory and of those in it, in the order of their names, as sources of their own; None
    for a source that is a file. What begins with a dot is left out."""
    scheme = scheme_of(source)
    if scheme in HERE:
        path = local_path(source, root)
        if not path.is_dir():
            return None
        found = sorted(one for one in path.rglob("*") if one.is_file() and not _hidden(one.relative_to(path)))
        return [os.path.join(source, one.relative_to(path)) for one in found]
    if scheme in ("http", "https", "data"):
        return None
    with _told(source):
        store, path_in_store = _store(source, options)
        if not store.isdir(path_in_store):
            return None
        names = sorted(str(name) for name in store.find(path_in_store))
        return [store.unstrip_protocol(name) for name in names if not _hidden(Path(name))]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def local_path(source: str, root: Path | None) -> Path:
    """Raises SourceError for a relative path without a beginning."""
    path = Path(unquote(urlsplit(source).path) if scheme_of(source) else source)
    if path.is_absolute():
        return path
    if root is None:
        raise SourceError(
            source,
            "a relative path is looked for among the files that came with the workflow's class, and here none"
            " did; give an absolute path or a URL.",
        )
    return root / path


@contextmanager
def _raw(source: str, options: Mapping[str, Any], root: Path | None) -> Iterator[Any]:
    scheme = scheme_of(source)
    with _told(source):
        if scheme in HERE:
            file: Any = local_path(source, root).open("rb")
        elif scheme in ("http", "https"):
            file = _Answer(urllib.request.urlopen(_request(source, options), timeout=SILENCE))
        else:
            store, path = _store(source, options)
            store.info(path)  # obstore leaves half a file behind when there is none
            file = store.open(path, "rb")
    with file:
        yield file


@contextmanager
def _told(source: str) -> Iterator[None]:
    """Whatever goes wrong while a source is found and opened, in a sentence."""
    try:
        yield
    except SourceError:
        raise
    except FileNotFoundError:
        raise SourceError(source, "there is no such file.") from None
    except PermissionError:
        raise SourceError(source, "it may not be read.") from None
    except urllib.error.HTTPError as exc:
        exc.close()
        what = (
            "there is no such file"
            if exc.code in (404, 410)
            else f"the server answered {exc.code} {exc.reason}"
        )
        raise SourceError(source, f"{what}.") from None
    except urllib.error.URLError as exc:
        raise SourceError(source, f"the server cannot be reached: {exc.reason}.") from None
    except Exception as exc:  # each store has its own
        detail = str(exc).strip().splitlines()
        raise SourceError(
            source, f"{type(exc).__name__}: {detail[0] if detail else 'no more is known'}"
        ) from None


def _request(source: str, options: Mapping[str, Any]) -> urllib.request.Request:
    unknown = set(options) - {"headers"}
    if unknown:
        raise SourceError(
            source, f"options of an HTTP source are headers alone, not {', '.join(sorted(unknown))}."
        )
    request = urllib.request.Request(source, headers={"User-Agent": "agentainer-flow"})
    for name, value in (options.get("headers") or {}).items():
        request.add_unredirected_header(name, value)  # it may be a secret, and another host is a stranger
    return request


class _Answer(io.RawIOBase):
    """The body of an HTTP answer, which must be as long as it said; `http.client` does not look."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        length = answer.headers.get("Content-Length", "")
        self._left = int(length) if length.isdigit() else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._answer.readinto(buffer))
        if self._left is not None:
            self._left -= count
            if count == 0 and self._left > 0 and len(buffer):
                raise OSError(f"the connection broke off {self._left} bytes before the end")
        return count

    def close(self) -> None:
        self._answer.close()
        super().close()


def _store(source: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        core: Any = import_module("fsspec.core")
    except ImportError:
        raise SourceError(
            source,
            "reading it needs fsspec: pip install 'agentainer-flow[sources]', or give a path or HTTP URL.",
        ) from None
    _register_stores(scheme_of(source))
    store, path = core.url_to_fs(source, **options)
    return store, str(path)


def _register_stores(scheme: str) -> None:
    registry: Any = import_module("fsspec.registry")
    if scheme in _STORES and scheme not in registry.registry:
        try:
            import_module("obstore.fsspec").register(scheme)
        except ImportError:
            return  # then fsspec says what it needs
