"""Sources: what their items are, and what is said of those that cannot be read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from agentainer_flow.sources import SourceError, read_items
from agentainer_flow.sources import reading as reading_module
from agentainer_flow.sources.agent import PAGE, PAGE_BYTES, pages

SECOND = {"id": "2", "name": "c"}
ORDERS = b'{"id": 1}\n\n{"id": 2}\n'


def write(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("name", "content", "items"),
    [
        ("a.jsonl", ORDERS, [{"id": 1}, {"id": 2}]),
        ("a.ndjson", b"1\n[2]\nnull", [1, [2], None]),
        ("a.csv", b'\xef\xbb\xbfid,name\r\n1,"a\n,b"\r\n\r\n2,c\r\n', [{"id": "1", "name": "a\n,b"}, SECOND]),
        ("a.tsv", b"id\tname\n1\ta,b\n", [{"id": "1", "name": "a,b"}]),
        ("a.json", b'[1, {"a": 2}]', [1, {"a": 2}]),
        ("a.txt", "eins\n\nzwölf".encode(), ["eins", "", "zwölf"]),
        ("a", b"one\r\ntwo\r\n", ["one", "two"]),
        ("empty.csv", b"", []),
        ("a.jsonl.gz", gzip.compress(ORDERS, mtime=0), [{"id": 1}, {"id": 2}]),
        ("a.csv.bz2", bz2.compress(b"id\n1\n"), [{"id": "1"}]),
        ("a.txt.xz", lzma.compress(b"one\n"), ["one"]),
        ("compressed.jsonl", gzip.compress(ORDERS, mtime=0), [{"id": 1}, {"id": 2}]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_items_of_a_file(tmp_path: Path, name: str, content: bytes, items: list[Any]) -> None:
    source = write(tmp_path / name, content)
    assert list(read_items(source)) == items
    assert list(read_items(Path(source).as_uri())) == items
    assert list(read_items(name, root=tmp_path)) == items


def test_the_format_may_be_told(tmp_path: Path) -> None:
    source = write(tmp_path / "orders.log", ORDERS)
    assert list(read_items(source, format="jsonl")) == [{"id": 1}, {"id": 2}]
    assert len(list(read_items(source))) == 3


def test_a_directory_gives_its_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a/c.txt", ".hidden", "a/.git/x"):
        write(tmp_path / "in" / name, b"")
    assert list(read_items(str(tmp_path / "in"))) == [
        str(tmp_path / "in" / name) for name in ("a/c.txt", "b.txt")
    ]
    assert list(read_items("in", root=tmp_path)) == ["in/a/c.txt", "in/b.txt"]


BROKEN = gzip.compress(b"".join(b"%d\n" % (n * n) for n in range(50_000)))[:-2000]


@pytest.mark.parametrize(
    ("name", "content", "line", "says"),
    [
        ("a.jsonl", b'{"id": 1}\n{"id": }\n', 2, "this is not JSON"),
        ("a.jsonl", b"1\nNaN\n", 2, "NaN is no number that JSON has"),
        ("a.jsonl", b'1\n"a\\u0000b"\n', 2, "NUL"),
        ("a.csv", b"id,name\n1,a\n2\n", 3, "the row has 1 value for 2 columns"),
        ("a.csv", b'id,name\n1,"a"b\n', 2, "this is no row of CSV"),
        ("a.csv", b"id,id\n", 1, "two columns are called 'id'"),
        ("a.json", b"[1,\n2,,]", 2, "this is not JSON"),
        ("a.json", b"{}", None, "must be a list; this is dict"),
        ("a.txt", b"one\n\xff\xfe\n", 2, "this is not UTF-8"),
        ("a.txt", b"one\ntwo\0\n", 2, "there is a NUL character"),
        ("a.txt", b"one\n" + b"x" * (reading_module.LONGEST + 1), 2, "longer than 900 KiB"),
        ("a.zip", b"PK\x03\x04....", None, "a zip archive holds several files"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, name: str, content: bytes, line: int | None, says: str
) -> None:
    source = write(tmp_path / name, content)
    with pytest.raises(SourceError, match=says) as failure:
        list(read_items(source))
    assert failure.value.line == line
    assert str(failure.value).startswith(source + ("" if line is None else f", line {line}") + ": ")


def test_a_broken_archive_tells_how_far_it_went(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl.gz", BROKEN)
    seen: list[int] = []
    with pytest.raises(SourceError, match="cannot be unpacked any further") as failure:
        seen.extend(read_items(source))
    assert failure.value.line == len(seen) + 1 > 1000


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        list(read_items(str(tmp_path / "none.csv")))
    with pytest.raises(SourceError, match="looked for among the files that came with"):
        list(read_items("none.csv"))


def test_large_json_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "MOST_JSON", 4)
    with pytest.raises(SourceError, match="write it as JSON Lines"):
        list(read_items(write(tmp_path / "a.json", b"[1, 2]")))


# --- HTTP -------------------------------------------------------------------------------------------------


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Answers every GET with one body; `length` is what it says of that. Gives the base URL."""
    servers: list[ThreadingHTTPServer] = []

    def begin(body: bytes, *, status: int = 200, length: int | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                allowed = self.headers.get("X-Key", "yes") == "yes"
                self.send_response(status if allowed else 403)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                """Nothing is said."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_url(serve: Callable[..., str]) -> None:
    base = serve(gzip.compress(ORDERS, mtime=0))
    assert list(read_items(f"{base}/orders.jsonl.gz?signature=secret")) == [{"id": 1}, {"id": 2}]
    with pytest.raises(SourceError, match="the server answered 403") as failure:
        list(read_items(f"{base}/orders.jsonl.gz?signature=secret", options={"headers": {"X-Key": "no"}}))
    assert "signature" not in str(failure.value)
    with pytest.raises(SourceError, match="options of an HTTP source are headers alone, not verify"):
        list(read_items(base, options={"verify": False}))


def test_urls_that_fail(serve: Callable[..., str]) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        list(read_items(serve(b"", status=404) + "/a.csv"))
    with pytest.raises(SourceError, match="the server cannot be reached"):
        list(read_items("http://127.0.0.1:1/a.csv"))
    with pytest.raises(SourceError, match="broke off") as failure:
        list(read_items(serve(b"one\ntwo\n", length=100) + "/a.txt"))
    assert failure.value.line == 3


# --- stores -----------------------------------------------------------------------------------------------


def test_a_file_system_of_fsspec() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/sources/b.jsonl": b"1\n2\n", "/sources/a.txt": b"one"})
    try:
        assert list(read_items("memory://sources/b.jsonl")) == [1, 2]
        assert list(read_items("memory://sources")) == [
            "memory:///sources/a.txt",
            "memory:///sources/b.jsonl",
        ]
        with pytest.raises(SourceError, match="there is no such file"):
            list(read_items("memory://sources/none"))
    finally:
        memory.rm("/sources", recursive=True)


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, Any]]:
    """A bucket `orders` with an object; gives the options that lead there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint, keys = f"http://{host}:{port}", {"access_key_id": "k", "secret_access_key": "s"}
    for path, content in {
        "orders": b"",
        "orders/2027/a.jsonl.gz": gzip.compress(ORDERS * 10_000),
        "orders/2027/b.csv": b"id\n1\n",
    }.items():
        kind = {"Content-Type": "application/octet-stream"}
        put = urllib.request.Request(f"{endpoint}/{path}", data=content, headers=kind, method="PUT")
        urllib.request.urlopen(put).close()
    yield {"endpoint": endpoint, "region": "us-east-1", "client_options": {"allow_http": True}, **keys}
    server.stop()


def test_an_object_of_s3(s3: dict[str, Any]) -> None:
    assert list(read_items("s3://orders/2027/a.jsonl.gz", options=s3)) == [{"id": 1}, {"id": 2}] * 10_000
    assert list(read_items("s3://orders/2027/", options=s3)) == [
        "s3://orders/2027/a.jsonl.gz",
        "s3://orders/2027/b.csv",
    ]
    with pytest.raises(SourceError, match=r"^s3://orders/none\.csv: there is no such file"):
        list(read_items("s3://orders/none.csv", options=s3))


# --- pages ------------------------------------------------------------------------------------------------


def test_pages_are_bounded_and_lazy() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10 * PAGE):
            taken.append(number)
            yield number

    first = next(pages("s", items()))
    assert first == list(range(PAGE))
    assert len(taken) <= PAGE + 1
    large = ["x" * (PAGE_BYTES // 2)] * 5
    assert [len(page) for page in pages("s", iter(large))] == [1] * 5
    with pytest.raises(SourceError, match="item 2 is larger than 900 KiB"):
        list(pages("s", iter(["a", "x" * reading_module.LONGEST])))
