"""Answers of the API: their JSON, and what of them stays in memory."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.response import Response

from aflow_site.api.renderers import LARGE, JSONRenderer


def answer(data: Any) -> Any:
    response: Any = Response(data)
    response.accepted_renderer = JSONRenderer()
    response.accepted_media_type = "application/json"
    response.renderer_context = {"response": response}
    return response.render()


@pytest.mark.parametrize(("data", "content"), [(None, b""), ({"a": [1, None]}, b'{"a":[1,null]}')])
def test_json(data: Any, content: bytes) -> None:
    response = answer(data)
    assert response.content == content
    assert response.data == data


def test_the_values_of_a_large_answer_go_with_its_rendering() -> None:
    response = answer(["x" * LARGE])
    assert len(response.content) == LARGE + 4
    assert response.data is None
