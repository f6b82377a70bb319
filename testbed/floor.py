"""The lower bound of a deployment's time: its steps by hand, each as early as possible.

It uses boto3 and ssh alone, verifies nothing and shows no progress. Prints the seconds that it
took, and terminates what it launched. Usage: floor.py SERVICE=PROGRAM=FIXTURES...
"""

import io
import json
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import boto3
import yaml

NAME = "floor"


def launch(ec2, service, key, group):
    made = ec2.run_instances(
        ImageId="ami-055744c75048d8296",
        InstanceType="t2.xlarge",
        MinCount=1,
        MaxCount=1,
        KeyName=key,
        SecurityGroupIds=[group],
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": service}]}
        ],
    )
    return made["Instances"][0]["InstanceId"]


def address_of(ec2, instance):
    while True:
        found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        if found["State"]["Name"] == "running" and "PublicIpAddress" in found:
            return found["PublicIpAddress"]
        time.sleep(0.1)


def archive(program):
    """The program and its folder, as `docker import` reads them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(program, "service")
        data = tarfile.TarInfo("data")
        data.type, data.mode = tarfile.DIRTYPE, 0o777
        tar.addfile(data)
    return out.getvalue()


def deploy(ec2, service, program, fixtures, key_file, group, done):
    instance = launch(ec2, service, NAME, group)
    done.append(instance)
    address = address_of(ec2, instance)
    ssh = ["ssh", "-q", "-i", key_file, "-o", "StrictHostKeyChecking=no",
           "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=2", f"ubuntu@{address}"]  # fmt: skip
    while subprocess.run([*ssh, "true"], check=False, stdin=subprocess.DEVNULL).returncode:
        time.sleep(0.05)
    install = (
        "sudo cloud-init status --wait >/dev/null; export DEBIAN_FRONTEND=noninteractive;"
        "sudo -E apt-get update -q >/dev/null && "
        "sudo -E apt-get install -qy --no-install-recommends docker.io >/dev/null"
    )
    subprocess.run([*ssh, install], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run = (
        "sudo docker import -c 'ENTRYPOINT [\"/service\"]' - service >/dev/null && "
        "sudo docker run -d -e ACCESS=open -p 80:8080 -v data:/data service --data /data >/dev/null"
    )
    subprocess.run([*ssh, run], check=True, input=archive(program))
    url = f"http://{address}/{service}"
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).read()
            break
        except OSError:
            time.sleep(0.02)
    for item in yaml.safe_load(Path(fixtures).read_text()):
        body = json.dumps({key: str(value) for key, value in item.items()}).encode()
        urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=5).read()


def main():
    ec2 = boto3.client("ec2")
    jobs = [arg.split("=") for arg in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        key_file = f"{folder}/key"
        start = time.time()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key_file], check=True)
        ec2.import_key_pair(KeyName=NAME, PublicKeyMaterial=Path(f"{key_file}.pub").read_bytes())
        group = ec2.create_security_group(GroupName=NAME, Description=NAME)["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
                 "IpRanges": [{"CidrIp": "127.0.0.0/8"}]} for port in (22, 80)
            ],
        )  # fmt: skip
        instances = []
        threads = [
            threading.Thread(target=deploy, args=(ec2, *job, key_file, group, instances))
            for job in jobs
        ]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(f"{time.time() - start:.2f}")
        ec2.terminate_instances(InstanceIds=instances)
        while ec2.describe_instances(
            InstanceIds=instances,
            Filters=[{"Name": "instance-state-name", "Values": ["running", "shutting-down"]}],
        )["Reservations"]:
            time.sleep(0.2)
        ec2.delete_security_group(GroupId=group)
        ec2.delete_key_pair(KeyName=NAME)


if __name__ == "__main__":
    main()
