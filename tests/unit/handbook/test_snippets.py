"""What a page shows and is wrong, fails: otherwise the tests of pages would prove nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.snippets.fences import fences, is_live
from tests.snippets.running import PageRun

RIGHT = """
# A page

```python title="numbers_of_page.py"
ONE = 1
```

```python
from numbers_of_page import ONE

print("the", ONE)
```

```text
the …
```

```sh
WORD=hello
./aflow up --detach --port 8000
```

```sh
echo "$WORD  you"
```

```text
hello you
```

```yaml
- {id: a, type: task, run: {code: "def main():\\n    return 1"}}
```

```json title="POST /pools/{name}/resize/"
{"min_size": 0, "max_size": 2}
```

<!-- not run: there is no such thing -->
```python
import nothing_of_that_name
```
"""
WRONG = [
    ("print(1)", "python", "2", "the page shows"),
    ("raise ValueError('no')", "python", None, "no"),
    ("./aflow up --prot 8000", "sh", None, "does not understand"),
    ("false", "sh", None, "exit code 1"),
    ("name: a\nsteps: [{id: a, type: tusk}]", "yaml", None, "tusk"),
    ('name: a\nsteps: [{id: a, type: task, run: {code: "def ("}}]', "yaml", None, "invalid syntax"),
    ("kind: AgentDeployment\nspec: {agents: [{image: 7}]}", "yaml", None, "not valid"),
    ("a: 1", "yaml", None, "this is no document"),
    ("{", "json", None, "Expecting"),
    ("FROM scratch", "dockerfile", None, "say above why"),
]


def page_of(tmp_path: Path, text: str) -> str:
    page = tmp_path / "page.md"
    page.write_text(text)
    return str(page)


def run(tmp_path: Path, text: str) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    PageRun(page_of(tmp_path, text), directory, None).run()


def test_a_page_that_is_right_runs(tmp_path: Path) -> None:
    run(tmp_path, RIGHT)


def test_blocks_are_found_with_what_is_said_of_them(tmp_path: Path) -> None:
    found = fences(page_of(tmp_path, RIGHT))

    assert [one.language for one in found][:3] == ["python", "python", "text"]
    assert (found[0].title, found[0].line) == ("numbers_of_page.py", 5)
    assert found[1].expected == "the …\n"
    assert [one.exempt for one in found if one.exempt] == ["there is no such thing"]


@pytest.mark.parametrize(("code", "language", "output", "told"), WRONG)
def test_what_is_wrong_fails(code: str, language: str, output: str | None, told: str, tmp_path: Path) -> None:
    shown = "" if output is None else f"\n```text\n{output}\n```\n"

    with pytest.raises(Exception, match=told):
        run(tmp_path, f"```{language}\n{code}\n```\n{shown}")


@pytest.mark.parametrize(
    ("address", "body", "told"),
    [
        ("POST /nothing/", "{}", "the API has no"),
        ("POST /pools/{name}/resize/", '{"min_size": "many", "max_size": 2}', "min_size"),
        ("POST /pools/{name}/resize/", '{"smallest": 1, "min_size": 0, "max_size": 2}', "smallest"),
        ("POST /pools/{name}/resize/", "{}", "required"),
        ("GET /runs/{run_id}/", '{"state": "asleep"}', "asleep"),
        ("GET /runs/{run_id}/", '{"mood": "good"}', "mood"),
    ],
)
def test_bodies_and_answers_are_held_to_the_schema(
    address: str, body: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=told):
        run(tmp_path, f'```json title="{address}"\n{body}\n```\n')


def test_an_answer_may_be_shown_in_part(tmp_path: Path) -> None:
    run(tmp_path, '```json title="GET /runs/{run_id}/"\n{"state": "running"}\n```\n')


@pytest.mark.parametrize(
    ("block", "live"),
    [
        ("sh\n./aflow up --detach", False),
        ("sh\n./aflow workflow list", True),
        ("sh\naflow status", True),
        ("sh\ncurl http://127.0.0.1:8000/", True),
        ("python\nwith WorkflowClient() as client: ...", True),
        ("python\nprint(WorkflowClient.run)", False),
    ],
)
def test_pages_that_need_a_platform_are_told_apart(block: str, live: bool, tmp_path: Path) -> None:
    assert is_live(page_of(tmp_path, f"```{block}\n```\n")) is live
