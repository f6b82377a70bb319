//! Finds the machine image that hosts boot.

use aws_sdk_ec2::types::Image as SdkImage;

use super::tags::filter;
use super::{Ec2, Ec2Error, MachineImage};
use crate::model::Image;

/// Canonical's account, from <https://ubuntu.com/server/docs/find-ubuntu-images-on-aws>.
const CANONICAL: &str = "099720109477";
const BIONIC: &str = "ubuntu/images/hvm-ssd/ubuntu-bionic-18.04-amd64-server-*";

impl Ec2 {
    /// The image that hosts boot.
    pub async fn machine_image(&self, image: &Image) -> Result<MachineImage, Ec2Error> {
        let request = self.client.describe_images();
        let request = match image {
            Image::Ami(id) => request.image_ids(id),
            // Ubuntu 18.04 is past its end of life, and its images are deprecated.
            Image::Ubuntu1804 => {
                request.owners(CANONICAL).filters(filter("name", BIONIC)).include_deprecated(true)
            }
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
}

fn into_image(image: SdkImage) -> Option<MachineImage> {
    let root_device = image.root_device_name.unwrap_or_else(|| "/dev/sda1".into());
    Some(MachineImage { id: image.image_id?, root_device })
}
