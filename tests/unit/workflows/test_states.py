import itertools

import pytest

from workflows.domain.states import (
    RUN_FINAL,
    RUN_TRANSITIONS,
    STEP_FINAL,
    STEP_TRANSITIONS,
    IllegalTransition,
    RunState,
    StepState,
    check_run,
    check_step,
)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(RunState, RunState)))
def test_every_pair_of_run_states(old: RunState, new: RunState) -> None:
    if new in RUN_TRANSITIONS[old]:
        check_run(old, new)
    else:
        with pytest.raises(IllegalTransition):
            check_run(old, new)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(StepState, StepState)))
def test_every_pair_of_step_states(old: StepState, new: StepState) -> None:
    if new in STEP_TRANSITIONS[old]:
        check_step(old, new)
    else:
        with pytest.raises(IllegalTransition):
            check_step(old, new)


def test_final_states_are_the_contract_s() -> None:
    assert {"completed", "failed", "cancelled"} == RUN_FINAL
    assert {"completed", "failed", "skipped", "cancelled", "compensated"} == STEP_FINAL


def test_every_state_can_reach_an_end() -> None:
    for table, final in ((RUN_TRANSITIONS, RUN_FINAL), (STEP_TRANSITIONS, STEP_FINAL)):
        for start in table:
            reached, todo = {start}, [start]
            while todo:
                for following in table[todo.pop()]:
                    if following not in reached:
                        reached.add(following)
                        todo.append(following)
            assert reached & final
