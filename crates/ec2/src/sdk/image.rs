//! Finds the machine image that hosts boot, and checks that instances of a type can boot it.

use aws_sdk_ec2::types::{ArchitectureType, Image as SdkImage, InstanceType};

use super::tags::filter;
use super::{Ec2, Ec2Error, MachineImage};
use crate::release::Image;

/// The processors that the programs of the services are built for.
const ARCHITECTURE: &str = "x86_64";

impl Ec2 {
    /// The image that hosts boot.
    pub async fn machine_image(&self, image: &Image) -> Result<MachineImage, Ec2Error> {
        let request = self.client.describe_images();
        let request = match image {
            Image::Ami(id) => request.image_ids(id),
            // Images of releases that have ended are deprecated.
            Image::Release(release) => request
                .owners(release.owner)
                .filters(filter("name", release.pattern))
                .include_deprecated(true),
        };
        let found = request.send().await;
        let found = found.map_err(|e| self.failed("DescribeImages", &e))?;
        let newest = found.images.unwrap_or_default().into_iter().max_by(|a, b| {
            // ISO 8601 dates in UTC sort as text.
            a.creation_date().cmp(&b.creation_date())
        });
        newest.and_then(into_image).ok_or_else(|| {
            let message = format!("there is no image {image} in this region");
            Ec2Error::new("DescribeImages", &self.region, message)
        })
    }

    /// Checks that instances of a type can boot an image, and that the services run on both.
    pub async fn check_architecture(
        &self,
        instance_type: &str,
        image: &MachineImage,
    ) -> Result<(), Ec2Error> {
        let failed = |message| Err(Ec2Error::new("checking the image", &self.region, message));
        if image.architecture != ARCHITECTURE {
            return failed(format!(
                "{} is for {} processors, and the services are built for {ARCHITECTURE}: set another \
                 `image`",
                image.id, image.architecture
            ));
        }
        let types = self.client.describe_instance_types();
        let types = types.instance_types(InstanceType::from(instance_type)).send().await;
        let types = types.map_err(|e| self.failed("DescribeInstanceTypes", &e))?;
        let Some(info) = types.instance_types().first().and_then(|it| it.processor_info()) else {
            return Ok(());
        };
        let supported: Vec<_> =
            info.supported_architectures().iter().map(ArchitectureType::as_str).collect();
        if supported.is_empty() || supported.contains(&ARCHITECTURE) {
            return Ok(());
        }
        failed(format!(
            "{instance_type} has {} processors, and the services are built for {ARCHITECTURE}: set \
             another `instance_type`",
            supported.join(" or ")
        ))
    }
}

fn into_image(image: SdkImage) -> Option<MachineImage> {
    let root_device = image.root_device_name.unwrap_or_else(|| "/dev/sda1".into());
    let mappings = image.block_device_mappings.unwrap_or_default();
    let root = mappings.iter().find(|it| it.device_name() == Some(&root_device));
    let gib = root.and_then(|it| it.ebs()?.volume_size()).unwrap_or_default();
    Some(MachineImage {
        id: image.image_id?,
        root_device,
        gib: u32::try_from(gib).unwrap_or_default(),
        architecture: image.architecture.map_or_else(|| ARCHITECTURE.into(), |it| it.to_string()),
    })
}
