import pytest

from workflows.domain.expressions import compile_expression, compile_template, expressions_in
from workflows.domain.work import ExpressionError

SCOPE = {
    "params": {"n": 3, "name": "Ada", "list": [1, 2, 3]},
    "steps": {"a": {"output": {"x": [10, 20]}, "state": "completed"}, "b-c": {"output": 7}},
    "item": {"id": 5},
    "index": 2,
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${params.n}", 3),
        ("${steps.a.output.x[1]}", 20),
        ('${steps["b-c"].output}', 7),
        ("${steps.b-c.output}", 7),
        ("${item.id + index}", 7),
        ("${params.list.map(v, v * 2)}", [2, 4, 6]),
        ("${steps.a.output.x.size() > params.n}", False),
        ("Hello ${params.name}, ${params.n} of ${params.list}", "Hello Ada, 3 of [1, 2, 3]"),
        ({"k": ["${index}", 1, None]}, {"k": [2, 1, None]}),
        ("${true}", True),
        ({"off": "${ false }", "none": "${null}"}, {"off": False, "none": None}),
        ("no expression", "no expression"),
        ("costs $5 {x}", "costs $5 {x}"),
        ('${"}" + params.name}', "}Ada"),
        ('${ {"a": params.n} }', {"a": 3}),
    ],
)
def test_values(template: object, value: object) -> None:
    assert compile_template(template)(SCOPE) == value


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("params.missing", "there is no 'missing'"),
        ("steps.a.output.x[9]", "there is no 9"),
        ("params.n / 0", "division by zero"),
        ('params.n + "a"', "not coerce|Unsupported"),
    ],
)
def test_no_value_is_an_error_that_says_why(source: str, sentence: str) -> None:
    with pytest.raises(ExpressionError, match=sentence):
        compile_expression(source).evaluate(SCOPE)


@pytest.mark.parametrize("source", ["", "   ", "a +", "x" * 5000, "params.", "'open"])
def test_unreadable_expressions(source: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(source)


@pytest.mark.parametrize("source", ["__import__('os')", "open('/etc/passwd')", "().__class__"])
def test_there_is_no_way_out_of_the_language(source: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(source).evaluate(SCOPE)


def test_what_an_expression_looks_at() -> None:
    assert compile_expression("steps.a.output").steps == {"a"}
    found = compile_expression('steps.a.output.size() + steps["b-c"].output > params.n')
    assert found.steps == {"a", "b-c"}
    assert found.roots == {"steps", "params"}
    assert compile_expression("params.list.all(v, v > 0)").roots == {"params"}


def test_places_of_expressions() -> None:
    found = list(expressions_in({"a": ["x ${params.n} ${item}"], "b": {"c": "${index}"}}, "input"))
    assert found == [("input.a[0]", "params.n"), ("input.a[0]", "item"), ("input.b.c", "index")]


def test_a_path_is_looked_up_and_gives_the_very_value() -> None:
    big = list(range(1000))
    assert compile_template("${params.big}")({"params": {"big": big}}) is big


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ("params.list.all(x, params.list.all(y, x > y))", True),
        ("params.list.map(x, // )\n params.list.map(y, y))", True),
        ("params.list.all(x, ')' != '' && params.list.exists(y, y > x))", True),
        ("params.list.filter(x, x > 1).map(y, y * 2)", False),
        ("params.list.map(x, (x + 1) * 2)", False),
        ("params.name.contains('.map(x, y.map(z, z))')", False),
    ],
)
def test_loops_inside_loops_are_refused(source: str, refused: bool) -> None:
    if refused:
        with pytest.raises(ExpressionError, match="loop"):
            compile_expression(source)
    else:
        compile_expression(source).evaluate(SCOPE)
