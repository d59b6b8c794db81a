"""Serves the model of the artifact over the Open Inference Protocol, version 2.

joblib files are pickles: who loads one runs it. Fairlead mounts only what has the
digest that was reviewed.
"""

import json
import math
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import joblib

NAME = os.environ.get("MODEL_NAME", "iris")
VERSION = os.environ["MODEL_VERSION"]
MODEL = joblib.load("/mnt/model/model.joblib")
FEATURES = MODEL.n_features_in_
MAX_BODY = 4 << 20

METADATA = {
    "name": NAME,
    "versions": [VERSION],
    "platform": "sklearn_joblib",
    "inputs": [{"name": "features", "datatype": "FP64", "shape": [-1, FEATURES]}],
    "outputs": [{"name": "species", "datatype": "BYTES", "shape": [-1]}],
}
PAGES = {
    "/v2": {"name": "sklearn-example", "version": VERSION, "extensions": []},
    "/v2/health/live": {"live": True},
    "/v2/health/ready": {"ready": True},
    f"/v2/models/{NAME}": METADATA,
    f"/v2/models/{NAME}/ready": {"name": NAME, "ready": True},
    f"/v2/models/{NAME}/versions/{VERSION}": METADATA,
    f"/v2/models/{NAME}/versions/{VERSION}/ready": {"name": NAME, "ready": True},
}
INFER = [f"/v2/models/{NAME}/infer", f"/v2/models/{NAME}/versions/{VERSION}/infer"]


class Refused(Exception):
    """What the client did wrong."""


def flat(data):
    for value in data:
        if isinstance(value, list):
            yield from flat(value)
        else:
            yield value


def rows(request):
    """The features of an inference request, a list for each flower."""
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise Refused('there must be exactly one input, "features"')
    tensor = inputs[0]
    shape, data = tensor.get("shape"), tensor.get("data")
    if tensor.get("name") != "features" or tensor.get("datatype") != "FP64":
        raise Refused('the input must be "features", of datatype FP64')
    if not isinstance(shape, list) or len(shape) != 2 or shape[1] != FEATURES or type(shape[0]) is not int or shape[0] < 1:
        raise Refused(f"the shape must be [N, {FEATURES}]")
    if not isinstance(data, list):
        raise Refused("data must be a list of numbers")
    values = list(flat(data))
    if len(values) != math.prod(shape):
        raise Refused(f"the shape {shape} needs {math.prod(shape)} numbers; there are {len(values)}")
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        raise Refused("data must be finite numbers")
    return [values[i : i + FEATURES] for i in range(0, len(values), FEATURES)]


def requested(request):
    """Whether the one output is among those that are asked for."""
    outputs = request.get("outputs") or [{"name": "species"}]
    if not isinstance(outputs, list) or any(not isinstance(o, dict) or o.get("name") != "species" for o in outputs):
        raise Refused('the only output is "species"')


def infer(body):
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Refused(f"the body is no JSON: {problem}") from None
    features = rows(request)
    requested(request)
    answer = {"model_name": NAME, "model_version": VERSION}
    if "id" in request:
        answer["id"] = request["id"]
    species = MODEL.predict(features).tolist()
    answer["outputs"] = [{"name": "species", "shape": [len(species)], "datatype": "BYTES", "data": species}]
    return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds, of a client that says nothing

    def do_GET(self):
        page = PAGES.get(self.path)
        if page is not None:
            return self.answer(200, page)
        if self.path in INFER:
            return self.answer(405, {"error": f"{self.path} takes POST"})
        self.answer(404, {"error": f"there is nothing at {self.path}"})

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True  # the body stays unread
            return self.answer(413 if length.isdecimal() else 411, {"error": f"a body of at most {MAX_BODY} bytes, with its length, is needed"})
        body = self.rfile.read(int(length))
        if self.path not in INFER:
            known = self.path in PAGES
            return self.answer(405 if known else 404, {"error": f"{self.path} takes no POST" if known else f"there is nothing at {self.path}"})
        try:
            self.answer(200, infer(body))
        except Refused as problem:
            self.answer(400, {"error": str(problem)})

    def answer(self, status, page):
        body = json.dumps(page).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests that are open are finished


server = Server(("", 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print(f"serving {NAME} {VERSION} on port 8080")
server.serve_forever()
server.server_close()
