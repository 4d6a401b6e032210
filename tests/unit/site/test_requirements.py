"""What people write as requirements, in one form; what could be anything else is refused."""

from __future__ import annotations

from typing import Any

import pytest

from aflow_site.kernel.requirements import LONGEST, MOST, canonical, canonical_all
from workflows.domain.validation import check_document

REFUSED = [
    "",
    "-e .",
    "-r more.txt",
    "--index-url http://elsewhere/simple",
    "requests --index-url=http://elsewhere/simple",
    "requests==2.32.3 --hash=sha256:00",
    "./package",
    "../package.whl",
    "/package",
    "git+https://elsewhere/package",
    "https://elsewhere/package.whl",
    "package @ https://elsewhere/package.whl",
    "package @ file:///package.whl",
    "package===1.0.zip",
    "package=1",
    "package==1\n--index-url http://elsewhere",
    "package\n",
    "package\0",
    "package # more",
    "${PACKAGE}",
    "a" * (LONGEST + 1),
]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("requests==2.32.3", "requests==2.32.3"),
        (" Requests >= 2, < 3 ", "requests<3,>=2"),
        ("Typing_Extensions", "typing-extensions"),
        ("uvicorn[Standard,a]~=0.30", "uvicorn[Standard,a]~=0.30"),
        ("tomli; python_version < '3.11'", 'tomli; python_version < "3.11"'),
    ],
)
def test_one_form(written: str, kept: str) -> None:
    assert canonical(written) == kept
    assert canonical(kept) == kept


@pytest.mark.parametrize("written", REFUSED)
def test_what_is_no_requirement(written: str) -> None:
    with pytest.raises(ValueError, match=r"requirement|address|==="):
        canonical(written)


def test_neither_order_nor_repetition_counts() -> None:
    assert canonical_all(["B", "a==1", "b"]) == canonical_all(["a==1", "b"]) == ("a==1", "b")
    with pytest.raises(ValueError, match=f"up to {MOST}"):
        canonical_all(f"a{number}" for number in range(MOST + 1))
    for value in ("requests", {"requests": "2"}, [1]):
        with pytest.raises(ValueError, match="requirement"):
            canonical_all(value)  # type: ignore[arg-type]


def faults(run: dict[str, Any]) -> list[tuple[str, str]]:
    document = {"name": "w", "steps": [{"id": "a", "type": "task", "run": run}]}
    return [(fault.path, fault.message) for fault in check_document(document)[1]]


def test_documents_are_refused_with_the_place_of_what_is_wrong() -> None:
    code = {"code": "def main(): ..."}
    assert faults({**code, "requirements": ["requests==2.32.3"]}) == []
    ((path, message),) = faults({**code, "requirements": ["requests", "-e ."]})
    assert path == "steps[0].run.requirements[1]"
    assert "is no requirement" in message
    for run in ({"image": "tool:1"}, {"command": ["ls"]}, {"command": ["ls"], "image": "tool:1"}):
        ((path, message),) = faults({**run, "requirements": ["requests"]})
        assert (path, "go with code and handler" in message) == ("steps[0].run", True)
