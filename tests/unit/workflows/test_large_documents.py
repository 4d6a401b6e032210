"""Documents of 10,000 steps: what is too much is refused in a sentence, and checking looks at it once."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.domain import references
from workflows.domain.document import MAX_STEPS
from workflows.domain.shape import MAX_FAULTS
from workflows.domain.validation import check_document, parse_document

CODE = {"code": "main = print"}


def task(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"s{number}", "type": "task", "run": CODE, **more}


def loop(number: int, steps: int) -> dict[str, Any]:
    inside = [{**task(0), "id": f"i{number}_{place}"} for place in range(steps)]
    return {"id": f"l{number}", "type": "loop", "until": True, "steps": inside}


def test_as_many_steps_as_there_may_be() -> None:
    chain = [task(n, needs=[f"s{n - 1}"] if n else []) for n in range(MAX_STEPS)]
    document = parse_document({"name": "w", "steps": chain})
    assert document.step(f"s{MAX_STEPS - 1}").needs == (f"s{MAX_STEPS - 2}",)


@pytest.mark.parametrize(
    ("document", "path", "sentence"),
    [
        ({"steps": [task(n) for n in range(MAX_STEPS + 1)]}, "steps", "too long; 10000 is the most"),
        ({"steps": [loop(n, 999) for n in range(11)]}, "steps", "11000 steps with those in loops; 10000"),
        ({"steps": [loop(0, 1001)]}, "steps[0].steps", "too long; 1000 is the most"),
        (
            {
                "params": {
                    "type": "object",
                    "properties": {f"p{n}": {"type": "string"} for n in range(15_000)},
                }
            },
            "params",
            "too large: it holds more than 20000 values",
        ),
        (
            {"steps": [{**task(0), "run": {"code": "x" * 1_000_001}}]},
            "steps[0].run.code",
            "at most 1000000 characters",
        ),
    ],
)
def test_too_much(document: dict[str, Any], path: str, sentence: str) -> None:
    faults = check_document({"name": "w", **document})[1]
    assert [fault.path for fault in faults] == [path]
    assert sentence in faults[0].message


def test_a_long_cycle_is_told_in_part() -> None:
    ring = [task(n, needs=[f"s{(n + 1) % 1000}"]) for n in range(1000)]
    (fault,) = check_document({"name": "w", "steps": ring})[1]
    assert "s0 → s1 → " in fault.message
    assert "(980 more) → s999 → s0" in fault.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"needs": ["nowhere"]},
        {"input": "${steps.nowhere.output}"},
        {"pool": {"size": "many"}},
        {"pool": 7},
        {"unknown": 1},
    ],
)
def test_no_more_faults_than_anybody_reads(wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    monkeypatch.setattr(references, "get_close_matches", lambda _name, known, n: compared.append(len(known)))
    faults = check_document({"name": "w", "steps": [task(n, **wrong) for n in range(5000)]})[1]
    assert len(faults) == MAX_FAULTS
    assert len(compared) <= MAX_FAULTS
    assert max(compared, default=0) <= references.MOST_COMPARED
