//! Launches instances, and asks beforehand whether exactly these may be launched.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataOptionsRequest, InstanceType, ResourceType, ShutdownBehavior, Tag, VolumeType,
};
use ssh::Identity;
use support::digest::sha256;

use super::error::dry_run;
use super::instance::instance;
use super::tags::{self, tag};
use super::{Ec2, Ec2Error, Instance, Launch, MachineImage, NewInstance};
use crate::model::Disk;

/// The size of a host's disk in GiB: the images have 8, which data would soon fill.
const DISK_GIB: u32 = 20;

impl Ec2 {
    /// Checks whether an instance may be launched, by a dry run of the launch itself.
    pub async fn may_launch(&self, launch: &Launch, new: &NewInstance<'_>) -> Result<(), Ec2Error> {
        let asked = self.run_instances(launch, new)?.dry_run(true).send().await;
        dry_run(asked.map_err(|e| self.failed("RunInstances", &e)))
    }

    /// Launches an instance. Repeating a launch returns the same instance.
    pub async fn launch(
        &self,
        launch: &Launch,
        new: &NewInstance<'_>,
    ) -> Result<Instance, Ec2Error> {
        let request = self.run_instances(launch, new)?.client_token(token(launch, new));
        let launched = request.send().await.map_err(|e| self.failed("RunInstances", &e))?;
        let launched = launched.instances().first().and_then(instance);
        launched.ok_or_else(|| {
            Ec2Error::new("RunInstances", &self.region, "the answer has no instance")
        })
    }

    fn run_instances(
        &self,
        launch: &Launch,
        new: &NewInstance<'_>,
    ) -> Result<RunInstancesFluentBuilder, Ec2Error> {
        let options = &launch.options;
        let tokens = if options.metadata_without_token {
            // They are required later, once the host has booted.
            HttpTokensState::Optional
        } else {
            HttpTokensState::Required
        };
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_tokens(tokens)
            .http_put_response_hop_limit(1)
            .build();
        let profile = options
            .instance_profile
            .as_ref()
            .map(|name| IamInstanceProfileSpecification::builder().name(name).build());
        let tags = launch_tags(launch, new);
        let request = self
            .client
            .run_instances()
            .image_id(&launch.image.id)
            .instance_type(InstanceType::from(options.instance_type.as_str()))
            .min_count(1)
            .max_count(1)
            .set_key_name(launch.key.clone())
            .set_security_group_ids(launch.group.clone().map(|group| vec![group]))
            .set_iam_instance_profile(profile)
            .set_instance_initiated_shutdown_behavior(
                launch.expires.map(|_| ShutdownBehavior::Terminate),
            )
            .user_data(user_data(new.host_key, launch.expires))
            .block_device_mappings(self.disk(&options.disk, &launch.image)?)
            .metadata_options(metadata)
            .tag_specifications(self.tags_on(ResourceType::Instance, tags.clone()))
            .tag_specifications(self.tags_on(ResourceType::Volume, tags.clone()))
            // Moving an address changes the interface.
            .tag_specifications(self.tags_on(ResourceType::NetworkInterface, tags));
        Ok(request)
    }

    fn disk(&self, disk: &Disk, image: &MachineImage) -> Result<BlockDeviceMapping, Ec2Error> {
        let gib = disk.gib.unwrap_or_else(|| image.gib.max(DISK_GIB));
        if gib < image.gib {
            let message = format!(
                "disk.size is {gib} GiB, and {} needs {}: set it to that or more, or leave it out",
                image.id, image.gib
            );
            return Err(Ec2Error::new("checking the disk", &self.region, message));
        }
        let ebs = EbsBlockDevice::builder()
            .volume_type(VolumeType::from(disk.kind.as_str()))
            .volume_size(i32::try_from(gib).unwrap_or(i32::MAX))
            .encrypted(true)
            .set_kms_key_id(disk.kms_key.clone())
            .delete_on_termination(true)
            .build();
        Ok(BlockDeviceMapping::builder().device_name(&image.root_device).ebs(ebs).build())
    }
}

fn launch_tags(launch: &Launch, new: &NewInstance<'_>) -> Vec<Tag> {
    let mut tags = vec![
        tag("Name", new.service),
        tag(tags::STACK, &launch.stack),
        tag(tags::SERVICE, new.service),
        tag(tags::GENERATION, &launch.generation.to_string()),
        tag(tags::HOST_KEYS, new.host_key.public_base64()),
        tag(tags::LAUNCHED_BY, &launch.by),
    ];
    tags.extend(new.in_database.then(|| tag(tags::DATABASE, "yes")));
    tags.extend(launch.expires.map(|time| tag(tags::EXPIRES, &time.to_string())));
    tags
}

/// The same for the same instance of the same generation: at most 64 characters.
fn token(launch: &Launch, new: &NewInstance<'_>) -> String {
    let whole = format!("{}/{}/{}", launch.stack, new.service, launch.generation);
    format!("eventpost-{}", &sha256(whole)[..32])
}

/// Configures cloud-init: the host's key, so that the first connection is verified, and when
/// the host terminates itself.
fn user_data(host_key: &Identity, expires: Option<u64>) -> String {
    let mut config = serde_json::json!({"ssh_keys": {
        "ed25519_private": host_key.private(),
        "ed25519_public": host_key.public(),
    }});
    if let Some(expires) = expires {
        // The host does this by itself, even if this program is gone. One that is off at that
        // time terminates when it is started again.
        let date = jiff::Timestamp::from_second(i64::try_from(expires).unwrap_or(i64::MAX));
        let date = date.unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%d %H:%M:%S UTC");
        let timer = format!(
            "[Timer]\nOnCalendar={date}\nPersistent=true\nAccuracySec=1s\n\
             [Install]\nWantedBy=timers.target\n"
        );
        let service = "[Service]\nType=oneshot\nExecStart=/bin/systemctl poweroff\n";
        let unit = |kind: &str, content: &str| {
            let path = format!("/etc/systemd/system/eventpost-end.{kind}");
            serde_json::json!({"path": path, "content": content})
        };
        config["write_files"] =
            serde_json::json!([unit("timer", &timer), unit("service", service)]);
        config["runcmd"] = serde_json::json!([
            "systemctl daemon-reload && systemctl enable --now eventpost-end.timer"
        ]);
    }
    // cloud-init reads YAML, of which JSON is a part.
    base64(format!("#cloud-config\n{config}\n").as_bytes())
}

fn base64(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(bytes)
}
