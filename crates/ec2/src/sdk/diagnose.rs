//! Looks for reasons why an instance cannot be reached.

use aws_sdk_ec2::types::{Instance, Reservation, RouteState, RouteTable, SummaryStatus};

use super::tags::filter;
use super::{Ec2, Ec2Error};

/// The lines of a console's output that are returned, from its end.
const CONSOLE_LINES: usize = 200;

impl Ec2 {
    /// What EC2's own checks of the instance find wrong; `None` if nothing.
    pub async fn failed_status_checks(&self, id: &str) -> Result<Option<String>, Ec2Error> {
        let asked = self.client.describe_instance_status().instance_ids(id).send().await;
        let asked = asked.map_err(|e| self.failed("DescribeInstanceStatus", &e))?;
        let Some(status) = asked.instance_statuses().first() else { return Ok(None) };
        let impaired = |summary: Option<&SummaryStatus>| summary == Some(&SummaryStatus::Impaired);
        let system = status.system_status().and_then(|it| it.status());
        let instance = status.instance_status().and_then(|it| it.status());
        Ok(match (impaired(system), impaired(instance)) {
            (true, _) => Some("the hardware of its host is impaired".into()),
            (_, true) => Some("its system does not answer on the network".into()),
            _ => None,
        })
    }

    /// Why the instance's subnet cannot be reached from the internet; `None` if it can.
    pub async fn missing_route(&self, id: &str) -> Result<Option<String>, Ec2Error> {
        let found = self.client.describe_instances().instance_ids(id).send().await;
        let found = found.map_err(|e| self.failed("DescribeInstances", &e))?;
        let mut instances = found.reservations().iter().flat_map(Reservation::instances);
        let place = |it: &Instance| Some((it.subnet_id()?.to_owned(), it.vpc_id()?.to_owned()));
        let Some((subnet, vpc)) = instances.next().and_then(place) else { return Ok(None) };
        let mut tables = self.route_tables(&[("association.subnet-id", &subnet)]).await?;
        if tables.is_empty() {
            let main = [("vpc-id", vpc.as_str()), ("association.main", "true")];
            tables = self.route_tables(&main).await?;
        }
        let leads_out = |table: &RouteTable| {
            table.routes().iter().any(|route| {
                route.destination_cidr_block() == Some("0.0.0.0/0")
                    && route.gateway_id().is_some_and(|gateway| gateway.starts_with("igw-"))
                    && route.state() != Some(&RouteState::Blackhole)
            })
        };
        let problem = || format!("{subnet} in {vpc} has no route to an internet gateway");
        Ok((!tables.iter().any(leads_out)).then(problem))
    }

    async fn route_tables(&self, filters: &[(&str, &str)]) -> Result<Vec<RouteTable>, Ec2Error> {
        let filters = filters.iter().map(|(name, value)| filter(name, value)).collect();
        let found = self.client.describe_route_tables().set_filters(Some(filters)).send().await;
        let found = found.map_err(|e| self.failed("DescribeRouteTables", &e))?;
        Ok(found.route_tables.unwrap_or_default())
    }

    /// The end of the instance's console output.
    pub async fn console(&self, id: &str) -> Result<String, Ec2Error> {
        let asked = self.client.get_console_output().instance_id(id).send().await;
        let asked = asked.map_err(|e| self.failed("GetConsoleOutput", &e))?;
        let bytes = aws_smithy_types::base64::decode(asked.output().unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        let lines: Vec<_> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(CONSOLE_LINES)..].join("\n"))
    }
}
