"""The hosts of the testbed: containers that boot as EC2 instances do."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import network

STATE = Path(os.environ["STATE"])
IMAGE = os.environ["HOST_IMAGE"]
LABEL = os.environ["LABEL"]

# Held by a unit at boot, as unattended upgrades hold it on a fresh Ubuntu. dpkg and apt
# take POSIX locks, which is what lockf takes.
APT_LOCK = """[Unit]
Description=Hold the lock of the package manager
[Service]
Type=simple
ExecStart=/usr/bin/python3 -c "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); \
fcntl.lockf(f,fcntl.LOCK_EX); time.sleep({seconds})"
"""
SSH_DELAY = """[Service]
ExecStartPre=/bin/sleep {seconds}
TimeoutStartSec=300
"""

def open_ports(instance):
    """The TCP ports that the instance's security groups let in, of those in use."""
    ports = set()
    for group in instance.security_groups:
        for rule in group.ingress_rules:
            first, last = int(rule.from_port or 0), int(rule.to_port or 65535)
            ports |= {port for port in (22, 80, 443) if first <= port <= last}
    return sorted(ports)


def seed(instance, folder, plan):
    """Writes the files that cloud-init reads at boot."""
    folder.mkdir(parents=True)
    keys = []
    if instance.key_name:
        pair = instance.ec2_backend.key_pairs[instance.key_name]
        public = pair.material_public
        keys.append(public.decode() if isinstance(public, bytes) else public)
    meta = {"instance-id": instance.id, "local-hostname": instance.id, "public-keys": keys}
    (folder / "meta-data").write_text(json.dumps(meta))
    user_data = instance.user_data.decode() if instance.user_data else "#cloud-config\n{}\n"
    if plan.get("own_host_keys"):
        # Somebody else's machine at that address would not have the keys either.
        user_data = "#cloud-config\n{}\n"
    (folder / "user-data").write_text(user_data)


def units(folder, plan):
    """The mounts of units that make the host slow or busy, as its faults say."""
    mounts = []
    folder.mkdir(parents=True, exist_ok=True)
    if seconds := plan.get("apt_lock"):
        unit = folder / "apt-lock.service"
        unit.write_text(APT_LOCK.format(seconds=seconds))
        wants = "/etc/systemd/system/multi-user.target.wants/apt-lock.service"
        mounts += ["-v", f"{unit}:/etc/systemd/system/apt-lock.service:ro", "-v", f"{unit}:{wants}:ro"]
    if seconds := plan.get("ssh_delay"):
        unit = folder / "delay.conf"
        unit.write_text(SSH_DELAY.format(seconds=seconds))
        mounts += ["-v", f"{unit}:/etc/systemd/system/ssh.service.d/delay.conf:ro"]
    return mounts


def start(instance, address, plan):
    if plan.get("none"):
        return
    home = STATE / "hosts" / instance.id
    seed(instance, home / "seed", plan)
    command = [
        "docker", "run", "-d", "--name", instance.id, "--hostname", instance.id,
        "--label", LABEL,
        "--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE",
        "--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined",
        "--cgroupns=host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
        "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec",
        "-v", "/var/lib/docker",
        "-v", f"{home / 'seed'}:/var/lib/cloud/seed/nocloud:ro",
        *units(home / "units", plan), IMAGE, "/sbin/init",
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    network.point(address, instance.id, open_ports(instance))


def stopped():
    """The names of the hosts that stopped by themselves."""
    command = ["docker", "ps", "-a", "--filter", f"label={LABEL}", "--filter", "status=exited"]
    command += ["--format", "{{.Names}}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.split()


def remove(name):
    subprocess.run(["docker", "rm", "-f", "-v", name], check=False, capture_output=True)
    shutil.rmtree(STATE / "hosts" / name, ignore_errors=True)
