"""The protocol's side of an adapter in Python: read a question a line, print an answer a line. Copy it."""

import json
import sys


def serve(name, version, run, ops, dtypes=("float64", "float32")):
    """Answer until "stop". `run(op, dtype, input)` returns the output, raises to refuse."""
    for line in sys.stdin:
        message = json.loads(line)
        if message["command"] == "stop":
            return
        if message["command"] == "start":
            answer = {"protocol": 1, "name": name, "version": version, "ops": ops, "dtypes": dtypes}
        else:
            answer = {"id": message["id"]}
            try:
                answer["output"] = run(message["op"], message["dtype"], message["input"])
            except NotImplementedError as error:
                answer["skip"] = str(error)
            except Exception as error:
                answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer, default=lambda array: array.tolist()), flush=True)
