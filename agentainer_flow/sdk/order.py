"""Who waits for whom when nobody says: the order of definition, the ways of branches beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class _Fork:
    """A branch whose ways have not joined yet. `ends`: the last steps of the ways that are written down."""

    branch: str
    to_come: set[str]
    ends: list[str]


class Order:
    """Is told of the steps one after the other, and knows what the next one waits for by default:

    - the step before it;
    - between the steps that a branch names, the step before it on its way;
    - after the last of those, the branch and the last step of each way.
    """

    def __init__(self) -> None:
        self._before: list[str] = []
        self._forks: list[_Fork] = []

    def default(self) -> list[str]:
        """What the next step waits for. Asking joins the ways of branches that are over."""
        while self._forks and not self._forks[-1].to_come:
            self._join()
        return list(self._before)

    def follow(self, step: str, needs: list[str], *, explicit: bool) -> None:
        """`step` is the next, and waits for `needs`; `explicit` when those were not by default."""
        if explicit and self._forks:
            fork = self._forks[-1]
            ends = [*fork.ends, *self._before]
            joins = fork.branch in needs or len([end for end in ends if end in needs]) > 1
            fork.ends = [end for end in ends if end not in needs and end != fork.branch]
            if joins and not fork.to_come and not fork.ends:
                self._forks.pop()
        self._before = [step]

    def fork(self, branch: str, targets: Iterable[str], told: Iterable[str]) -> None:
        """`branch` was the last step; it may choose `targets`, of which `told` came before it."""
        told = set(told)
        many = list(dict.fromkeys(targets))
        self._forks.append(
            _Fork(branch, {one for one in many if one not in told}, [one for one in many if one in told])
        )

    def begin_way(self, step: str) -> None:
        """`step` is the next, and a branch names it. One whose branch is still to come changes nothing."""
        place = next((i for i, fork in reversed([*enumerate(self._forks)]) if step in fork.to_come), None)
        if place is None:
            return
        while len(self._forks) > place + 1:
            self._join()
        for fork in self._forks:
            fork.to_come.discard(step)
        if self._before != [self._forks[place].branch]:
            self._forks[place].ends += self._before
        self._before = [step]

    def _join(self) -> None:
        fork = self._forks.pop()
        self._before = list(dict.fromkeys([fork.branch, *fork.ends, *self._before]))


def find_cycle(needs: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Steps that wait for each other, in the order in which they would run; the first stands last too."""
    done: set[str] = set()
    for start in needs:
        path: dict[str, None] = {}  # in order
        # Depth first without recursion: a chain may have thousands of steps. None marks the way back.
        waiting: list[str | None] = [start]
        while waiting:
            step_id = waiting.pop()
            if step_id is None:
                done.add(path.popitem()[0])
            elif step_id in path:
                steps = list(path)
                return [*reversed([*steps[steps.index(step_id) :], step_id])]
            elif step_id not in done:
                path[step_id] = None
                waiting += [None, *needs[step_id]]
    return None
