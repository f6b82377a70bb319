//! Finds, waits for and terminates instances.

use std::time::Duration;

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types;
use aws_sdk_ec2::types::{Filter, HttpTokensState, Reservation, Tag};
use support::event::Reporter;
use support::wait::{Backoff, Deadline, Failure, retry};

use super::error::timed_out;
use super::tags::{self, of_stack, tag};
use super::{Ec2, Ec2Error, Instance, InstanceState};

const RUNNING_TIMEOUT: Duration = Duration::from_secs(300);
const TERMINATED_TIMEOUT: Duration = Duration::from_secs(300);

impl Ec2 {
    /// All instances with the stack's tag, including terminated ones.
    pub async fn instances(&self, stack: &str) -> Result<Vec<Instance>, Ec2Error> {
        let mut instances = self.matching(of_stack(stack)).await?;
        instances.sort_by(|a, b| (a.generation, &a.service).cmp(&(b.generation, &b.service)));
        Ok(instances)
    }

    /// Waits until an instance runs and has an address.
    pub async fn wait_running(
        &self,
        instance: &Instance,
        reporter: Reporter<'_>,
    ) -> Result<Instance, Ec2Error> {
        let deadline = Deadline::after(RUNNING_TIMEOUT);
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let id = &instance.id;
        let what = format!("{id} to run");
        let running = retry(&what, deadline, backoff, reporter, async || {
            match self.describe(id).await.map_err(Failure::Permanent)? {
                Some(now) if now.is_running() && now.address.is_some() => Ok(now),
                Some(now) if !now.is_alive() => {
                    let why = now.reason.map(|why| format!(": {why}")).unwrap_or_default();
                    let message = format!("{id} is {} instead of running{why}", now.state);
                    Err(Failure::Permanent(Ec2Error::new("waiting", &self.region, message)))
                }
                Some(now) => Err(Failure::Transient(format!("it is {}", now.state))),
                None => Err(Failure::Transient("it is not visible yet".into())),
            }
        });
        running.await.map_err(|failure| match failure {
            Failure::Permanent(error) => error,
            Failure::Transient(last) => {
                let seconds = RUNNING_TIMEOUT.as_secs();
                let message = format!("{id} is not running after {seconds} s: {last}");
                Ec2Error::new("waiting", &self.region, message)
            }
        })
    }

    /// Terminates instances and waits until they are gone.
    pub async fn terminate(
        &self,
        instances: &[Instance],
        reporter: Reporter<'_>,
    ) -> Result<(), Ec2Error> {
        let ids: Vec<_> = instances.iter().map(|instance| instance.id.clone()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let ended = self.client.terminate_instances().set_instance_ids(Some(ids.clone())).send();
        ended.await.map_err(|e| self.failed("TerminateInstances", &e))?;
        let deadline = Deadline::after(TERMINATED_TIMEOUT);
        let backoff = Backoff::new(Duration::from_millis(300), Duration::from_secs(5));
        let terminated = retry("the hosts to terminate", deadline, backoff, reporter, async || {
            let left = self.not_terminated(&ids).await.map_err(Failure::Permanent)?;
            if left.is_empty() {
                return Ok(());
            }
            let states = left.iter().map(|now| format!("{} is still {}", now.id, now.state));
            Err(Failure::Transient(states.collect::<Vec<_>>().join(", ")))
        });
        terminated.await.map_err(|failure| timed_out(failure, "TerminateInstances", &self.region))
    }

    /// The instances that are not gone yet, by one call for all. A filter, because ids that
    /// EC2 no longer knows are no error then.
    async fn not_terminated(&self, ids: &[String]) -> Result<Vec<Instance>, Ec2Error> {
        let these = Filter::builder().name("instance-id").set_values(Some(ids.to_vec())).build();
        let mut left = self.matching(these).await?;
        left.retain(|instance| instance.state != InstanceState::Terminated);
        Ok(left)
    }

    /// All pages of the instances that match a filter.
    async fn matching(&self, filter: Filter) -> Result<Vec<Instance>, Ec2Error> {
        let mut pages = self.client.describe_instances().filters(filter).into_paginator().send();
        let mut instances = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| self.failed("DescribeInstances", &e))?;
            let found = page.reservations().iter().flat_map(Reservation::instances);
            instances.extend(found.filter_map(instance));
        }
        Ok(instances)
    }

    /// Makes the instance's metadata service require tokens.
    pub async fn require_metadata_tokens(&self, id: &str) -> Result<(), Ec2Error> {
        let modified = self
            .client
            .modify_instance_metadata_options()
            .instance_id(id)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .send()
            .await;
        modified.map(drop).map_err(|e| self.failed("ModifyInstanceMetadataOptions", &e))
    }

    /// Records the host keys that an instance may prove itself with.
    pub async fn set_host_keys(&self, id: &str, keys: &[String]) -> Result<(), Ec2Error> {
        self.set_tag(id, tag(tags::HOST_KEYS, &keys.join(" "))).await
    }

    /// Marks instances as ones that serve: all of them, or none.
    pub async fn set_serving(&self, ids: &[String]) -> Result<(), Ec2Error> {
        let tags = self.client.create_tags().set_resources(Some(ids.to_vec()));
        let set = tags.tags(tag(tags::SERVING, "yes")).send().await;
        set.map(drop).map_err(|e| self.failed("CreateTags", &e))
    }

    pub(super) async fn set_tag(&self, id: &str, tag: Tag) -> Result<(), Ec2Error> {
        let set = self.client.create_tags().resources(id).tags(tag).send().await;
        set.map(drop).map_err(|e| self.failed("CreateTags", &e))
    }

    /// An instance by its id; `None` if EC2 does not know it, or not yet.
    pub(super) async fn describe(&self, id: &str) -> Result<Option<Instance>, Ec2Error> {
        let found = self.client.describe_instances().instance_ids(id).send().await;
        match found.map_err(|e| self.failed("DescribeInstances", &e)) {
            Ok(found) => {
                let mut instances = found.reservations().iter().flat_map(Reservation::instances);
                Ok(instances.next().and_then(instance))
            }
            Err(error) if error.is(&["InvalidInstanceID.NotFound"]) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn instance(instance: &types::Instance) -> Option<Instance> {
    let tags = instance.tags();
    let state = instance.state().and_then(types::InstanceState::name);
    let keys = tags::value(tags, tags::HOST_KEYS).unwrap_or_default();
    let launched = instance.launch_time().map_or(0, DateTime::secs);
    Some(Instance {
        id: instance.instance_id()?.into(),
        service: tags::value(tags, tags::SERVICE)?.into(),
        generation: tags::value(tags, tags::GENERATION).and_then(|n| n.parse().ok()).unwrap_or(0),
        serving: tags::value(tags, tags::SERVING).is_some(),
        in_database: tags::value(tags, tags::DATABASE).is_some(),
        reason: instance.state_reason().and_then(|it| it.message()).map(String::from),
        state: InstanceState::new(state.map_or("unknown", |name| name.as_str())),
        address: instance.public_ip_address().and_then(|address| address.parse().ok()),
        dns: instance.public_dns_name().filter(|name| !name.is_empty()).map(String::from),
        instance_type: instance.instance_type().map_or("unknown", |kind| kind.as_str()).into(),
        image: instance.image_id().unwrap_or_default().into(),
        launched: u64::try_from(launched).unwrap_or_default(),
        launched_by: tags::value(tags, tags::LAUNCHED_BY).map(String::from),
        expires: tags::value(tags, tags::EXPIRES).and_then(|time| time.parse().ok()),
        host_keys: keys.split_whitespace().map(String::from).collect(),
    })
}
