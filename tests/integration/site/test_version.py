"""The platform tells its version, which clients compare with what they need."""

from __future__ import annotations

import pytest
from django.conf import settings

import agentainer_flow
from agentainer_flow.client.requests import NEEDS, VERSION_HEADER
from teams.facade.contracts import Role
from tests.factories.members import member


@pytest.mark.django_db
def test_every_answer_of_the_api_tells_the_version() -> None:
    api = member(Role.VIEWER)
    for path in ("pools/", "pools/none/"):
        assert api("GET", path)[VERSION_HEADER] == settings.AFLOW_VERSION


def test_sdk_and_platform_have_one_version_which_is_enough() -> None:
    assert agentainer_flow.__version__ == settings.AFLOW_VERSION
    assert tuple(map(int, settings.AFLOW_VERSION.split(".")[: len(NEEDS)])) >= NEEDS
