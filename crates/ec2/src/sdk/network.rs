//! Finds the stack's security group, creates it if there is none, and removes it. Groups
//! without the stack's tag are never changed.

use std::time::Duration;

use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, ResourceType, SecurityGroup as SdkGroup};
use support::event::Reporter;
use support::http::Endpoint;
use support::wait::{Backoff, Deadline, Failure, retry};

use super::error::timed_out;
use super::group::{Group, GroupMatch, wanted};
use super::tags::{self, filter, of_stack, tag};
use super::{AccountError, Ec2, Ec2Error, GroupPlan, GroupState, Ingress};
use crate::model::{GroupSpec, GroupStep, SshFrom};

/// Instances release their group some time after they have terminated.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(180);
/// A new resource is not visible to every call at once.
const VISIBLE_TIMEOUT: Duration = Duration::from_secs(20);

impl Ec2 {
    /// Which security group hosts would be launched in, and what it takes to have it. An
    /// error if there can be none without changing somebody else's.
    pub async fn plan_group(&self, spec: &GroupSpec) -> Result<GroupPlan, AccountError> {
        let no_vpc = || AccountError::NoDefaultVpc { region: self.region.clone() };
        let vpc = self.default_vpc().await?.ok_or_else(no_vpc)?;
        let found = self.find_group(spec, &vpc).await?;
        let ssh = match &spec.ssh_from {
            SshFrom::Network(network) => network.clone(),
            SshFrom::Auto => self.own_network().await?,
        };
        let step = found.step(spec, &ssh, &self.region)?;
        Ok(GroupPlan { vpc, ssh, step })
    }

    /// Carries out a plan, and returns the group's id.
    pub async fn ensure_group(
        &self,
        spec: &GroupSpec,
        plan: &GroupPlan,
    ) -> Result<String, AccountError> {
        let GroupPlan { vpc, ssh, step } = plan;
        let mut step = step.clone();
        let deadline = Deadline::after(VISIBLE_TIMEOUT);
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let (id, missing) = loop {
            match step {
                GroupStep::Use { id } => return Ok(id),
                GroupStep::Open { id, missing } => break (id, missing),
                GroupStep::Create => {}
            }
            match self.create_group(spec, vpc).await {
                Ok(id) => break (id, wanted(spec, ssh)),
                // Somebody was quicker, or a first try had been carried out unnoticed: whose
                // the group is decides what is done with it.
                Err(error) if error.is(&["InvalidGroup.Duplicate"]) => {
                    step = self.find_group(spec, vpc).await?.step(spec, ssh, &self.region)?;
                    if step == GroupStep::Create && deadline.has_passed() {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if step == GroupStep::Create {
                backoff.pause(deadline).await;
            }
        };
        for rule in &missing {
            self.open(&id, rule).await?;
        }
        Ok(id)
    }

    /// The security group that the stack's hosts should be in, as it is now.
    pub async fn group_state(&self, spec: &GroupSpec) -> Result<GroupState, Ec2Error> {
        let Some(vpc) = self.default_vpc().await? else { return Ok(GroupState::NoVpc) };
        Ok(self.find_group(spec, &vpc).await?.state(spec))
    }

    /// Deletes the groups that the stack created. EC2 releases them some time after the last
    /// instance is gone.
    pub async fn delete_groups(&self, stack: &str, reporter: Reporter<'_>) -> Result<(), Ec2Error> {
        let mut groups = self.groups(vec![of_stack(stack)]).await?;
        groups.retain(|group| tags::are_of(group.tags(), stack));
        for id in groups.iter().filter_map(SdkGroup::group_id) {
            let deadline = Deadline::after(RELEASE_TIMEOUT);
            let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));
            let what = format!("{id} to be released");
            let deleted = retry(&what, deadline, backoff, reporter, async || {
                let deleted = self.client.delete_security_group().group_id(id).send().await;
                match deleted.map_err(|e| self.failed("DeleteSecurityGroup", &e)) {
                    Err(error) if error.is(&["InvalidGroup.NotFound"]) => Ok(()),
                    Err(error) if error.is(&["DependencyViolation"]) && !deadline.has_passed() => {
                        Err(Failure::Transient(error.to_string()))
                    }
                    deleted => deleted.map(drop).map_err(Failure::Permanent),
                }
            });
            deleted
                .await
                .map_err(|failure| timed_out(failure, "DeleteSecurityGroup", &self.region))?;
        }
        Ok(())
    }

    /// The VPC that instances are launched in if no subnet is named.
    async fn default_vpc(&self) -> Result<Option<String>, Ec2Error> {
        let request = self.client.describe_vpcs().filters(filter("is-default", "true"));
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.failed("DescribeVpcs", &e))?;
            if let Some(id) = page.vpcs().iter().find_map(|vpc| vpc.vpc_id()) {
                return Ok(Some(id.into()));
            }
        }
        Ok(None)
    }

    /// The group of the wanted name in a VPC.
    async fn find_group(&self, spec: &GroupSpec, vpc: &str) -> Result<GroupMatch, Ec2Error> {
        let name = &spec.name;
        let filters = vec![filter("group-name", name.as_str()), filter("vpc-id", vpc)];
        let groups = self.groups(filters).await?.iter().filter_map(Group::of).collect();
        Ok(GroupMatch::among(groups, name, vpc, &spec.stack))
    }

    /// All pages of the groups that match filters.
    async fn groups(&self, filters: Vec<Filter>) -> Result<Vec<SdkGroup>, Ec2Error> {
        let request = self.client.describe_security_groups().set_filters(Some(filters));
        let mut pages = request.into_paginator().send();
        let mut groups = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.failed("DescribeSecurityGroups", &e))?;
            groups.extend(page.security_groups.unwrap_or_default());
        }
        Ok(groups)
    }

    async fn create_group(&self, spec: &GroupSpec, vpc: &str) -> Result<String, Ec2Error> {
        let tags = vec![tag(tags::STACK, &spec.stack)];
        let created = self
            .client
            .create_security_group()
            .group_name(spec.name.as_str())
            .vpc_id(vpc)
            .description("Created by eventpost: SSH for deployment, HTTP for the services")
            .tag_specifications(self.tags_on(ResourceType::SecurityGroup, tags))
            .send()
            .await;
        let created = created.map_err(|e| self.failed("CreateSecurityGroup", &e))?;
        Ok(created.group_id.unwrap_or_default())
    }

    async fn open(&self, group: &str, rule: &Ingress) -> Result<(), Ec2Error> {
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(rule.port.into())
            .to_port(rule.port.into())
            .ip_ranges(IpRange::builder().cidr_ip(&rule.from).build())
            .build();
        let request = self.client.authorize_security_group_ingress();
        let opened = request.group_id(group).ip_permissions(permission).send().await;
        match opened.map_err(|e| self.failed("AuthorizeSecurityGroupIngress", &e)) {
            Err(error) if !error.is(&["InvalidPermission.Duplicate"]) => Err(error),
            _ => Ok(()),
        }
    }

    /// The public address of this machine, as a network.
    async fn own_network(&self) -> Result<String, Ec2Error> {
        let failed = |problem: String| {
            let message = format!(
                "this machine's public address could not be determined ({problem}): set \
                 security_group.ssh_from, as in 203.0.113.7/32"
            );
            Ec2Error::new("ssh_from: auto", &self.region, message)
        };
        let endpoint: Endpoint = "http://checkip.amazonaws.com".parse().map_err(failed)?;
        let answer = endpoint.get("/", Duration::from_secs(5)).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        let text = String::from_utf8_lossy(&answer.body);
        let address: std::net::Ipv4Addr =
            text.trim().parse().map_err(|_| failed(format!("`{}`", text.trim())))?;
        Ok(format!("{address}/32"))
    }
}
