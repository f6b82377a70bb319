"""The public addresses of the testbed's hosts, as EC2's network has them.

An address points to a host by a rule of the kernel, and not by a port of Docker's: it can move to
another host. What is under way to the one before then arrives at the new one, which knows nothing
of it and resets it. An address that is given up drops everything.
"""

import re
import subprocess
import threading

BRIDGE = "docker0"
CHAIN = "EVENTPOST-TESTBED"
LOOPBACK = "127.0.0.0/8"

_lock = threading.Lock()
_taken = set()


def run(*command, check=True):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def iptables(*args, check=True):
    return run("iptables", "-w", *args, check=check)


def set_up():
    """Makes addresses of the loopback network point to hosts, and forgets those of an earlier run."""
    for name in ("all", BRIDGE):
        run("sysctl", "-q", "-w", f"net.ipv4.conf.{name}.route_localnet=1")
    for table in ("nat", "filter"):
        iptables("-t", table, "-N", CHAIN, check=False)
        iptables("-t", table, "-F", CHAIN)
        insert(table, "OUTPUT", "-d", LOOPBACK, "-j", CHAIN)
    insert("nat", "POSTROUTING", "-s", LOOPBACK, "-o", BRIDGE, "-j", "MASQUERADE")


def insert(table, chain, *rule):
    """Inserts a rule once."""
    iptables("-t", table, "-D", chain, *rule, check=False)
    iptables("-t", table, "-I", chain, *rule)


def take(network):
    """A free address of 127.0.<network>.0/24."""
    with _lock:
        for n in range(10, 250):
            address = f"127.0.{network}.{n}"
            if address not in _taken:
                _taken.add(address)
                return address
    raise RuntimeError("no address is free")


def give_back(address):
    with _lock:
        _taken.discard(address)


def point(address, host, ports):
    """Makes an address point to the ports of a host, and to no other one any more."""
    with _lock:
        target = run(
            "docker", "inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", host
        ).strip()
        forget("nat", address)
        forget("filter", address)
        for port in ports:
            rule = ["-d", address, "-p", "tcp", "--dport", str(port), "-j", "DNAT", "--to", target]
            iptables("-t", "nat", "-A", CHAIN, *rule)
        break_off(address)


def cut(address):
    """Makes an address drop what is sent to it."""
    with _lock:
        forget("nat", address)
        insert("filter", CHAIN, "-d", address, "-j", "DROP")
        break_off(address)


def refuse(address):
    """Makes an address refuse what is sent to it."""
    with _lock:
        forget("nat", address)
        break_off(address)


def break_off(address):
    """Makes the kernel forget the connections to an address."""
    run("conntrack", "-D", "-d", address, check=False)


def forget(table, address):
    """Removes the rules for an address."""
    for rule in iptables("-t", table, "-S", CHAIN).splitlines():
        if re.match(rf"-A {CHAIN} -d {re.escape(address)}/32 ", rule):
            iptables("-t", table, "-D", *rule.split()[1:])


def tear_down():
    """Removes everything that was set up."""
    iptables("-t", "nat", "-D", "POSTROUTING", "-s", LOOPBACK, "-o", BRIDGE, "-j", "MASQUERADE",
             check=False)  # fmt: skip
    for table in ("nat", "filter"):
        iptables("-t", table, "-D", "OUTPUT", "-d", LOOPBACK, "-j", CHAIN, check=False)
        iptables("-t", table, "-F", CHAIN, check=False)
        iptables("-t", table, "-X", CHAIN, check=False)


if __name__ == "__main__":
    tear_down()
