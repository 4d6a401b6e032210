"""Documents as the published JSON Schema allows them, with faults in them here and there.

hypothesis-jsonschema does not follow schemas that refer to themselves, as ours does (a loop has steps).
"""

from __future__ import annotations

import random
import re
from typing import Any

from hypothesis import strategies as st

from workflows.domain.document import json_schema

NASTY_TEXTS = [
    "",
    "${",
    "${a}",
    "${steps.a.output}",
    "${params.x + }",
    "${[1,2].map(x, x)}",
    "a" * 70,
    "\x00",
    "\u202e",
    "漢字",
    "-1s",
    "1e400s",
    "nan",
    "${steps['a'].output[99999999999999999999]}",
    "9999-99-99T00:00:00Z",
    "../../etc/passwd",
    "a: b",
    "(((((((((((((((((((((((((((((a+)+)+)+",
]
NASTY: list[Any] = [*NASTY_TEXTS, None, True, 0, -1, 10**400, 2**63, 1e308, -0.5, [], {}, [[]], {"": None}]
NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]  # few, so that steps name each other
TEXTS = [
    *NAMES * 4,
    "1s",
    "role:operator",
    "/x",
    "m:f",
    "f" * 64,
    "${true}",
    "${steps.a.output}",
    "${params.a}",
]
DEEPEST = 7


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """An object for the whole schema. All its randomness comes of one seed, since shrinking takes hours."""
    source = random.Random(draw(st.integers(0, 2**32)))
    schema = json_schema()
    made = _Generator(source, schema["$defs"], wrong=source.choice([0.0, 0.01, 0.1])).value(schema, 0)
    return made if isinstance(made, dict) else {"name": "a", "steps": made}


class _Generator:
    """`wrong`: the share of values that are replaced by something that does not belong there."""

    def __init__(self, source: random.Random, defs: dict[str, Any], wrong: float) -> None:
        self.source, self.defs, self.wrong = source, defs, wrong

    def value(self, schema: dict[str, Any], depth: int) -> Any:
        if self.source.random() < self.wrong:
            return self.source.choice(NASTY)
        if "$ref" in schema:
            return self.value(self.defs[schema["$ref"].rsplit("/", 1)[1]], depth)
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self.value(self.source.choice(schema[several]), depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.source.choice(schema["enum"])
        make = getattr(self, f"_{schema.get('type', 'any')}")
        return make(schema, depth)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        if schema.get("title") == "Run":  # the schema cannot say: exactly one of these
            return self.source.choice([{"code": "def main(): return 1"}, {"image": "a"}, {"handler": "m:f"}])
        made = {
            name: self.value(inner, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if name in required or self.source.random() < (0.5 if name == "steps" else 0.15)
        }
        if schema.get("additionalProperties"):
            more = schema["additionalProperties"]
            inner = more if isinstance(more, dict) else {}
            made |= {self.source.choice(NAMES): self.value(inner, depth + 1) for _ in range(2)}
        if self.source.random() < self.wrong:
            made[self.source.choice(NASTY_TEXTS)] = self.source.choice(NASTY)
        return made

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        fewest = schema.get("minItems", 0)
        most = fewest if depth > DEEPEST else fewest + 4
        return [
            self.value(schema.get("items", {}), depth + 1) for _ in range(self.source.randint(fewest, most))
        ]

    def _string(self, schema: dict[str, Any], depth: int) -> str:
        if self.source.random() < self.wrong:
            return self.source.choice(NASTY_TEXTS)
        fitting = [text for text in TEXTS if re.search(schema.get("pattern", ""), text)]
        return self.source.choice(fitting or TEXTS)

    def _integer(self, schema: dict[str, Any], depth: int) -> int:
        return self.source.choice([schema.get("minimum", 0), schema.get("maximum", 10), 1, 3])

    def _number(self, schema: dict[str, Any], depth: int) -> float:
        return self.source.choice([schema.get("minimum", 0), schema.get("maximum", 1), 0.5])

    def _boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return self.source.random() < 0.5

    def _null(self, schema: dict[str, Any], depth: int) -> None:
        return None

    def _any(self, schema: dict[str, Any], depth: int) -> Any:
        return self.source.choice([*NASTY, *NAMES, "${steps.a.output}", {"a": "${params.a}"}, [1, 2]])
