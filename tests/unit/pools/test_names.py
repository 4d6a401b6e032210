"""Names of pools: those that documents can name, and one for each image."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.domain.names import LONGEST, is_name, name_for_image, name_for_requirements
from pools.facade import api as pools
from pools.facade.contracts import AgentKind

DOCUMENT_NAME = re.compile(r"\A[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?\Z")  # the workflow document's own pattern
images = st.text("abzABZ019/:@._- é", min_size=1, max_size=90)


@given(st.text("aB9-_. \n", max_size=66))
def test_a_pools_name_is_a_name_in_documents(name: str) -> None:
    assert is_name(name) == bool(DOCUMENT_NAME.match(name))


@pytest.mark.parametrize("name", ["GPU.v2", "a" * 64, "a-", "_a", "", "a\n", "a b", "ä"])
def test_names_that_no_document_can_use(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("name", ["flow-step_", "f" * 63 + "-" + "s" * 63])
def test_a_steps_own_pool_may_be_as_long_as_both_names(name: str) -> None:
    assert is_name(name, of_a_step=True)
    assert not is_name(name)


@pytest.mark.parametrize(
    ("image", "name"), [(None, "python"), (pools.BUILT_IN_IMAGE, "python"), ("worker", "image-worker")]
)
def test_plain_images(image: str | None, name: str) -> None:
    assert pools.default_pool_name(AgentKind(image)) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme/x:1", "acme-x-1"),
        ("acme/x:1", "acme-x:1"),
        ("x:V1", "x:v1"),
        ("a" * 60, "a" * 61),
        ("r/" + "a" * 80 + ":1", "r/" + "a" * 80 + ":2"),
        ("!!", "??"),
    ],
)
def test_images_that_look_alike_get_names_of_their_own(one: str, other: str) -> None:
    assert pools.default_pool_name(AgentKind(one)) != pools.default_pool_name(AgentKind(other))


def test_an_image_called_like_anothers_pool() -> None:
    crafted = name_for_image("acme/x:1").removeprefix("image-")
    assert name_for_image(crafted) != name_for_image("acme/x:1")


@given(images, images)
def test_every_image_has_one_name_and_it_is_a_name(one: str, other: str) -> None:
    assert is_name(name_for_image(one))
    assert len(name_for_image(one)) <= LONGEST
    assert (name_for_image(one) == name_for_image(other)) == (one == other)


@given(images, images)
def test_commands_in_an_image_have_a_name_of_their_own(one: str, other: str) -> None:
    name = name_for_image(one, commands=True)
    assert is_name(name)
    assert len(name) <= LONGEST
    assert name != name_for_image(other)


requirements = st.lists(
    st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?(\[[a-z]{1,5}\])?(==[0-9.]{1,9})?\Z"),
    min_size=1,
    max_size=9,
)


@given(requirements, requirements)
def test_each_list_of_requirements_has_a_pool_of_its_own(one: list[str], other: list[str]) -> None:
    first, second = (pools.default_pool_name(AgentKind(None, False, tuple(each))) for each in (one, other))
    assert is_name(first)
    assert (first == second) == (one == other)


def test_such_a_pool_is_called_after_its_packages() -> None:
    assert re.fullmatch(
        r"python-numpy-uvicorn-[0-9a-f]{10}", name_for_requirements(["numpy>=2", "uvicorn[standard]"])
    )
