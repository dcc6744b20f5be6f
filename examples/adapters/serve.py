"""The protocol's side of an adapter in Python: read a question a line, print an answer a line. Copy it."""

import json
import sys


def serve(name, version, run, ops, dtypes=("float64", "float32")):
    """Answer until "stop". `run(op, dtype, input)` returns the output or raises to refuse; NaN is a refusal too."""
    for line in sys.stdin:
        message = json.loads(line)
        if message["command"] == "stop":
            return
        if message["command"] == "start":
            answer = {"protocol": 1, "name": name, "version": version, "ops": ops, "dtypes": dtypes}
        else:
            answer = {"id": message["id"], **attempt(run, message["op"], message["dtype"], message["input"])}
        print(json.dumps(answer), flush=True)


def attempt(run, op, dtype, input):
    try:
        output = json.dumps(run(op, dtype, input), default=lambda array: array.tolist(), allow_nan=False)
        return {"output": json.loads(output)}
    except NotImplementedError as error:
        return {"skip": str(error)}
    except Exception as error:  # a refusal, for some cases the only right answer
        return {"error": f"{type(error).__name__}: {error}"}
