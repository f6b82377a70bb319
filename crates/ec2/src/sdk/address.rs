//! Allocates Elastic IP addresses, moves them between instances, and releases them. Addresses
//! without the stack's tag are never touched.

use std::time::Duration;

use aws_sdk_ec2::operation::allocate_address::builders::AllocateAddressFluentBuilder;
use aws_sdk_ec2::types::{Address, DomainType, ResourceType};
use support::event::Reporter;
use support::wait::{Backoff, Deadline, Failure, retry};

use super::error::{dry_run, timed_out};
use super::tags::{self, filter, of_stack, tag};
use super::{Ec2, Ec2Error, ElasticIp, Instance};

/// EC2 frees an address some time after its instance has terminated.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(120);
/// An instance shows a moved address within seconds.
const MOVE_TIMEOUT: Duration = Duration::from_secs(60);
/// The attribute of an account that says how many addresses it may have.
const QUOTA: &str = "vpc-max-elastic-ips";

impl Ec2 {
    /// The addresses with the stack's tag, by service. If a service has several, the one that points
    /// to an instance comes first.
    pub async fn addresses(&self, stack: &str) -> Result<Vec<ElasticIp>, Ec2Error> {
        let found = self.client.describe_addresses().filters(of_stack(stack)).send().await;
        let found = found.map_err(|e| self.failed("DescribeAddresses", &e))?;
        let found = found.addresses().iter().filter(|it| tags::are_of(it.tags(), stack));
        let mut addresses: Vec<_> = found.filter_map(elastic_ip).collect();
        addresses.sort_by(|a, b| {
            (&a.service, a.instance.is_none(), &a.id).cmp(&(
                &b.service,
                b.instance.is_none(),
                &b.id,
            ))
        });
        Ok(addresses)
    }

    /// Checks whether addresses may be allocated for services, without allocating any.
    pub async fn may_allocate(&self, stack: &str, services: &[&str]) -> Result<(), Ec2Error> {
        let (Some(service), count) = (services.first(), services.len()) else { return Ok(()) };
        let asked = self.allocation(stack, service).dry_run(true).send().await;
        dry_run(asked.map_err(|e| self.failed("AllocateAddress", &e)))?;
        let Some(quota) = self.address_quota().await? else { return Ok(()) };
        let of_vpc = filter("domain", DomainType::Vpc.as_str());
        let used = self.client.describe_addresses().filters(of_vpc).send().await;
        let used = used.map_err(|e| self.failed("DescribeAddresses", &e))?.addresses().len();
        if used + count <= quota {
            return Ok(());
        }
        Err(Ec2Error {
            code: Some("AddressLimitExceeded".into()),
            ..Ec2Error::new(
                "AllocateAddress",
                &self.region,
                format!(
                    "{count} more Elastic IP addresses are needed, and the account has {used} of at \
                     most {quota} in this region"
                ),
            )
        })
    }

    /// How many addresses the account may have in the region, if it says so.
    async fn address_quota(&self) -> Result<Option<usize>, Ec2Error> {
        let asked = self.client.describe_account_attributes().send().await;
        let asked = asked.map_err(|e| self.failed("DescribeAccountAttributes", &e))?;
        let quota = asked.account_attributes().iter().find(|it| it.attribute_name() == Some(QUOTA));
        let value = quota.and_then(|quota| quota.attribute_values().first()?.attribute_value());
        Ok(value.and_then(|value| value.parse().ok()))
    }

    /// Allocates an address for a service.
    pub async fn allocate_address(
        &self,
        stack: &str,
        service: &str,
    ) -> Result<ElasticIp, Ec2Error> {
        let allocated = self.allocation(stack, service).send().await;
        let allocated = allocated.map_err(|e| self.failed("AllocateAddress", &e))?;
        let address = allocated.public_ip().and_then(|address| address.parse().ok());
        let (Some(id), Some(address)) = (allocated.allocation_id, address) else {
            let problem = "the answer has no address";
            return Err(Ec2Error::new("AllocateAddress", &self.region, problem));
        };
        Ok(ElasticIp { id, address, service: service.into(), instance: None })
    }

    fn allocation(&self, stack: &str, service: &str) -> AllocateAddressFluentBuilder {
        let tags = vec![tag("Name", service), tag(tags::STACK, stack), tag(tags::SERVICE, service)];
        let request = self.client.allocate_address().domain(DomainType::Vpc);
        request.tag_specifications(self.tags_on(ResourceType::ElasticIp, tags))
    }

    /// Makes an address point to an instance, wherever it pointed to before. What is under way to the
    /// previous instance, and to the instance's own address, is cut off.
    pub async fn move_address(&self, elastic: &ElasticIp, instance: &str) -> Result<(), Ec2Error> {
        let moved = self.client.associate_address().allocation_id(&elastic.id);
        let moved = moved.instance_id(instance).allow_reassociation(true).send().await;
        moved.map(drop).map_err(|e| self.failed("AssociateAddress", &e))
    }

    /// Waits until an instance shows an address that was moved to it, and returns the instance.
    pub async fn wait_moved(
        &self,
        elastic: &ElasticIp,
        instance: &str,
        reporter: Reporter<'_>,
    ) -> Result<Instance, Ec2Error> {
        let address = elastic.address;
        let deadline = Deadline::after(MOVE_TIMEOUT);
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let what = format!("{address} to point to {instance}");
        let shown = retry(&what, deadline, backoff, reporter, async || {
            match self.describe(instance).await.map_err(Failure::Permanent)? {
                Some(now) if now.address == Some(address) => Ok(now),
                _ => Err(Failure::Transient(format!("{instance} does not have {address} yet"))),
            }
        });
        shown.await.map_err(|failure| timed_out(failure, "AssociateAddress", &self.region))
    }

    /// Releases addresses, whose instances have terminated.
    pub async fn release_addresses(
        &self,
        addresses: &[ElasticIp],
        reporter: Reporter<'_>,
    ) -> Result<(), Ec2Error> {
        for ElasticIp { id, address, .. } in addresses {
            let deadline = Deadline::after(RELEASE_TIMEOUT);
            let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));
            let what = format!("{address} to be free");
            let released = retry(&what, deadline, backoff, reporter, async || {
                let released = self.client.release_address().allocation_id(id).send().await;
                match released.map_err(|e| self.failed("ReleaseAddress", &e)) {
                    Err(error) if error.is(&["InvalidAllocationID.NotFound"]) => Ok(()),
                    Err(error) if error.is(&["InvalidIPAddress.InUse"]) => {
                        Err(Failure::Transient(error.to_string()))
                    }
                    released => released.map(drop).map_err(Failure::Permanent),
                }
            });
            released.await.map_err(|failure| timed_out(failure, "ReleaseAddress", &self.region))?;
        }
        Ok(())
    }
}

fn elastic_ip(address: &Address) -> Option<ElasticIp> {
    Some(ElasticIp {
        id: address.allocation_id()?.into(),
        address: address.public_ip()?.parse().ok()?,
        service: tags::value(address.tags(), tags::SERVICE)?.into(),
        instance: address.instance_id().filter(|id| !id.is_empty()).map(String::from),
    })
}
