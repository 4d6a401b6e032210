"""Handlers out of bundles: uploads, what is refused, and modules that do not mix."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from agentainer_flow.agent import bundles
from agentainer_flow.agent.bundles import BadBundle, BundleStore
from tests.unit.agent.running import RunningAgent, agent_in, sha256, zipped

ONE = zipped(
    {
        "steps.py": """
            import shared
            from package.inner import double
            def run(x): return [shared.NAME, double(x)]
            def fail(): raise ValueError("here")
            class Group:
                def __init__(self): self.base = 10
                def add(self, x): return self.base + x
                @staticmethod
                def plain(x): return x
                @classmethod
                def named(cls, x): return cls.__name__
        """,
        "shared.py": "NAME = 'one'",
        "package/__init__.py": "",
        "package/inner.py": "def double(x): return 2 * x",
        "data.txt": "text",
    }
)
TWO = zipped({"steps.py": "import shared\ndef run(x): return [shared.NAME, x]", "shared.py": "NAME = 'two'"})

NO_SDK = """
    import sys
    sys.modules["agentainer_flow.runtime"] = None
    from agentainer_flow.agent import serve
    serve()
"""
SDK = """
    import importlib.machinery, sys, types
    runtime = types.ModuleType("agentainer_flow.runtime")
    runtime.__spec__ = importlib.machinery.ModuleSpec(runtime.__name__, None)
    async def call_step(target, input, context):
        module, _, path = target.partition(":")
        __import__(module)
        return [target, input, context["run_id"], sys.modules[module].shared.NAME]
    runtime.call_step = call_step
    sys.modules[runtime.__name__] = runtime
    from agentainer_flow.agent import serve
    serve()
"""


def test_a_bundle_is_asked_for_then_kept(agent: RunningAgent) -> None:
    missing = agent.handler(ONE, "steps:run", 2)
    assert (missing.status, missing.error["type"]) == (409, "bundle_missing")
    answer = agent.put(ONE)
    assert (answer.status, answer.json) == (200, {"sha256": sha256(ONE), "size": len(ONE)})
    assert agent.put(ONE).status == 200
    assert agent.handler(ONE, "steps:run", 2).json == {"output": ["one", 4]}
    assert agent.handler(ONE, "package.inner:double", 2).json == {"output": 4}
    agent.post("/reset", {})
    assert agent.handler(ONE, "steps:run", 2).status == 409


def test_bundles_do_not_see_each_other(agent: RunningAgent) -> None:
    agent.put(ONE)
    agent.put(TWO)
    for _ in range(2):
        assert agent.handler(ONE, "steps:run", 2).json == {"output": ["one", 4]}
        assert agent.handler(TWO, "steps:run", 2).json == {"output": ["two", 2]}
    late = "def main():\n    import package"
    assert agent.run(late).error["type"] == "ModuleNotFoundError"


def test_a_batch_over_a_handler(agent: RunningAgent) -> None:
    agent.put(ONE)
    request = {"runs": {"handler": "steps:run", "bundle": sha256(ONE)}, "inputs": [1, 2]}
    assert agent.post("/invoke", request).json == {
        "outputs": [{"output": ["one", 2]}, {"output": ["one", 4]}]
    }


def test_methods_without_the_sdk(tmp_path: Path) -> None:
    with agent_in(tmp_path, NO_SDK) as agent:
        agent.put(ONE)
        assert agent.handler(ONE, "steps:Group.add", {"x": 1}).json == {"output": 11}
        assert agent.handler(ONE, "steps:Group.plain", 1).json == {"output": 1}
        assert agent.handler(ONE, "steps:Group.named", 1).json == {"output": "Group"}


def test_methods_go_through_the_sdk_when_it_is_there(tmp_path: Path) -> None:
    with agent_in(tmp_path, SDK) as agent:
        agent.put(ONE)
        answer = agent.handler(ONE, "steps:Group.add", 5, context={"run_id": "r"})
        assert answer.json == {"output": ["steps:Group.add", 5, "r", "one"]}
        assert agent.handler(ONE, "steps:run", 2).json == {"output": ["one", 4]}


def test_a_traceback_begins_in_the_bundle(agent: RunningAgent) -> None:
    agent.put(ONE)
    error = agent.handler(ONE, "steps:fail").error
    assert (error["type"], error["message"]) == ("ValueError", "here")
    first = error["traceback"].splitlines()[1]
    assert first.endswith('steps.py", line 5, in fail')


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("missing:run", "bad_handler"),
        ("steps:missing", "bad_handler"),
        ("steps", "bad_handler"),
        ("shared:NAME", "bad_handler"),
    ],
)
def test_handlers_that_are_not_there(agent: RunningAgent, target: str, kind: str) -> None:
    agent.put(ONE)
    answer = agent.handler(ONE, target)
    assert (answer.status, answer.error["type"]) == (200, kind)


def test_a_module_that_fails_when_it_is_imported(agent: RunningAgent) -> None:
    broken = zipped({"a.py": "import nowhere", "b.py": "def f(:", "c.py": "1 / 0"})
    agent.put(broken)
    kinds = [agent.handler(broken, f"{name}:f").error["type"] for name in "abc"]
    assert kinds == ["ModuleNotFoundError", "SyntaxError", "ZeroDivisionError"]


def test_what_lies_in_a_bundle_can_be_read(agent: RunningAgent) -> None:
    source = "import pathlib\ndef f(): return pathlib.Path(__file__).with_name('d').read_text()"
    reader = zipped({"r.py": source, "d": "x"})
    agent.put(reader)
    assert agent.handler(reader, "r:f").json == {"output": "x"}


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, "content")
    return buffer.getvalue()


def file_and_folder() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "file")
        archive.writestr("a/b", "below a file")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip",
        ONE[:-30],
        ONE.replace(b"NAME = 'one'", b"NAME = 'two'"),
        entry("../escape.py"),
        entry("a/../../escape.py"),
        entry("/absolute.py"),
        entry("back\\slash.py"),
        entry("c:evil.py"),
        entry("link.py", stat.S_IFLNK | 0o777),
        entry("x" * 300),
        file_and_folder(),
    ],
)
def test_unsafe_or_broken_bundles_are_refused(agent: RunningAgent, content: bytes) -> None:
    answer = agent.put(content)
    assert (answer.status, answer.error["type"]) == (400, "bad_bundle")
    assert [path.name for path in agent.scratch.rglob("*.py")] == []
    assert agent.handler(content, "steps:run").status == 409


def test_the_hash_is_verified(agent: RunningAgent) -> None:
    assert agent.put(ONE, sha256(TWO)).error["type"] == "bad_bundle"
    assert agent.send("PUT", "/bundles/short", ONE).status == 400
    assert agent.send("PUT", "/bundles/..%2f..%2fetc", ONE).status == 400


def test_limits_of_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BundleStore(tmp_path / "bundles")
    monkeypatch.setattr(bundles, "MAX_UNPACKED", 10)
    with pytest.raises(BadBundle, match="larger"):
        store.add(sha256(ONE), ONE)
    monkeypatch.undo()
    monkeypatch.setattr(bundles, "MAX_FILES", 2)
    with pytest.raises(BadBundle, match="more than 2 files"):
        store.add(sha256(ONE), ONE)


def test_old_bundles_make_room_but_never_the_one_in_use(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    many = [zipped({"m.py": f"N = {number}"}) for number in range(bundles.KEPT + 2)]
    for content in many:
        store.add(sha256(content), content, in_use=sha256(many[0]))
    kept = [store.has(sha256(content)) for content in many]
    assert kept == [True, False, False, *[True] * (bundles.KEPT - 1)]
    assert len(list(tmp_path.iterdir())) == bundles.KEPT


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BundleStore(tmp_path)
    store.add(sha256(TWO), TWO)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(BadBundle, match="no space") as caught:
        store.add(sha256(ONE), ONE)
    assert caught.value.status == 507
    assert list(tmp_path.iterdir()) == []
