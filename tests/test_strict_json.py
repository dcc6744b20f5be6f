"""JSON with one meaning: no name twice in an object, at any depth (nst/JSONTestSuite#56), and no NaN."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sven_ref.errors import SvenError
from sven_ref.strict_json import JSONError, loads_strict

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=12)


@given(VALUES)
def test_json_is_read_as_json_reads_it(value):
    assert loads_strict(json.dumps(value)) == value
    assert loads_strict(json.dumps(value).encode()) == value


@given(VALUES, VALUES, st.text(), st.lists(st.sampled_from(["[%s]", '{"x": %s}', '[1, {"y": [%s, 2]}]']), max_size=4))
def test_a_name_twice_is_refused_at_any_depth(first, second, name, around):
    text = f"{{{json.dumps(name)}: {json.dumps(first)}, {json.dumps(name)}: {json.dumps(second)}}}"
    for frame in around:
        text = frame.replace("%s", text)
    with pytest.raises(JSONError) as info:
        loads_strict(text, "the answer")
    assert str(info.value) == f"{name!a} twice in the answer"
    assert info.value.twice == {name}
    assert info.value.value == json.loads(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r'{"output": 1, "\u006futput": 2}', "'output' twice in run.json"),  # the same name, spelt in another way
        ('{"a": 1, "b": 2, "a": 1}', "'a' twice in run.json"),  # equal values too
        ('{"a": {}, "b": {"c": 1, "c": 1}, "b": 0}', "'c' twice in run.json"),
        ('{"": 1, "": 2}', "'' twice in run.json"),
        ("[NaN]", "NaN in run.json: it is not JSON"),
        ('{"x": -Infinity}', "-Infinity in run.json: it is not JSON"),
        ("Infinity", "Infinity in run.json: it is not JSON"),
        ("", "run.json is not JSON: Expecting value"),
        ("{'a': 1}", "run.json is not JSON: Expecting property name"),
        ('{"a": 1}{"a": 2}', "run.json is not JSON: Extra data"),
        ("\ufeff{}", "run.json is not JSON: Unexpected UTF-8 BOM"),
        (b"\xff\xfe{\x00}\x00", "run.json is not JSON: 'utf-8' codec can't decode"),
        ("[" * 100_000, "run.json is not JSON that can be read: it is nested too deep"),
        ("9" * 5000, "run.json is not JSON: Exceeds the limit"),
    ],
)
def test_what_is_refused(text, said):
    with pytest.raises(JSONError) as info:
        loads_strict(text, "run.json")
    assert str(info.value).startswith(said)
    assert isinstance(info.value, SvenError)
    assert isinstance(info.value, ValueError)


def test_equal_names_in_different_objects_are_fine():
    assert loads_strict('{"a": {"a": [{"a": 1}, {"a": 2}]}, "A": 0}') == {"a": {"a": [{"a": 1}, {"a": 2}]}, "A": 0}


def test_many_names_twice_take_no_time():
    text = "{" + ", ".join(f'"{i % 50_000}": 0' for i in range(100_000)) + "}"
    with pytest.raises(JSONError, match=r"^'0' twice in the text$") as info:
        loads_strict(text)
    assert len(info.value.twice) == 50_000
