"""Writes the steps of a workflow class as the document has them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.bundling import Bundle
from agentainer_flow.sdk.graph import Graph, Names
from agentainer_flow.sdk.groups import Call
from agentainer_flow.sdk.inputs import Inputs, output_of
from agentainer_flow.sdk.mapreducing import MapReduce, Worker, item_parameter
from agentainer_flow.sdk.parts import Fields, Loop, Part, Reference, SubWorkflow, without_none
from agentainer_flow.sdk.sourcing import is_relative
from agentainer_flow.sdk.steps import ITEMS, MARK, Step
from agentainer_flow.sdk.written import Written

_NO_EXPRESSIONS = frozenset({"form", "mapper", "name", "reducer", "run", "steps"})
_LONGEST_POOL = 63  # characters of a pool's name


class Writer:
    """`graphs`: those inside loops, by the loops' ids. All methods raise DefinitionError."""

    def __init__(
        self,
        cls: type,
        workflow: str,
        names: Names,
        graphs: Mapping[str, Graph],
        schema: Mapping[str, Any] | None,
        bundle: Bundle,
        requirements: tuple[str, ...] = (),
    ) -> None:
        self._cls = cls
        self._workflow = workflow
        self._names = names
        self._graphs = graphs
        self._inputs = Inputs(names, schema)
        self._bundle = bundle
        self._requirements = {"requirements": list(requirements)} if requirements else {}

    def steps(self, graph: Graph) -> list[Fields]:
        return [self._step(graph, step_id, self._names.parts[step_id]) for step_id in graph.ids]

    def _step(self, graph: Graph, step_id: str, part: Part) -> Fields:
        def find(reference: Reference) -> str:
            return self._names.first(graph.find(reference, step_id, "names"))

        fields: Fields = {"id": step_id, "type": part.kind if isinstance(part, Step) else part.step_type}
        if part.name and part.name != step_id:
            fields["name"] = part.name
        if graph.needs[step_id]:
            fields["needs"] = graph.needs[step_id]
        fields.update(part.common_fields(find))
        if isinstance(part, Step):
            fields.update(self._method(graph, step_id, part))
        elif isinstance(part, MapReduce):
            fields.update(self._mapreduce(step_id, part))
        elif isinstance(part, Call):
            fields.update(self._call(graph, step_id, part))
        fields.update(part.own_fields(find))
        if isinstance(part, SubWorkflow):
            self._check_itself(step_id, part)
        if isinstance(part, Loop):
            return self._loop(graph, step_id, part, fields)
        inside = part.inside() if isinstance(part, Written) else ()
        read = {key: value for key, value in fields.items() if key not in _NO_EXPRESSIONS}
        self._inputs.check_expressions(graph, step_id, read, *inside)
        self._check_pool(step_id, fields.get("pool"))
        return fields

    # --- methods ---------------------------------------------------------------------------------

    def _method(self, graph: Graph, step_id: str, step: Step) -> Fields:
        fields: Fields = {}
        if step.kind == "map":
            fields["over"] = output_of(self._inputs.source(graph, step_id, step))
        fields["input"] = self._inputs.of_step(graph, step_id, step)
        if step.streaming:
            self._check_stream(graph, step_id, step)
            fields["streaming"] = True
        attribute = step.method if step.then is not None else self._names.attributes[step_id]
        fields["run"] = self._handler(attribute) if step.has_body else step.run
        optional = {
            "pool": None if step.pool is None else dict(step.pool),
            "timeout": step.timeout,
            "retry": None if step.retry_policy is None else step.retry_policy.as_document(),
            "max_parallel": step.max_parallel,
            "batch_size": step.batch_size,
            "error_strategy": step.error_strategy,
            "min_success_rate": step.min_success_rate,
        }
        return {**fields, **without_none(optional)}

    def _handler(self, method: str) -> Fields:
        return self._out_of_bundle(f"{self._bundle.module}:{self._cls.__qualname__}.{method}")

    def _out_of_bundle(self, target: str) -> Fields:
        return {"handler": target, "bundle": self._bundle.sha256, **self._requirements}

    def _check_stream(self, graph: Graph, step_id: str, step: Step) -> None:
        source = self._inputs.source(graph, step_id, step)
        part = self._names.parts[source]
        if source not in graph.needs[step_id] or not isinstance(part, Step) or part.kind != "map":
            raise DefinitionError(
                f"{step.where}: streaming takes the results of a parallel step as they come; {source} is"
                " none, or is not named in depends_on."
            )

    # --- mapreduce -------------------------------------------------------------------------------

    def _mapreduce(self, step_id: str, part: MapReduce) -> Fields:
        where = self._names.where(step_id)
        fields: Fields = {"over": self._over(where, part)}
        mapper = part.mapper
        assert mapper is not None  # told in definition
        if not isinstance(mapper, str):
            name = "item" if _is_method(mapper) else item_parameter(where, "mapper", mapper)
            fields["input"] = {name: "${item}"}
        fields["mapper"] = self._worker(where, "mapper", mapper)
        if part.reducer is not None:
            fields["reducer"] = self._worker(where, "reducer", part.reducer)
        return fields

    def _over(self, where: str, part: MapReduce) -> Any:
        if part.items is not None:
            return f"${{steps.{self._names.find(part.items, where, 'maps over')}.output.{ITEMS}}}"
        if part.source is not None:
            bundle = {"bundle": self._bundle.sha256} if is_relative(part.source["source"]) else {}
            return {**part.source, **bundle}
        over = part.over
        if isinstance(over, list) or (isinstance(over, str) and over.startswith("${")):
            return over
        assert over is not None  # told in definition
        return output_of(self._names.find(over, where, "maps over"))

    def _worker(self, where: str, role: str, worker: Worker) -> Fields:
        if isinstance(worker, str):
            return {"image": worker}
        name = worker.__name__
        if _is_method(worker):
            if inspect.getattr_static(self._cls, name, None) is not worker:
                raise DefinitionError(f"{where}: {role} {name} is no method of {self._cls.__name__}.")
            return self._handler(name)
        return self._out_of_bundle(f"{self._module(where, role, worker)}:{name}")

    def _module(self, where: str, role: str, function: Callable[..., Any]) -> str:
        """Under which agents import a function's module; they have what `bundling` packs."""
        theirs, ours = function.__module__, self._cls.__module__
        if theirs == ours:
            return self._bundle.module
        if "." not in ours or theirs.partition(".")[0] != ours.partition(".")[0]:
            raise DefinitionError(
                f"{where}: {role} {function.__name__} comes from {theirs}, which agents do not get; define it"
                f" in {ours}."
            )
        return theirs

    # --- groups ----------------------------------------------------------------------------------

    def _call(self, graph: Graph, step_id: str, part: Call) -> Fields:
        where = self._names.where(step_id)

        def out(reference: Reference) -> str:
            return output_of(self._names.find(reference, where, "takes"))

        value: Any = self._inputs.before(graph, step_id) if part.takes is None else out(part.takes)
        if part.gathers is not None:
            value = {name: out(reference) for name, reference in part.gathers.items()}
        if part.worker is None:
            return {"run": {"code": part.code}, "input": {"value": value} if part.gathers is None else value}
        if not isinstance(part.worker, str):
            method = _is_method(part.worker)
            value = {"item" if method else item_parameter(where, part.role, part.worker): value}
        return {"run": self._worker(where, part.role, part.worker), "input": value}

    # --- the others ------------------------------------------------------------------------------

    def _loop(self, graph: Graph, step_id: str, part: Loop, fields: Fields) -> Fields:
        inner = self._graphs[step_id]
        given = part.input if part.given else self._inputs.before(graph, step_id)
        fields.update(without_none({"input": given}))
        until = fields.pop("until")
        read = {key: value for key, value in fields.items() if key not in _NO_EXPRESSIONS}
        self._inputs.check_expressions(graph, step_id, read)
        self._inputs.check_expressions(graph, step_id, until, *inner.ids)
        return {**fields, "until": until, "steps": self.steps(inner)}

    def _check_itself(self, step_id: str, part: SubWorkflow) -> None:
        if part.workflow == self._workflow and part.version is None and part.when is None:
            raise DefinitionError(
                f"{self._names.where(step_id)}: this workflow would start itself without end; give it a when."
            )

    def _check_pool(self, step_id: str, pool: object) -> None:
        name = f"{self._workflow}-{step_id}"
        if isinstance(pool, Mapping) and len(name) > _LONGEST_POOL:
            raise DefinitionError(
                f"{self._names.where(step_id)}: its pool's name {name} is over {_LONGEST_POOL} characters;"
                " shorten one of its names."
            )


def _is_method(function: Callable[..., Any]) -> bool:
    return isinstance(getattr(function, MARK, None), Step)
