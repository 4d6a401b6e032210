"""What people write as requirements, in one form; what could be anything else is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from aflow_site.kernel.requirements import LONGEST, MOST, canonical, canonical_all
from workflows.domain.steps import Run
from workflows.domain.validation import check_document

GROWING = "a;" + " or ".join(['python_version<"3"'] * 9)  # longer when it is written in full

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


@pytest.mark.parametrize("written", [*REFUSED, GROWING])
def test_what_is_no_requirement(written: str) -> None:
    with pytest.raises(ValueError, match=r"requirement|address|==="):
        canonical(written)


def test_neither_order_nor_repetition_counts() -> None:
    assert canonical_all(["B", "a==1", "b"]) == canonical_all(["a==1", "b"]) == ("a==1", "b")
    with pytest.raises(ValueError, match=f"up to {MOST}"):
        canonical_all([f"a{number}" for number in range(MOST + 1)])
    for value in ("requests", {"requests": "2"}, [1], [["a"]], 7, 0, True, None):
        with pytest.raises(ValueError, match="requirement"):
            canonical_all(value)  # type: ignore[arg-type]


words = st.sampled_from(["a", "B.c", "python_version", "extra", "sys_platform", "linux", "3.11", "1", "'"])
signs = st.sampled_from(
    [*" ;,[]()'\"@<>=!~", "==", ">=", "~=", "!=", " in ", " not in ", " and ", " or ", ".*", "===", "'x'"]
)
written = st.lists(st.one_of(words, signs), max_size=12).map("".join)
conditions = st.lists(
    st.sampled_from(['python_version<"3"', "os_name=='a\"b'", "(extra == 'A_b')", '"3"<python_version']),
    min_size=1,
    max_size=9,
).map(lambda parts: "Some_Name [b,A]>=1 , <2;" + " or ".join(parts))


@given(st.one_of(written, conditions))
@example(GROWING)
def test_the_one_form_is_its_own(text: str) -> None:
    try:
        found = canonical(text)
    except ValueError:
        return
    assert canonical(found) == found
    assert canonical_all([found, text]) == (found,)


def test_what_a_document_takes_its_steps_give_on() -> None:
    """Nothing is refused after the document was read."""
    texts = ["B", "a==1", "b", GROWING]
    with pytest.raises(ValidationError, match="in its full form"):
        Run(code="1", requirements=tuple(texts))
    assert Run(code="1", requirements=tuple(texts[:3])).packages == ("a==1", "b")


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
