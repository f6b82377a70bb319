"""Elastic IP addresses: moto keeps them as records; here they point to hosts, and move between them."""

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.responses.account_attributes import AccountAttributes

import faults
import hosts
import network

# How many an account may have; AWS gives 5. Tests share an account.
QUOTA = 50


class AddressError(ServiceException):
    def __init__(self, code, message):
        super().__init__(code, message)


def quota():
    return faults.host_faults(faults.current_key()).get("elastic_ips", QUOTA)


def patch():
    allocate, associate = ElasticAddressBackend.allocate_address, ElasticAddressBackend.associate_address
    release = ElasticAddressBackend.release_address
    disassociate = ElasticAddressBackend.disassociate_address

    def new(self, domain, address=None, tags=None):
        if len(self.addresses) >= quota():
            raise AddressError(
                "AddressLimitExceeded", "The maximum number of addresses has been reached."
            )
        return allocate(self, domain or "vpc", address or network.take(1), tags)

    def move(self, instance=None, eni=None, address=None, allocation_id=None, reassociate=False):
        if instance is not None and instance._state.name != "running":
            raise AddressError(
                "InvalidInstanceID",
                f"The {instance._state.name} instance '{instance.id}' is not in a valid state for "
                "this operation.",
            )
        found = self.address_by_allocation([allocation_id])[0]
        before, own = found.instance, instance.public_ip
        moved = associate(self, instance, eni, address, allocation_id, reassociate)
        if own != moved.public_ip:
            network.cut(own)
            if all(it.public_ip != own for it in self.addresses):
                network.give_back(own)
        network.point(moved.public_ip, instance.id, hosts.open_ports(instance))
        if before is not None and before.id != instance.id and before._state.name == "running":
            give_own(before)
        return moved

    def part(self, address=None, association_id=None):
        for it in [it for it in self.addresses if association_id in (None, it.association_id)]:
            instance = it.instance
            if address in (None, it.public_ip) and instance is not None:
                disassociate(self, address, association_id)
                network.refuse(it.public_ip)
                give_own(instance)

    def end(self, address=None, allocation_id=None):
        found = self.address_by_allocation([allocation_id])[0]
        if found.instance is not None:
            raise AddressError(
                "InvalidIPAddress.InUse",
                f"Address {found.public_ip} is in use by {found.instance.id}.",
            )
        release(self, address, allocation_id)
        network.cut(found.public_ip)
        network.give_back(found.public_ip)

    ElasticAddressBackend.allocate_address = new
    ElasticAddressBackend.associate_address = move
    ElasticAddressBackend.disassociate_address = part
    ElasticAddressBackend.release_address = end
    patch_quota()


def patch_quota():
    describe = AccountAttributes.describe_account_attributes

    def attributes(self):
        found = describe(self).result["AccountAttributes"]
        for attribute in found:
            if attribute["AttributeName"] == "vpc-max-elastic-ips":
                attribute["AttributeValues"] = [{"AttributeValue": str(quota())}]
        return ActionResult({"AccountAttributes": found})

    AccountAttributes.describe_account_attributes = attributes


def give_own(instance):
    """Gives an instance an address of its own, as EC2 does when an elastic one leaves it."""
    address = network.take(0)
    instance.nics[0].public_ip = address
    network.point(address, instance.id, hosts.open_ports(instance))


def leave(instance):
    """Frees the elastic address of an instance that ends. Says whether it had one."""
    for address in instance.ec2_backend.addresses:
        if address.instance is instance:
            address.instance = address.eni = address.association_id = None
            network.refuse(address.public_ip)
            return True
    return False
