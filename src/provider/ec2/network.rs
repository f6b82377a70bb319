//! This module owns the security group: found or made, with the rules that are needed.

use std::time::Duration;

use aws_sdk_ec2::types::{IpPermission, IpRange, ResourceType, SecurityGroup as SdkGroup};

use super::tags::{self, filter, of_stack, tag};
use super::{Ec2, Ec2Error};
use crate::config::{Config, SshFrom};
use crate::http::Endpoint;
use crate::wait::{Backoff, Deadline};

const EVERYBODY: &str = "0.0.0.0/0";
/// Instances let go of their group a while after they are gone.
const RELEASE_LIMIT: Duration = Duration::from_secs(180);

impl Ec2 {
    /// The id of the stack's security group, with SSH open to whom the deployment says
    /// and HTTP to everybody.
    pub async fn ensure_group(&self, config: &Config) -> Result<String, Ec2Error> {
        let ssh = match &config.security_group.ssh_from {
            SshFrom::Network(network) => network.clone(),
            SshFrom::Auto => self.own_network().await?,
        };
        let name = &config.security_group.name;
        let found = self.group_by_name(name).await?;
        let (id, existing) = match found.and_then(|group| Some((group.group_id.clone()?, group))) {
            Some((id, group)) => (id, rules(&group)),
            None => (self.create_group(name, config.stack.as_str()).await?, Vec::new()),
        };
        let ports = config.services.iter().map(|service| service.port).chain([80, 443]);
        let mut wanted: Vec<_> = ports.map(|port| (port, EVERYBODY.to_owned())).collect();
        wanted.push((22, ssh));
        wanted.sort();
        wanted.dedup();
        wanted.retain(|rule| !existing.contains(rule));
        for (port, network) in wanted {
            self.open(&id, port, &network).await?;
        }
        Ok(id)
    }

    /// Which of the deployment's rules the stack's group lacks; none where it is gone.
    pub async fn missing_rules(&self, config: &Config) -> Result<Option<Vec<u16>>, Ec2Error> {
        let Some(group) = self.group_by_name(&config.security_group.name).await? else {
            return Ok(None);
        };
        let open: Vec<_> = rules(&group).into_iter().map(|(port, _)| port).collect();
        let ports = config.services.iter().map(|service| service.port).chain([22]);
        Ok(Some(ports.filter(|port| !open.contains(port)).collect()))
    }

    /// Removes the groups that the stack made. They are released some time after the
    /// last instance is gone.
    pub async fn delete_groups(&self, stack: &str) -> Result<(), Ec2Error> {
        let found = self.client.describe_security_groups().filters(of_stack(stack)).send().await;
        let found = found.map_err(|e| self.failed("DescribeSecurityGroups", &e))?;
        for id in found.security_groups().iter().filter_map(SdkGroup::group_id) {
            let deadline = Deadline::after(RELEASE_LIMIT);
            let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));
            loop {
                let deleted = self.client.delete_security_group().group_id(id).send().await;
                let error = match deleted {
                    Ok(_) => break,
                    Err(error) => self.failed("DeleteSecurityGroup", &error),
                };
                if error.is(&["InvalidGroup.NotFound"]) {
                    break;
                }
                if !error.is(&["DependencyViolation"]) || deadline.has_passed() {
                    return Err(error);
                }
                backoff.pause(deadline).await;
            }
        }
        Ok(())
    }

    async fn group_by_name(&self, name: &str) -> Result<Option<SdkGroup>, Ec2Error> {
        let request = self.client.describe_security_groups().filters(filter("group-name", name));
        let found = request.send().await;
        let found = found.map_err(|e| self.failed("DescribeSecurityGroups", &e))?;
        Ok(found.security_groups.unwrap_or_default().into_iter().next())
    }

    async fn create_group(&self, name: &str, stack: &str) -> Result<String, Ec2Error> {
        let tags = tags::on(ResourceType::SecurityGroup, vec![tag(tags::STACK, stack)]);
        let created = self
            .client
            .create_security_group()
            .group_name(name)
            .description("Made by eventpost: SSH for deployment, HTTP for the services")
            .tag_specifications(tags)
            .send()
            .await;
        match created.map_err(|e| self.failed("CreateSecurityGroup", &e)) {
            Ok(created) => Ok(created.group_id.unwrap_or_default()),
            // Somebody was quicker, or a first try had been carried out unnoticed.
            Err(error) if error.is(&["InvalidGroup.Duplicate"]) => {
                let found = self.group_by_name(name).await?;
                found.and_then(|group| group.group_id).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn open(&self, group: &str, port: u16, network: &str) -> Result<(), Ec2Error> {
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(port.into())
            .to_port(port.into())
            .ip_ranges(IpRange::builder().cidr_ip(network).build())
            .build();
        let request = self.client.authorize_security_group_ingress();
        let opened = request.group_id(group).ip_permissions(permission).send().await;
        match opened.map_err(|e| self.failed("AuthorizeSecurityGroupIngress", &e)) {
            Err(error) if !error.is(&["InvalidPermission.Duplicate"]) => Err(error),
            _ => Ok(()),
        }
    }

    /// The network of one address that AWS sees this machine with.
    async fn own_network(&self) -> Result<String, Ec2Error> {
        let failed = |problem: String| {
            let message = format!(
                "this machine's public address could not be found out ({problem}): write it \
                 into security_group.ssh_from, as 203.0.113.7/32"
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

/// The single TCP ports that a group lets in, and from where.
fn rules(group: &SdkGroup) -> Vec<(u16, String)> {
    let of = |permission: &IpPermission| {
        let port = permission.from_port().and_then(|port| u16::try_from(port).ok());
        let ranges = permission.ip_ranges().iter().filter_map(IpRange::cidr_ip);
        let rules = ranges.filter_map(|range| Some((port?, range.to_owned())));
        rules.collect::<Vec<_>>()
    };
    group.ip_permissions().iter().flat_map(of).collect()
}
