"""How a class says that its pools are scaled."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from agentainer_flow import wait, workflow
from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.bundling import Bundle
from agentainer_flow.sdk.definition import definition_of
from agentainer_flow.sdk.exporting import python_of
from agentainer_flow.sdk.scaling import METRICS, PREDICTORS, PRESETS, Scaling
from scaling.domain.policies import PRESETS as SERVER_PRESETS
from scaling.domain.policies import Metric
from scaling.domain.policies import Predictor as ServerPredictor
from workflows.domain.document import Document
from workflows.domain.document import Scaling as ServerScaling

WANTED: Any = {
    "enabled": True,
    "min": 1,
    "max": 50,
    "metrics": ["queue_depth", "response_time"],
    "policy": "aggressive",
}


def document(**given: Any) -> dict[str, Any]:
    @workflow(**given)
    class Grows:
        pause = wait("1s")

    return definition_of(Grows).document(Bundle("module", b"", "0" * 64))


def test_it_stands_in_the_document_also_without_a_name() -> None:
    found = document(scaling=WANTED)
    assert (found["name"], found["scaling"]) == ("grows", WANTED)
    parsed = Document.model_validate(found)
    assert parsed.scaling is not None
    assert parsed.scaling.as_policy() == {
        "preset": "aggressive",
        "mode": "act",
        "min": 1,
        "max": 50,
        "metrics": ("queue_depth", "response_time"),
    }


def test_a_preset_alone() -> None:
    assert document(scaling_policy="reactive")["scaling"] == {"policy": "reactive"}
    assert "scaling" not in document()


@pytest.mark.parametrize(("said", "told"), [(True, "on"), ("on", "on"), (False, "off"), ("off", "off")])
def test_prediction_is_asked_for(said: Any, told: str) -> None:
    found = document(scaling={"prediction": said, "predictor": "ml-based"})["scaling"]
    assert found == {"prediction": told, "predictor": "ml-based"}
    parsed = Document.model_validate({**document(), "scaling": found}).scaling
    assert parsed is not None
    assert parsed.as_policy()["prediction"] == told


def test_it_is_written_back() -> None:
    assert "scaling=" in python_of(document(scaling=WANTED))


def test_the_sdk_knows_what_the_server_knows() -> None:
    assert set(PRESETS) == set(SERVER_PRESETS)
    assert set(METRICS) == {metric.value for metric in Metric}
    assert set(PREDICTORS) == {predictor.value for predictor in ServerPredictor}
    assert set(Scaling.__annotations__) == set(ServerScaling.model_fields)
    assert set(get_args(ServerScaling.model_fields["policy"].annotation)) == set(SERVER_PRESETS)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"scaling": {"maximum": 3}}, "did you mean max?"),
        ({"scaling": {"min": 5, "max": 3}}, "max (3) is below min (5)"),
        ({"scaling": {"metrics": ["cpu"]}}, "metrics must be one of"),
        ({"scaling": {"policy": "agressive"}}, "Did you mean 'aggressive'?"),
        ({"scaling": 3}, "scaling is a dict"),
        ({"scaling": {"policy": "balanced"}, "scaling_policy": "reactive"}, "scaling says 'balanced'"),
        ({"scaling": {"cooldown": "soon"}}, "cooldown must be a duration"),
        ({"scaling": {"prediction": 1}}, "prediction must be one of on, off"),
        ({"scaling": {"predictor": "ml"}}, "predictor must be one of naive, ml-based"),
    ],
)
def test_bad_scaling_is_refused_when_it_is_written(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        document(**given)
    assert sentence in str(refused.value)
