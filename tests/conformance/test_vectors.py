"""The suite of vectors is what its generator writes, obeys its schema, and speaks plainly; loader and comparison."""

import copy
import json
import re
import shutil
from pathlib import Path

import generate
import numpy as np
import pytest
from tolerance import REALS, numbers

from sven_ref.conformance import LEVELS, Case, VectorsError, arrays, judge, load, loader
from sven_ref.conformance.schema import check
from sven_ref.errors import ArgumentError

ROOT = Path(loader.__file__).parent
SUITE = load()
SCHEMA = json.loads((ROOT / "schema.json").read_text())
MODAL = re.compile(r"\b(must|should|shall|may|might|can|could|would|will|ought|need)\b", re.IGNORECASE)


# The suite


def test_regenerating_changes_no_byte():
    assert generate.main(check=True) == []


def test_ids_are_unique_and_say_the_operation():
    assert len({case.id for case in SUITE.cases}) == len(SUITE.cases) >= 150
    assert all(case.id.startswith(case.op.replace("_", "-")) for case in SUITE.cases)
    assert {case.op for case in SUITE.cases} == set(generate.OPS)
    assert {case.level for case in SUITE.cases} == set(LEVELS)


def test_every_flag_is_defined_and_used():
    assert {flag for case in SUITE.cases for flag in case.flags} == set(SUITE.flags)
    assert all(set(flag) == {"description", "failure"} and all(flag.values()) for flag in SUITE.flags.values())


def test_texts_are_short_and_have_no_modal_verbs():
    texts = [case.comment for case in SUITE.cases] + [text for flag in SUITE.flags.values() for text in flag.values()]
    assert all(0 < len(text) <= 160 for text in texts)
    assert not [text for text in texts if MODAL.search(text)]
    assert all(len(case.comment) <= 90 for case in SUITE.cases)


def test_every_clause_is_in_the_specification():
    spec = (Path(__file__).parents[2] / "docs" / "spec.md").read_text()
    clauses = set(re.findall(r"^(\d\.\d) ", spec, re.MULTILINE)) | set(re.findall(r"^## (\d)\. ", spec, re.MULTILINE))
    assert {case.clause for case in SUITE.cases} <= clauses


def test_the_manifest_lists_every_file_and_the_suite_is_small():
    manifest = json.loads((ROOT / "manifest.json").read_text())
    there = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.suffix not in (".py", ".pyc")}
    there = {name for name in there if (ROOT / name).is_file()}
    assert set(manifest["files"]) == there - {"manifest.json"}
    assert sum((ROOT / name).stat().st_size for name in there) < 400_000
    assert f"## {manifest['version']}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_inputs_are_exact_in_float32_where_it_is_asked():
    for case in SUITE.cases:
        if "float32" in case.dtypes and case.op != "reject":
            for part in (case.input, *case.input.get("batches", ())):
                for value in (part[name] for name in REALS if name in part):
                    assert all(float(np.float32(x)) == x for x in numbers(value)), case.id


def test_a_change_of_sign_changes_no_update():
    for a, b, name in (("pinv-apply-rows-signed", "pinv-apply-rows-flipped", "update"),
                       ("trajectory-signed", "trajectory-unsigned", "thetas")):  # fmt: skip
        assert SUITE[a].expected[name] == SUITE[b].expected[name]


def test_levels():
    for case in SUITE.cases:
        op = case.input.get("call", case.op)
        assert case.level in {"jacobian": ("autodiff",), "trajectory": ("trajectory",)}.get(op, ("core", "strict"))
        assert "float64" in case.dtypes
    with pytest.raises(KeyError):
        SUITE["no-such-case"]


def test_arrays():
    a = arrays(SUITE["jacobian-cross-entropy-kappa-2"].input, "float32")
    assert (a["theta"].dtype, a["x"].dtype, a["y"].dtype) == (np.float32, np.float32, np.int64)
    a = arrays(SUITE["trajectory-signed"].input, "float64")
    assert a["batches"][0]["y"].shape == (4, 1)
    assert arrays(SUITE["step-subset-last"].input, "float32")["columns"].tolist() == [5, 6, 7]
    assert np.isnan(arrays(SUITE["reject-pinv-apply-rtol-nan"].input["input"], "float64")["rtol"])


# The schema and the loader


def documents():
    return {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "vectors").glob("*.json"))}


def planted():
    """(what, document): each has one error, in the first of three cases."""
    for what, change in {
        "an unknown field of a case": lambda c: c.update(note="x"),
        "an unknown field of an input": lambda c: c["input"].update(mu=1.0),
        "an unknown field of a tolerance": lambda c: c["tolerance"]["float64"].update(rank=1.0),
        "an unknown dtype": lambda c: c["tolerance"].update(float16={}),
        "a missing field": lambda c: c.pop("clause"),
        "a missing input": lambda c: c["input"].pop("k"),
        "a level that is none": lambda c: c.update(level="easy"),
        "a string for a number": lambda c: c["input"].update(rtol="0"),
        "true for a number": lambda c: c["input"].update(k=True),
        "k = 0": lambda c: c["input"].update(k=0),
        "rtol = 1": lambda c: c["input"].update(rtol=1.0),
        "a long comment": lambda c: c.update(comment="x" * 91),
        "an id with a space": lambda c: c.update(id="pinv-apply-a b"),
        "flags twice": lambda c: c.update(flags=["Wide", "Wide"]),
        "no flags": lambda c: c.update(flags=[]),
        "an unknown verdict": lambda c: c["expected"].update(verdict="maybe"),
        "a vector for a matrix": lambda c: c["input"].update(J=[1.0, 2.0]),
    }.items():
        document = documents()["pinv_apply"]
        del document["cases"][3:]
        change(document["cases"][0])
        yield what, document
    document = documents()["jacobian"]
    document["cases"][0]["input"]["kappa"] = 0
    yield "kappa = 0", document
    yield "an unknown operation", {**documents()["matvec"], "op": "solve"}
    yield "a list", []


def test_every_file_obeys_the_schema_by_a_checker_of_its_own():
    import jsonschema  # of the extra `test`: where it is missing this fails and is not skipped

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for name, document in documents().items():
        assert not list(validator.iter_errors(document)), name
    for what, document in planted():
        assert not validator.is_valid(document), what


@pytest.mark.parametrize(("what", "document"), [*planted()], ids=lambda x: x if isinstance(x, str) else "")
def test_a_planted_error_is_found(what, document):
    with pytest.raises(VectorsError):
        check(document, SCHEMA, "planted")


def test_an_error_names_the_place_and_a_schema_of_unknown_words_is_refused():
    document = documents()["pinv_apply"]
    document["cases"][3]["input"]["rtol"] = 2
    where = document["cases"][3]["id"]
    with pytest.raises(VectorsError, match=rf"cases\[{where}\].input.rtol: 2 is not below 1"):
        check(document, SCHEMA, "pinv_apply")
    with pytest.raises(VectorsError, match="'multipleOf'"):
        check(4, {"multipleOf": 2}, "x")


def altered(tmp_path, name, change, rehash=True):
    root = tmp_path / "suite"
    shutil.copytree(ROOT, root)
    document = json.loads((root / name).read_text())
    change(document)
    (root / name).write_text(json.dumps(document))
    if rehash and name != "manifest.json":
        manifest = json.loads((root / "manifest.json").read_text())
        manifest["files"][name] = loader.sha256((root / name).read_bytes())
        (root / "manifest.json").write_text(json.dumps(manifest))
    return root


def test_a_copy_loads_and_a_changed_copy_does_not(tmp_path):
    assert load(altered(tmp_path, "vectors/step.json", lambda d: None)) == SUITE


@pytest.mark.parametrize(
    ("name", "change", "rehash", "message"),
    [
        ("vectors/step.json", lambda d: d["cases"].pop(), False, "SHA-256"),
        ("vectors/step.json", lambda d: d["cases"][0].update(note=""), True, "unknown fields"),
        ("vectors/step.json", lambda d: d.update(version="9.9.9"), True, "version 9.9.9"),
        ("vectors/step.json", lambda d: d["cases"][0]["flags"].append("NoSuch"), True, "not in flags.json"),
        ("vectors/step.json", lambda d: d["cases"].append(d["cases"][0]), True, "the same id"),
        ("manifest.json", lambda d: d["files"].update(none=""), True, r"none: can't be read: No such file"),
        (
            "vectors/step.json",
            lambda d: d["cases"][0]["input"].update(lr=float("nan")),
            True,
            "NaN in .*step.json: it is not JSON",
        ),
    ],
)
def test_what_the_loader_refuses(tmp_path, name, change, rehash, message):
    with pytest.raises(VectorsError, match=message):
        load(altered(tmp_path, name, change, rehash))


MANIFEST = (ROOT / "manifest.json").read_bytes()
MANIFESTS = {  # what lies there in place of the manifest: what is said of it
    "nothing": (None, "can't be read: No such file"),
    "empty": (b"", "is not JSON: Expecting value"),
    "truncated": (MANIFEST[:300], "is not JSON"),
    "{}": (b"{}", r"fields \['version', 'files'\] are missing"),
    "null": (b"null", "'None' is not object"),
    "[]": (b"[]", r"'\[\]' is not object"),
    "a number": (b"1", "'1' is not object"),
    "no files": (b'{"version": "1.0.1", "files": {}}', "fields .*'schema.json', 'flags.json', 'vectors/matvec.json'"),
    "files a list": (b'{"version": "1.0.1", "files": []}', r"files: '\[\]' is not object"),
    "files null": (b'{"version": "1.0.1", "files": null}', "files: 'None' is not object"),
    "a number for a version": (MANIFEST.replace(b'"1.0.1"', b"1"), "version: '1' is not string"),
    "null for a digest": (re.sub(b'(reject.json": )"[^"]*"', rb"\1null", MANIFEST), "'None' is not string"),
    "one operation less": (
        re.sub(b"(?m)^.*reject.json.*\n", b"", MANIFEST),
        r"fields \['vectors/reject.json'\] are missing",
    ),
    "a digest altered": (
        re.sub(b'(matvec.json": ")....', rb"\g<1>0000", MANIFEST, count=1),
        "SHA-256 that is not the manifest's",
    ),
    "unknown field": (MANIFEST.replace(b"{", b'{"date": "", ', 1), r"unknown fields \['date'\]"),
    "version twice": (MANIFEST.replace(b"{", b'{"version": "2.0.0", ', 1), "'version' twice in"),
    "a file twice": (MANIFEST.replace(b'"schema.json"', b'"flags.json": "", "schema.json"'), "'flags.json' twice in"),
    "UTF-16": (MANIFEST.decode().encode("utf-16"), "is not JSON: 'utf-8' codec"),
    "a byte order mark": (b"\xef\xbb\xbf" + MANIFEST, "is not JSON: Unexpected UTF-8 BOM"),
    "nested too deep": (b"[" * 100_000, "nested too deep"),
}


@pytest.mark.parametrize(("data", "said"), MANIFESTS.values(), ids=MANIFESTS)
def test_what_is_no_manifest(tmp_path, data, said):
    root = Path(shutil.copytree(ROOT, tmp_path / "suite"))
    (root / "manifest.json").unlink()
    if data is not None:
        (root / "manifest.json").write_bytes(data)
    with pytest.raises(VectorsError, match=said) as info:
        load(root)
    assert str(info.value).endswith("install sven-ref again, or restore its files by git checkout")


@pytest.mark.parametrize("name", json.loads(MANIFEST)["files"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: None, "can't be read: No such file or directory"),
        (lambda data: b"", "0 bytes with a SHA-256 that is not the manifest's: truncated or altered"),
        (lambda data: data[: len(data) // 2], "truncated or altered"),
        (lambda data: data[:-1], "truncated or altered"),
        (lambda data: data.replace(b"1", b"2", 1), "truncated or altered"),
        (lambda data: b"null", "4 bytes with a SHA-256"),
        (lambda data: data.replace(b"\n", b"\r\n"), r"its lines end with \\r\\n and not with \\n"),
    ],
    ids=["missing", "empty", "half", "a byte less", "altered", "null", "CRLF"],
)
def test_a_file_that_is_not_the_manifests(tmp_path, name, change, said):
    root = Path(shutil.copytree(ROOT, tmp_path / "suite"))
    data = change((root / name).read_bytes())
    (root / name).unlink()
    if data is not None:
        (root / name).write_bytes(data)
    with pytest.raises(VectorsError, match=said) as info:
        load(root)
    assert str(root / name) in str(info.value)


def test_a_directory_that_is_not_there_or_a_file(tmp_path):
    for root in (tmp_path / "nowhere", Path(__file__)):
        with pytest.raises(VectorsError, match="can't be read"):
            load(root)


def test_a_name_twice_in_a_case(tmp_path):
    root = altered(tmp_path, "vectors/step.json", lambda d: None)
    path = root / "vectors" / "step.json"
    path.write_text(path.read_text().replace('"lr":', '"lr": 1.0, "lr":', 1).replace('"lr": ', '"lr": 1.0, "lr": ', 1))
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["files"]["vectors/step.json"] = loader.sha256(path.read_bytes())
    (root / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(VectorsError, match=r"'lr' twice in .*step\.json"):
        load(root)


# The comparison


def right(id):
    return {name: copy.deepcopy(value) for name, value in SUITE[id].expected.items() if name != "verdict"}


def test_a_right_answer_passes_with_no_error():
    case = SUITE["pinv-apply-wide"]
    verdict = judge(case, "float64", right(case.id))
    assert (verdict.passed, verdict.units, verdict.clause, verdict.id) == (True, 0, "3.2", case.id)


def test_error_is_in_units_of_the_tolerance():
    case, answer = SUITE["pinv-apply-wide"], right("pinv-apply-wide")
    x = np.array(answer["update"])
    for units in (0.5, 2.0, 1e6):
        answer["update"] = x * (1 + units * case.tolerance["float64"]["update"])
        verdict = judge(case, "float64", answer)
        assert verdict.units == pytest.approx(units, rel=0.05)
        assert verdict.passed == (units <= 1)
        assert verdict.quantity == "update"
        assert "update is off by" in verdict.message


REALS7 = "must be real numbers of shape (7,)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 3}, "rank is 3, not 4"),
        ({"rank": 4.5}, "rank is 4.5, not 4"),
        ({"rank": True}, "rank is true, not 4"),
        ({"rank": None}, "rank is null, not 4"),
        ({"rank": "4"}, "rank is the string '4', not 4"),
        ({"rank": [4]}, "rank is a list of 1, not 4"),
        ({"rank": {}}, "rank is an object with fields [], not 4"),
        ({"update": [1.0, 2.0]}, f"update has shape (2,): {REALS7}"),
        ({"update": [[1.0] * 7]}, f"update has shape (1, 7): {REALS7}"),
        ({"update": [[1.0]] * 7}, f"update has shape (7, 1): {REALS7}"),
        ({"update": []}, f"update has shape (0,): {REALS7}"),
        ({"update": [[1.0], [1.0, 2.0]]}, f"update[1] has shape (2,) where update[0] has (1,): {REALS7}"),
        ({"update": [1.0, [1.0]]}, f"update[1] is a list of 1 where update[0] is the number 1.0: {REALS7}"),
        ({"update": [[1.0], 1.0]}, f"update[1] is the number 1.0 where update[0] is a list of 1: {REALS7}"),
        ({"update": 1.0}, f"update is the number 1.0: {REALS7}"),
        ({"update": "0"}, f"update is the string '0': {REALS7}"),
        ({"update": None}, f"update is null: {REALS7}"),
        ({"update": True}, f"update is true: {REALS7}"),
        ({"update": {"0": 1.0}}, f"update is an object with fields ['0']: {REALS7}"),
        ({"update": [1.0, "NaN", 0, 0, 0, 0, 0]}, f"update[1] is the string 'NaN': {REALS7}"),
        ({"update": ["1.0"] * 7}, f"update[0] is the string '1.0': {REALS7}"),
        ({"update": [1.0, 2, None, 0, 0, 0, 0]}, f"update[2] is null: {REALS7}"),
        ({"update": [1.0, 2, 0, 0, 0, 0, False]}, f"update[6] is false: {REALS7}"),
        ({"update": [1.0, 2, 0, 0, 0, 0, {"re": 1}]}, f"update[6] is an object with fields ['re']: {REALS7}"),
        ({"update": [[1.0, [None]]]}, f"update[0][1][0] is null: {REALS7}"),
        ({"update": [10**400] * 7}, f"update[0] is a number beyond the largest of float64: {REALS7}"),
        ({"update": np.array([1j] * 7)}, f"update is an array of complex128: {REALS7}"),
        ({"update": np.array(["1"] * 7)}, f"update is an array of <U1: {REALS7}"),
        ({"update": np.zeros((7, 1))}, f"update has shape (7, 1): {REALS7}"),
        ({"update": [float("nan")] * 7}, "update has 7 of 7 values that are not finite, update[0] is nan"),
        (
            {"update": [0, 0, 0, float("-inf"), 0, 0, 0]},
            "update has 1 of 7 values that are not finite, update[3] is -inf",
        ),
        ({"singular_values": []}, "singular_values has shape (0,): must be real numbers of shape (4,)"),
    ],
)
def test_answers_that_no_number_can_measure(change, message):
    verdict = judge(SUITE["pinv-apply-wide"], "float64", {**right("pinv-apply-wide"), **change})
    assert (verdict.passed, verdict.units) == (False, np.inf)
    assert verdict.message == message


def test_a_missing_quantity_no_output_and_an_error():
    case, answer = SUITE["pinv-apply-wide"], right("pinv-apply-wide")
    del answer["rank"]
    assert "rank is missing" in judge(case, "float64", answer).message
    assert "output is a NoneType" in judge(case, "float64").message
    assert "raised boom" in judge(case, "float64", error="boom").message
    with pytest.raises(ArgumentError, match="must be asked in float64, float32"):
        judge(case, "float16", answer)


def test_reject_passes_on_an_error_alone():
    case = SUITE["reject-pinv-apply-nan"]
    assert judge(case, "float64", error="NaN").passed
    assert not judge(case, "float64", {"update": [0.0] * 3}).passed


def test_zero_is_compared_absolutely():
    case = SUITE["pinv-apply-orthogonal-residual"]
    tolerance = case.tolerance["float64"]["update"]
    assert judge(case, "float64", {**right(case.id), "update": [0.5 * tolerance]}).units == pytest.approx(0.5)
    case = SUITE["pinv-apply-zero-jacobian"]
    assert judge(case, "float64", right(case.id)).passed
    assert judge(case, "float64", {**right(case.id), "update": [0.0, 0.0, 1e-300]}).units == np.inf


def test_other_coordinates_are_bit_identical():
    case = SUITE["step-subset-last"]
    answer = right(case.id)
    assert judge(case, "float64", answer).passed
    answer["theta"][0] = np.nextafter(answer["theta"][0], 9)
    assert "outside columns" in judge(case, "float64", answer).message


def test_any_of_takes_one_answer_whole():
    case = SUITE["pinv-apply-at-threshold-rounded-1"]
    low, high = case.expected["any_of"]
    assert judge(case, "float64", low).passed
    assert judge(case, "float64", high).passed
    assert not judge(case, "float64", {**low, "update": high["update"]}).passed


def test_a_cluster_takes_every_choice_of_a_part_of_it_and_nothing_else():
    case = SUITE["pinv-apply-cut-in-cluster-1"]  # σ = 3, 2, 2: x_1 = 1, and a projection of (1, 2)
    for angle in np.linspace(0, np.pi, 7):
        w = np.array([np.cos(angle), np.sin(angle)])
        part = w * (w @ [1.0, 2.0])
        answer = {**right(case.id), "update": [1.0, *part]}
        assert judge(case, "float64", answer).units < 0.1
        assert not judge(case, "float64", {**answer, "update": [1.01, *part]}).passed
        assert not judge(case, "float64", {**answer, "update": [1.0, *(part + 0.01)]}).passed
    assert not judge(case, "float64", {**right(case.id), "update": [1.0, 0.5, 1.0]}).passed  # the middle of the sphere


def test_the_comparison_neither_overflows_nor_underflows():
    for id in ("pinv-apply-huger-k2", "pinv-apply-tinier-k2"):
        answer = right(id)
        assert judge(SUITE[id], "float64", answer).passed
        answer["singular_values"][0] *= 1.001
        assert not judge(SUITE[id], "float64", answer).passed


def test_absurd_answers_have_an_infinite_error():
    for id in ("pinv-apply-wide", "pinv-apply-cut-in-cluster-2"):
        answer = {**right(id), "update": [1.7e308, -1.7e308] * 3 + [1.7e308]}
        answer["update"] = answer["update"][: len(SUITE[id].input["J"][0])]
        assert judge(SUITE[id], "float64", answer).units == np.inf


def test_integers_are_numbers_of_any_size():
    case = SUITE["matvec-hand-wide"]
    assert judge(case, "float64", {"product": [int(x) for x in case.expected["product"]]}).passed
    assert judge(case, "float64", {"product": [10**30, 4]}).units > 1e30
    assert not judge(case, "float64", {"product": [10**400, 4]}).passed


def test_true_among_numbers_is_no_number():
    case = SUITE["matvec-hand-wide"]
    right = case.expected["product"]
    assert judge(case, "float64", {"product": right}).passed
    assert judge(case, "float64", {"product": np.array(right)}).passed
    for bad in ([True, right[1]], [right[0], False], [None, right[1]], [str(right[0]), right[1]]):
        assert "must be real numbers" in judge(case, "float64", {"product": bad}).message


def test_every_shape_but_the_right_one_is_told():
    for case in SUITE.cases:
        for name, value in case.expected.items():
            if isinstance(value, list) and name != "any_of":
                wrong = [[], [value], value + value, 1.5, [[x] for x in value]]
                for other in (w for w in wrong if np.shape(w) != np.shape(value)):
                    message = judge(case, "float64", {**right(case.id), name: other}).message
                    assert message.startswith(f"{name} "), case.id
                    assert message.endswith(f": must be real numbers of shape {np.shape(value)}"), case.id


def test_a_case_is_a_plain_record():
    assert isinstance(SUITE.cases[0], Case)
    assert SUITE["matvec-huge"].dtypes == ("float64",)
