"""`@mapreduce` and its kin save 70 % of the lines that the steps take when they are written out."""

from __future__ import annotations

import inspect

import pytest

from agentainer_flow.testing import mock_agent, run_workflow_locally
from tests.unit.local import less_code

PAIRS = [
    (less_code.ThumbnailsInSteps, less_code.Thumbnails),
    (less_code.ScanInSteps, less_code.Scan),
    (less_code.SumInSteps, less_code.Sum),
]


def lines(cls: type) -> int:
    """Of the class's body, as the formatter leaves it; blank ones do not count, nor what both need."""
    source = inspect.getsource(cls).splitlines()
    body = source[next(place for place, line in enumerate(source) if line.startswith("class ")) + 1 :]
    return sum(bool(line.strip()) for line in body)


@pytest.mark.parametrize(("written_out", "short"), PAIRS, ids=lambda cls: cls.__name__)
def test_seventy_percent_fewer_lines_for_the_same(written_out: type, short: type) -> None:
    assert lines(short) <= 0.3 * lines(written_out), (lines(short), lines(written_out))
    outputs = []
    for cls in (written_out, short):
        with (
            mock_agent("*").does(lambda given: sorted(str(one) for one in given["results"])),
            mock_agent("scanner").does(lambda given: [item * 2 for item in given["items"]]),
            mock_agent("thumbnailer").does(lambda given: given["item"] * 3),
            mock_agent("measure").does(lambda given: len(given["item"])),
        ):
            outputs.append(run_workflow_locally(cls).result())
    assert outputs[0] == outputs[1]
