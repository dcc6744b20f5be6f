"""Write the vectors: `python tests/conformance/generate.py`. With --check, only say whether what is there is the same.

Answers come from `truth`, tolerances from `tolerance`, inputs from the `cases` modules; none of them knows the package.
Before anything is written the package's two implementations, the dense oracle and the matrix-free core, have to agree
with every answer within its tolerance (`witnesses`).
"""

import hashlib
import json
import sys
from pathlib import Path

import truth
from mpmath import mpf
from tolerance import exact, mapped, measure, numbers

VERSION = "1.0.1"
TARGET = Path(__file__).resolve().parents[2] / "sven_ref" / "conformance"
OPS = ("matvec", "rmatvec", "pinv_apply", "step", "natural_gradient", "jacobian", "trajectory", "reject")


def rounded(value):
    """mpf to the nearest float64; what is below 1e-45 of the largest number beside it is the 0 it stands for."""
    if isinstance(value, int):
        return value
    least = mpf(10) ** -45 * max(map(abs, numbers(value)), default=0)
    return mapped(value, lambda x: 0.0 if abs(x) <= least else float(x))


def ties(op, input, answer):
    """(first, last) of the cluster that the cut falls in, or None."""
    if op not in ("pinv_apply", "step"):
        return None
    s, q = truth.singular_values(truth.restricted(input)), answer["rank"]
    same = [i for i in range(len(s)) if q > 0 and abs(s[i] - s[q - 1]) < truth.SAME * s[0]]
    return (same[0], same[-1] + 1) if same and same[-1] >= q else None


def finished(op, case):
    """A case with its expected values and tolerances, its fields in the order they are written in."""
    case = dict(case)
    either, structural = case.pop("either", None), case.pop("structural", False)
    if op == "reject":
        dtypes = case.pop("dtypes")
        return {**case, "expected": {"verdict": "reject"}, "tolerance": {dtype: {} for dtype in dtypes}}
    input, answer_of = exact(case["input"]), truth.ANSWERS[op]
    answer = answer_of(input)
    if either:  # the ranks between which rounding decides
        answers, decided = [answer_of(input, q) for q in either], either
        expected = {"verdict": "acceptable", "any_of": [rounded_answer(a) for a in answers]}
    elif cluster := ties(op, input, answer):
        main = "update" if op == "pinv_apply" else "theta"
        dropped, whole = (answer_of(input, q)[main] for q in cluster)
        parts = {"dropped": dropped, "whole": whole, "basis": truth.right_vectors(input["J"], *cluster)}
        answers, decided = [answer_of(input, cluster[1])], [cluster[1]]
        fixed = {name: rounded(answer[name]) for name in ("rank", "singular_values")}
        expected = {"verdict": "acceptable", **fixed, "cluster": {n: rounded(v) for n, v in parts.items()}}
    else:
        answers, decided = [answer], [truth.decisions(op, input, answer)]
        expected = {"verdict": "valid", **rounded_answer(answer)}
    squared, at_threshold = case["level"] != "strict", bool(either) or structural
    tolerance = measure(op, case["id"], input, answers, decided, squared, at_threshold)
    assert tolerance, f"{case['id']}: no dtype can be asked"
    return {**case, "expected": expected, "tolerance": tolerance}


def rounded_answer(answer):
    return {name: rounded(value) for name, value in answer.items() if name not in ("decisions", "spectra")}


def text(document):
    """JSON with a line for each field of a case."""

    def flat(value):
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    lines = [f'{{"op":{flat(document["op"])},"version":{flat(document["version"])},"cases":[']
    for i, case in enumerate(document["cases"]):
        head = {name: case[name] for name in ("id", "clause", "level", "flags", "comment")}
        rest = [f' "{name}":{flat(case[name])}' for name in ("input", "expected", "tolerance")]
        lines.append(("," if i else "") + flat(head)[:-1] + ",\n" + ",\n".join(rest) + "}")
    return "\n".join([*lines, "]}\n"])


def files():
    """{path: text} of all generated files but the manifest."""
    from cases import cases

    every = cases()
    return {
        f"vectors/{op}.json": text({"op": op, "version": VERSION, "cases": [finished(op, c) for c in every[op]]})
        for op in OPS
    }


def disagreements(written):
    """What the package's own implementations answer otherwise: the dense oracle, and the core matrix-free."""
    sys.path.insert(0, str(TARGET.parents[1]))
    from witnesses import Oracle, attempt

    from sven_ref.conformance import Case
    from sven_ref.conformance.adapter import Reference

    for body in (body for name, body in written.items() if name.startswith("vectors/")):
        document = json.loads(body)
        for case in (Case(document["op"], **fields) for fields in document["cases"]):
            for witness in (Oracle(), Reference("tsqr"), Reference("svds")):
                unable = case.op == "reject" if isinstance(witness, Oracle) else case.level == "strict"
                if unable and getattr(witness, "solver", None) != "tsqr":
                    continue
                for dtype in case.dtypes:
                    verdict = attempt(witness, case, dtype)
                    if not verdict.passed:
                        yield f"{case.id} {dtype} {type(witness).__name__}: {verdict.message}"


def manifest(written):
    digests = {name: hashlib.sha256(body.encode()).hexdigest() for name, body in written.items()}
    for name in ("schema.json", "flags.json", "CHANGELOG.md", "LICENSE"):
        digests[name] = hashlib.sha256((TARGET / name).read_bytes()).hexdigest()
    return json.dumps({"version": VERSION, "files": digests}, indent=1) + "\n"


def main(check):
    written = files()
    written["manifest.json"] = manifest(written)
    different = [n for n, body in written.items() if not (TARGET / n).exists() or (TARGET / n).read_text() != body]
    if check:
        return different
    if wrong := list(disagreements(written)):
        sys.exit("nothing is written, because not all agree:\n" + "\n".join(wrong))
    for name, body in written.items():
        (TARGET / name).parent.mkdir(exist_ok=True)
        (TARGET / name).write_text(body)
    return different


if __name__ == "__main__":
    changed = main("--check" in sys.argv[1:])
    print(f"{len(changed)} files differ: {', '.join(changed)}" if changed else "no file differs")
    sys.exit(bool(changed) and "--check" in sys.argv[1:])
