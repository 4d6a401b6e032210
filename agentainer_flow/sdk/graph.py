"""The steps of a workflow class as graphs: the class's own, and one inside each loop.

Does not: know inputs, or what the document looks like.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.order import Order, find_cycle
from agentainer_flow.sdk.parts import Branch, Loop, Part, Reference

MAX_DEPTH = 3  # of loops inside loops; the document's limit


class Names:
    """Which step a reference means. `parts`: id -> part, in the order of definition; `attributes`: the key
    of each in the class."""

    def __init__(self, parts: Mapping[str, Part], attributes: Mapping[str, str]) -> None:
        self.parts = parts
        self.attributes = attributes
        self._ids = {attribute: step_id for step_id, attribute in attributes.items()}
        self._known = {part.name: step_id for step_id, part in parts.items() if part.name}
        self._known.update({step_id: step_id for step_id in parts})
        self._known.update(self._ids)

    def where(self, step_id: str) -> str:
        """How messages name it."""
        return f"step {self.attributes[step_id]}"

    def find(self, reference: Reference, where: str, does: str) -> str:
        """The id of the step that `where` `does` ("depends on"). Raises DefinitionError."""
        name = reference
        if isinstance(name, Part):
            if not name.attribute:
                raise DefinitionError(
                    f"{where} {does} a {name.step_type}(…) that is no attribute of the class."
                )
            name = name.attribute
        if name not in self._known:
            near = get_close_matches(name, self._known, 1)
            hint = f"; did you mean {near[0]}?" if near else f". There is {', '.join(sorted(self._known))}."
            raise DefinitionError(f"{where} {does} {name}, which is no step{hint}")
        return self._known[name]

    def id_of(self, attribute: str) -> str:
        """The id of the step that the class knows by this name; the name itself when there is none."""
        return self._ids.get(attribute, attribute)

    def first(self, step_id: str) -> str:
        """Where a step begins: for a method under `@mapreduce` that is the step which lists the items."""
        return self.whole(step_id)[0]

    def whole(self, step_id: str) -> list[str]:
        """The ids of the steps that were written as one: those that lead to it, and its own."""
        return [*(self._known[one] for one in self.parts[step_id].lead), step_id]


class Graph:
    """Steps that wait for each other. `loop`: the id of the loop around them, in the graph `outer`.

    `needs`: id -> ids it waits for, as the document has them. `after`: the same, with the branches that may
    choose it. `undoes`: id of a step that only undoes -> id of the one that names it.
    """

    def __init__(
        self, ids: Iterable[str], names: Names, loop: str | None = None, outer: Graph | None = None
    ) -> None:
        self.ids = list(dict.fromkeys(ids))
        self.loop = loop
        self.outer = outer
        self._names = names
        self._own = set(self.ids)
        self.choosers = self._choosers()
        self.undoes = self._undoes()
        self.needs = self._needs()
        self.after = {
            step_id: list(dict.fromkeys([*needs, *self.choosers.get(step_id, ())]))
            for step_id, needs in self.needs.items()
        }
        cycle = find_cycle(self.after)
        if cycle:
            raise DefinitionError(f"The steps wait for each other: {' → '.join(cycle)}. Cut one.")
        self._check_undoing()

    # --- what waits for what ---------------------------------------------------------------------

    def find(self, reference: Reference, step_id: str, does: str) -> str:
        """As `Names.find`, of this graph alone."""
        where = self._names.where(step_id)
        found = self._names.find(reference, where, does)
        if found in self._own:
            return found
        name = self._names.attributes[found]
        if any(found in graph.ids for graph in self._around()):
            advice = f"which stands outside of the loop {self.loop}; let the loop depend on it."
        else:
            advice = "which stands inside a loop; name the loop instead."
        raise DefinitionError(f"{where} {does} {name}, {advice}")

    def _around(self) -> Iterator[Graph]:
        graph = self.outer
        while graph is not None:
            yield graph
            graph = graph.outer

    def targets(self, branch_id: str) -> list[str]:
        """The ids of the steps that a branch may choose."""
        branch = self._names.parts[branch_id]
        assert isinstance(branch, Branch)
        found = [self.find(one, branch_id, "chooses") for one in branch.targets]
        if branch_id in found:
            raise DefinitionError(f"{self._names.where(branch_id)} cannot choose itself.")
        return [self._names.first(one) for one in dict.fromkeys(found)]

    def _choosers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for step_id in self.ids:
            if isinstance(self._names.parts[step_id], Branch):
                for target in self.targets(step_id):
                    found.setdefault(target, []).append(step_id)
        return found

    def _undoes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for step_id in self.ids:
            reference = self._names.parts[step_id].compensate
            if reference is None:
                continue
            where = self._names.where(step_id)
            if self.loop is not None:
                raise DefinitionError(f"{where}: steps inside a loop cannot be undone; put it on the loop.")
            undo = self.find(reference, step_id, "is undone by")
            if undo == step_id:
                raise DefinitionError(f"{where} cannot undo itself.")
            if undo in found:
                raise DefinitionError(f"{self._names.where(undo)} undoes two steps; give each its own.")
            found[undo] = step_id
        return found

    def _needs(self) -> dict[str, list[str]]:
        order, needs = Order(), dict[str, list[str]]()
        for step_id in self.ids:
            part = self._names.parts[step_id]
            explicit = part.depends_on is not None
            if part.depends_on is not None:
                named = [self.find(one, step_id, "depends on") for one in part.depends_on]
                needs[step_id] = list(dict.fromkeys(named))
            elif step_id in self.choosers or step_id in self.undoes:
                needs[step_id] = []
            else:
                needs[step_id] = order.default()
            if step_id in self.undoes:
                continue
            if step_id in self.choosers:
                order.begin_way(step_id)
            else:
                order.follow(step_id, needs[step_id], explicit=explicit)
            if isinstance(part, Branch):
                order.fork(step_id, self.targets(step_id), needs)
        return needs

    def _check_undoing(self) -> None:
        for undo in self.undoes:
            part, where = self._names.parts[undo], self._names.where(undo)
            if part.depends_on or part.compensate or part.always_run:
                raise DefinitionError(
                    f"{where} only undoes: it has no depends_on, no compensate and no always_run."
                )
            if undo in self.choosers or len(self._names.whole(undo)) > 1:
                raise DefinitionError(f"{where} only undoes: it is no way of a branch, and one step alone.")
        for step_id, needs in self.needs.items():
            for need in needs:
                if need in self.undoes:
                    raise DefinitionError(
                        f"{self._names.where(step_id)} depends on {need}, which only undoes"
                        f" {self.undoes[need]}; depend on that."
                    )

    # --- what has run by then --------------------------------------------------------------------

    def feeds(self, step_id: str) -> list[str]:
        """The steps whose outputs are a step's input when it does not say: those that it waits for. A branch
        hands on what it has itself; who undoes a step has what that one gave."""
        if step_id in self.undoes:
            return [self.undoes[step_id]]
        needs = self.needs[step_id]
        if needs or step_id not in self.choosers:
            return needs
        return list(dict.fromkeys(feed for one in self.choosers[step_id] for feed in self.feeds(one)))

    def before(self, step_id: str) -> set[str]:
        """Every step that has ended when this one starts, those around the loop too."""
        waiting = list(self.after[step_id])
        if step_id in self.undoes:
            waiting.append(self.undoes[step_id])
        found: set[str] = set()
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.after[one]
        if self.outer is not None and self.loop is not None:
            found |= self.outer.before(self.loop)
        return found

    def last(self) -> list[str]:
        """The steps that no other one waits for."""
        inner = {need for needs in self.after.values() for need in needs}
        return [step_id for step_id in self.ids if step_id not in inner and step_id not in self.undoes]


def graphs_of(names: Names) -> tuple[Graph, dict[str, Graph]]:
    """The graph of the class, and that inside each loop by the loop's id. Raises DefinitionError."""
    inside: dict[str, tuple[str, list[str]]] = {}
    home: dict[str, str] = {}  # id of a step -> id of its loop
    for step_id, part in names.parts.items():
        if not isinstance(part, Loop):
            continue
        where = names.where(step_id)
        inner = [one for step in part.steps for one in names.whole(names.find(step, where, "runs"))]
        for one in inner:
            if home.setdefault(one, step_id) != step_id:
                raise DefinitionError(f"{where} runs {names.attributes[one]}, and so does {home[one]}.")
        inside[step_id] = (where, inner)
    cycle = find_cycle({step_id: [home[step_id]] if step_id in home else [] for step_id in names.parts})
    if cycle:
        raise DefinitionError(f"Loops stand inside each other: {' → '.join(cycle)}.")
    own = Graph([step_id for step_id in names.parts if step_id not in home], names)
    graphs: dict[str, Graph] = {}

    def enter(graph: Graph, depth: int) -> None:
        for step_id in graph.ids:
            if step_id not in inside:
                continue
            where, inner = inside[step_id]
            if depth == MAX_DEPTH:
                raise DefinitionError(f"{where}: loops stand inside loops {MAX_DEPTH} deep at most.")
            graphs[step_id] = Graph(inner, names, step_id, graph)
            enter(graphs[step_id], depth + 1)

    enter(own, 0)
    return own, graphs
