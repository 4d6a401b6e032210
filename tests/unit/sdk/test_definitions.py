"""What `@workflow` and `@step` accept, and what they refuse, at the moment they are written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from agentainer_flow import Context, DefinitionError, ErrorHandler, RetryPolicy, step, workflow
from agentainer_flow.errors import FlowError
from agentainer_flow.sdk.definition import definition_of
from agentainer_flow.sdk.steps import MARK, Step

PARAMS = {
    "type": "object",
    "properties": {"root": {"type": "string"}, "limit": {"type": "integer"}, "deep": {"default": True}},
    "required": ["root"],
}


# For calls that a type checker would refuse already.
untyped_step: Any = step
untyped_workflow: Any = workflow


def body(self: Any, ctx: Any) -> None:
    pass


def refused(make: Callable[[], object]) -> str:
    with pytest.raises(DefinitionError) as caught:
        make()
    assert isinstance(caught.value, FlowError)
    assert isinstance(caught.value, TypeError)
    return str(caught.value)


def made(*steps: Callable[..., Any], **options: Any) -> Any:
    """A workflow class with these steps, in this order."""
    return workflow(**options)(type("Sample", (), {one.__name__: one for one in steps}))


def named(method_name: str, **options: Any) -> Any:
    def method(self: Any, ctx: Any) -> None:
        pass

    method.__name__ = method_name
    return step(**options)(method)


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("WordCount", "word-count"),
        ("ETLJob", "etl-job"),
        ("Fetch2Pages", "fetch2-pages"),
        ("simple", "simple"),
    ],
)
def test_the_name_is_made_of_the_class_s(given: str, name: str) -> None:
    cls: Any = workflow(type(given, (), {"one": named("one")}))
    assert definition_of(cls).name == name


def test_a_bad_name_is_refused() -> None:
    assert "lower-case" in refused(lambda: made(named("a"), name="Has Blanks"))


def test_a_class_without_steps_is_refused() -> None:
    assert "at least one method with @step" in refused(lambda: made())


def test_a_step_s_name_is_its_id_or_its_title() -> None:
    definition = definition_of(made(named("a", name="fetch"), named("b", name="Fetch the data")))
    assert definition.ids == {"a": "fetch", "b": "b"}


def test_two_steps_of_one_id_are_refused() -> None:
    assert "called b too" in refused(lambda: made(named("a", name="b"), named("b")))


def test_subclasses_inherit_steps_and_replace_them() -> None:
    class Base:
        @step
        def one(self, ctx: Any) -> None: ...

        @step
        def two(self, ctx: Any) -> None: ...

    @workflow
    class Child(Base):
        @step(timeout=5)
        def one(self, ctx: Any) -> None: ...

        two = None  # type: ignore[assignment]

    definition = definition_of(Child)
    assert list(definition.steps) == ["one"]
    replaced = definition.steps["one"]
    assert isinstance(replaced, Step)
    assert replaced.timeout == 5


# --- arguments --------------------------------------------------------------------------------------------


def test_a_step_s_agents_have_an_environment_and_resources() -> None:
    def work(self: Any, ctx: Context) -> None: ...

    made = step(env={"MODE": "fast"}, resources={"cpu": "500m", "memory": "1Gi", "pids": 50})(work)
    wanted = {"env": {"MODE": "fast"}, "cpu": 0.5, "memory": 2**30, "pids": 50}
    assert getattr(made, MARK).pool == {"mode": "pooled", **wanted}
    made = step(pool_size=3, env={"MODE": "fast"})(work)
    assert getattr(made, MARK).pool == {"mode": "pooled", "size": 3, "env": {"MODE": "fast"}}


def test_a_typing_error_gets_a_hint() -> None:
    assert "did you mean depends_on?" in refused(lambda: untyped_step(depend_on=["a"]))
    assert "did you mean params?" in refused(lambda: untyped_workflow(param={}))
    assert "did you mean max_uses?" in refused(lambda: untyped_step(pool_config={"max_use": 1})(body))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"parallel": 1}, "parallel must be True or False"),
        ({"parallel": True, "reduce": True}, "exclude each other"),
        ({"dynamic": True}, "dynamic=True goes with parallel=True"),
        ({"max_workers": 3}, "max_workers goes with parallel=True"),
        ({"error_strategy": "continue"}, "error_strategy goes with parallel=True"),
        ({"parallel": True, "max_workers": 0}, "max_workers must be a whole number from 1"),
        ({"parallel": True, "error_strategy": "continu"}, "Did you mean 'continue'"),
        (
            {"parallel": True, "error_strategy": "continue", "error_handler": ErrorHandler.FAIL_FAST},
            "contradict each other",
        ),
        ({"parallel": True, "min_success_rate": 0.5}, "only counts with"),
        ({"parallel": True, "error_handler": "continue_on_partial", "min_success_rate": 2}, "from 0 to 1"),
        ({"timeout": "soon"}, "must be a duration"),
        ({"timeout": -1}, "must be a duration"),
        ({"retry_policy": {"max_attempts": 3}}, "must be a RetryPolicy"),
        ({"pool_config": "python"}, "must be a dict"),
        ({"env": {"A": 1}}, "env is a dict of texts"),
        ({"resources": {"cpus": 1}}, "did you mean cpu"),
        ({"resources": {"cpu": "much"}}, "cpu is a number of CPUs"),
        ({"resources": 3}, "resources is a dict"),
        ({"pool_config": {"size": 0}}, "size must be a whole number from 1"),
        ({"pool_config": {"size": 2, "max_size": 3}}, "size, or min_size and max_size"),
        ({"pool_config": {"min_size": 4, "max_size": 3}}, "min_size is more than max_size"),
        ({"pool_config": {"mode": "warm"}}, "mode must be one of pooled, standard"),
        ({"pool_config": {"capacity_type": "cheap"}}, "capacity_type must be one of any, on_demand, spot"),
        ({"pool_config": {"zone": 3}}, "zone must be text"),
        ({"pool_config": {"max_uses": 2, "max_agent_uses": 2}}, "not both"),
        ({"pool_config": {"size": 2}, "pool_size": 3}, "not both"),
        ({"pool_config": {"mode": "standard", "warm_up": True}}, "uses an agent once"),
        ({"name": ""}, "name must be text"),
        ({"depends_on": 5}, "takes names of steps"),
        ({"depends_on": [5]}, "takes names of steps"),
    ],
)
def test_bad_values_are_told_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(lambda: step(**options)(body))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"params": {"root": "string"}}, "is a JSON Schema"),
        ({"params": {"type": "array"}}, 'their "type" is "object"'),
        ({"max_parallel": 0}, "max_parallel must be a whole number"),
        ({"retry_policy": 3}, "must be a RetryPolicy"),
    ],
)
def test_bad_values_of_workflows_are_told_too(options: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(lambda: made(named("a"), **options))


def test_a_retry_policy_checks_itself() -> None:
    assert "max_attempts" in refused(lambda: RetryPolicy(max_attempts=0))
    assert "backoff" in refused(lambda: RetryPolicy(backoff=cast(Any, "rising")))
    assert RetryPolicy(delay=timedelta(seconds=2)).as_document()["delay"] == 2.0


def test_decorators_go_where_they_belong() -> None:
    assert "goes on a class" in refused(lambda: untyped_workflow()(body))
    assert "plain method" in refused(lambda: untyped_step()(3))
    assert "lambda" in refused(lambda: step(lambda self, ctx: 1))

    def with_static() -> object:
        return workflow(type("Sample", (), {"one": staticmethod(named("one"))}))

    assert "plain method" in refused(with_static)
    assert "is not a workflow" in refused(lambda: definition_of(int))


def test_an_image_and_a_body_exclude_each_other() -> None:
    def works(self: Any, ctx: Any) -> int:
        return len(str(ctx))

    async def waits(self: Any, ctx: Any) -> None: ...

    assert "leave it empty" in refused(lambda: step(image="worker:1")(works))
    step(image="worker:1")(body)
    step(image="worker:1")(waits)
    assert "its command does the work" in refused(lambda: step(command="ls")(works))
    step(command="ls")(body)


# --- order ------------------------------------------------------------------------------------------------


def test_a_step_follows_the_one_before_it_unless_it_says_otherwise() -> None:
    first = named("first")
    definition = definition_of(
        made(
            first, named("second"), named("alone", depends_on=()), named("both", depends_on=[first, "alone"])
        )
    )
    assert definition.needs == {"first": [], "second": ["first"], "alone": [], "both": ["first", "alone"]}


def test_dependencies_may_be_names_ids_or_methods_of_later_steps() -> None:
    definition = definition_of(
        made(
            named("a", depends_on="Last one"),
            named("b", name="bee", depends_on=()),
            named("c", name="Last one"),
        )
    )
    assert definition.needs == {"a": ["c"], "bee": [], "c": ["bee"]}


def test_unknown_dependencies_and_cycles_are_refused() -> None:
    assert "did you mean first?" in refused(lambda: made(named("first"), named("b", depends_on="frist")))
    loop = refused(lambda: made(named("a", depends_on="c"), named("b"), named("c")))
    assert "wait for each other" in loop
    assert loop.count("→") == 3
    assert "wait for each other" in refused(lambda: made(named("a", depends_on="a")))


def test_a_chain_of_thousands_compiles() -> None:
    chain = [named(f"s{number}") for number in range(3000)]
    assert len(definition_of(made(*chain)).needs) == 3000


# --- parameters -------------------------------------------------------------------------------------------


def test_parameters_must_be_fillable() -> None:
    def unknown(self: Any, ctx: Any, rot: str) -> None: ...
    def optional(self: Any, ctx: Any, limit: int) -> None: ...
    def spread(self: Any, ctx: Any, *rest: Any) -> None: ...
    def bare() -> None: ...
    def two(self: Any, ctx: Any, item: Any, other: Any) -> None: ...

    assert "Did you mean root?" in refused(lambda: made(step(unknown), params=PARAMS))
    assert "default in the schema" in refused(lambda: made(step(optional), params=PARAMS))
    assert "cannot be filled" in refused(lambda: step(spread))
    assert "(self, ctx)" in refused(lambda: step(bare))
    assert "one parameter after ctx" in refused(lambda: step(parallel=True)(two))


def test_a_parallel_step_needs_one_step_before_it() -> None:
    assert "one step before it" in refused(lambda: made(named("a", parallel=True)))
    both = named("c", parallel=True, depends_on=["a", "b"])
    assert "not 2" in refused(lambda: made(named("a"), named("b"), both))
    assert "results that one step" in refused(lambda: made(named("a", reduce=True)))
