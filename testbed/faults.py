"""Faults, switched on for one access key at a time, so that tests that run side by side do
not affect each other.

`PUT /testbed/faults/<access key>` takes a JSON object:

    {"api": [{"action": "RunInstances", "code": "InsufficientInstanceCapacity",
              "status": 500, "after": 1, "times": 1, "share": 1.0}],
     "host": {"ssh_delay": 20, "apt_lock": 20, "own_host_keys": true, "none": true,
              "elastic_ips": 2},
     "policy": {"tags": ["owner"], "tokens": true}}

An API fault answers calls of the action (or of all, "*") with the code: after `after`
calls, `times` times (always without it), for a `share` of the calls.
Instances with `none` run without a host behind them: the bare API. `elastic_ips` is the quota of
addresses. A policy denies launches without certain tags, or whose metadata service wants no token,
as an organization's does.
"""

import json
import random
import re
import threading
from urllib.parse import parse_qs

_lock = threading.Lock()
_faults = {}
_calls = {}
_local = threading.local()

TAG_KEY = r"TagSpecification\.\d+\.Tag\.\d+\.Key"
KEY = re.compile(r"Credential=([^/]+)/")


def current_key():
    """The access key of the request that this thread answers."""
    return getattr(_local, "key", None)


def host_faults(key):
    with _lock:
        return dict(_faults.get(key, {}).get("host", {}))


def pick(key, action):
    """The fault for a call, if there is one."""
    with _lock:
        for fault in _faults.get(key, {}).get("api", []):
            if fault["action"] not in ("*", action):
                continue
            fault["seen"] = fault.get("seen", 0) + 1
            if fault["seen"] <= fault.get("after", 0):
                continue
            if fault.get("times", 1) <= 0 or random.random() >= fault.get("share", 1.0):
                continue
            if "times" in fault:
                fault["times"] -= 1
            return fault
    return None


def denied(key, action, form):
    """The fault for a call that a policy of the account's organization denies."""
    with _lock:
        policy = _faults.get(key, {}).get("policy")
    if not policy or action != "RunInstances":
        return None
    given = {value[0] for name, value in form.items() if re.fullmatch(TAG_KEY, name)}
    without_tokens = form.get("MetadataOptions.HttpTokens", [""])[0] != "required"
    if set(policy.get("tags", [])) <= given and not (policy.get("tokens") and without_tokens):
        return None
    return {
        "code": "UnauthorizedOperation",
        "status": 403,
        "message": "You are not authorized to perform this operation. User: arn:aws:iam::1:user/me"
        " is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:1:"
        "instance/* with an explicit deny in a service control policy. Encoded authorization "
        f"failure message: {'x' * 500}",
    }


def error(fault):
    code = fault["code"]
    message = fault.get("message", f"The testbed answers with {code}.")
    return (
        "<?xml version='1.0' encoding='UTF-8'?><Response><Errors><Error>"
        f"<Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>00000000-testbed</RequestID></Response>"
    ).encode()


class Middleware:
    """Answers calls that have a fault, and passes the others on."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if path.startswith("/testbed/"):
            return self.control(path, environ["REQUEST_METHOD"], body, start_response)
        found = KEY.search(environ.get("HTTP_AUTHORIZATION", ""))
        _local.key = found and found.group(1)
        form = parse_qs(body.decode(errors="replace"))
        action = form.get("Action", [""])[0]
        with _lock:
            _calls.setdefault(_local.key, []).append(action)
        if fault := pick(_local.key, action) or denied(_local.key, action, form):
            answer = error(fault)
            headers = [("Content-Type", "text/xml"), ("Content-Length", str(len(answer)))]
            start_response(f"{fault.get('status', 400)} Fault", headers)
            return [answer]
        import io

        environ["wsgi.input"] = io.BytesIO(body)
        return self.app(environ, start_response)

    def control(self, path, method, body, start_response):
        """Sets the faults of a key, or returns its calls so far."""
        what, key = path.removeprefix("/testbed/").split("/", 1)
        with _lock:
            if what == "faults" and method == "PUT":
                _faults[key] = json.loads(body)
                answer = b"{}"
            else:
                answer = json.dumps(_calls.get(key, [])).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [answer]
