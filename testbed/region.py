"""An EC2 region on this machine: moto answers the API, and every instance is a host.

moto keeps instances as records. Here launching one also starts a container with
systemd, sshd and cloud-init at an address of its own in 127.0.0.0/8, and terminating
it removes the container. What moto lacks and deployments need is added: the
`pending` and `shutting-down` states, client tokens, addresses that move (addresses.py),
and faults (faults.py).

Run by testbed/up, which sets STATE, HOST_IMAGE and DOCKER_HOST in the environment.
"""

import os
import sys
import threading
import time
from pathlib import Path

STATE = Path(os.environ["STATE"])
os.environ["MOTO_AMIS_PATH"] = str(Path(__file__).with_name("amis.json"))

from moto.core import DEFAULT_ACCOUNT_ID  # noqa: E402
from moto.core.exceptions import ServiceException  # noqa: E402
from moto.core.responses import ActionResult  # noqa: E402
from moto.ec2 import ec2_backends  # noqa: E402
from moto.ec2.models.instances import Instance, InstanceBackend  # noqa: E402
from moto.ec2.responses.key_pairs import KeyPairs  # noqa: E402
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import run_simple  # noqa: E402

import addresses  # noqa: E402
import faults  # noqa: E402
import hosts  # noqa: E402
import network  # noqa: E402

# How long an instance is seen `pending` before its host begins to boot, in seconds.
PENDING = 0.3

_lock = threading.Lock()
_tokens = {}


class IdempotencyError(ServiceException):
    """A client token that cannot be honoured."""

    def __init__(self, code, message):
        super().__init__(code, message)


def set_state(instance, name, code):
    instance._state.name = name
    instance._state.code = code


def boot(instance, plan):
    """Turns a pending instance into a running one with a host."""
    time.sleep(PENDING)
    address = network.take(0)
    instance.nics[0].public_ip = address
    try:
        hosts.start(instance, address, plan)
    except Exception as error:  # noqa: BLE001 - the API must go on for the others
        print(f"host of {instance.id} failed: {error}", file=sys.stderr, flush=True)
        network.give_back(address)
        set_state(instance, "terminated", 48)
        instance.state_reason.code = "Server.InternalError"
        instance.state_reason.message = "Server.InternalError: Internal error on launch"
        return
    if instance._state.name == "pending":
        set_state(instance, "running", 16)
    else:
        shut_down(instance, address)


def shut_down(instance, address):
    hosts.remove(instance.id)
    if not addresses.leave(instance):
        network.refuse(address)
        network.give_back(address)
    set_state(instance, "terminated", 48)


def watch():
    """Stops or terminates the instances that shut themselves down, as their launch asked."""
    while True:
        time.sleep(1)
        stopped = hosts.stopped()
        for instance in instances():
            if instance.id not in stopped or instance._state.name != "running":
                continue
            if instance.instance_initiated_shutdown_behavior == "terminate":
                instance.terminate()
            else:
                set_state(instance, "stopped", 80)


def instances():
    """The instances of all accounts and regions."""
    for account in ec2_backends.values():
        for backend in account.values():
            for reservation in list(backend.reservations.values()):
                yield from reservation.instances


def patch_instances():
    run_instances, terminate = InstanceBackend.run_instances, Instance.terminate

    def run(self, image_id, count, user_data, groups, **kwargs):
        token = kwargs.get("client_token")
        shape = (image_id, str(user_data and user_data.as_bytes()), kwargs.get("instance_type"))
        with _lock:
            if token and token != "ABCDE" and token in _tokens:
                reservation, before = _tokens[token]
                if any(i._state.name == "terminated" for i in reservation.instances):
                    raise IdempotencyError(
                        "IdempotentInstanceTerminated",
                        "The client token belongs to an instance that has been terminated.",
                    )
                if before != shape:
                    raise IdempotencyError(
                        "IdempotentParameterMismatch",
                        "The client token was used before with other parameters.",
                    )
                return reservation
            reservation = run_instances(self, image_id, count, user_data, groups, **kwargs)
            _tokens[token] = (reservation, shape)
        for instance in reservation.instances:
            set_state(instance, "pending", 0)
            plan = faults.host_faults(faults.current_key())
            threading.Thread(target=boot, args=(instance, plan), daemon=True).start()
        return reservation

    def end(self):
        if self._state.name in ("terminated", "shutting-down"):
            return type(self._state)(self._state.name, self._state.code)
        address = self.nics[0].public_ip
        previous = terminate(self)
        set_state(self, "shutting-down", 32)
        threading.Thread(target=shut_down, args=(self, address), daemon=True).start()
        return previous

    InstanceBackend.run_instances = run
    Instance.terminate = end


def patch_key_pairs():
    """Deleting a key pair by its id, which moto leaves out."""
    by_name = KeyPairs.delete_key_pair

    def delete(self):
        wanted = self._get_param("KeyPairId")
        if not wanted:
            return by_name(self)
        pairs = self.ec2_backend.key_pairs
        for pair in list(pairs.values()):
            if pair.id == wanted:
                pairs.pop(pair.key_name)
        return ActionResult({"Return": True, "KeyPairId": wanted})

    KeyPairs.delete_key_pair = delete


def open_network():
    """Gives the default network its way out, as AWS does."""
    backend = ec2_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
    vpc = backend.get_default_vpc()
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc.id)
    main_table = {"vpc-id": [vpc.id], "association.main": ["true"]}
    table = backend.describe_route_tables(filters=main_table)[0]
    backend.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)


def main():
    network.set_up()
    patch_instances()
    addresses.patch()
    open_network()
    patch_key_pairs()
    threading.Thread(target=watch, daemon=True).start()
    app = faults.Middleware(DomainDispatcherApplication(create_backend_app))
    port = int(os.environ["ENDPOINT_PORT"])
    run_simple("127.0.0.1", port, app, threaded=True, use_reloader=False)


if __name__ == "__main__":
    main()
