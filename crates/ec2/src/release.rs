//! The images that hosts boot, and what differs between the systems on them.

use std::fmt;

/// Canonical's account, from <https://ubuntu.com/server/docs/find-ubuntu-images-on-aws>.
const CANONICAL: &str = "099720109477";
/// Debian's account, from <https://wiki.debian.org/Cloud/AmazonEC2Image>.
const DEBIAN: &str = "136693071363";

/// A release of a distribution that publishes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The name that the file gives it.
    pub name: &'static str,
    /// The name that people give it.
    pub title: &'static str,
    /// The user that its images let in.
    pub user: &'static str,
    /// The month since which it gets no standard security updates, if that is past.
    pub ended: Option<&'static str>,
    /// The account that publishes its images.
    pub(crate) owner: &'static str,
    /// The name of an image, without its date.
    pub(crate) pattern: &'static str,
}

const RELEASES: [Release; 6] = [
    Release {
        name: "ubuntu-18.04",
        title: "Ubuntu 18.04",
        user: "ubuntu",
        // https://ubuntu.com/about/release-cycle, like the next one.
        ended: Some("2023-05"),
        owner: CANONICAL,
        pattern: "ubuntu/images/hvm-ssd/ubuntu-bionic-18.04-amd64-server-*",
    },
    Release {
        name: "ubuntu-20.04",
        title: "Ubuntu 20.04",
        user: "ubuntu",
        ended: Some("2025-05"),
        owner: CANONICAL,
        pattern: "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-*",
    },
    Release {
        name: "ubuntu-22.04",
        title: "Ubuntu 22.04",
        user: "ubuntu",
        ended: None,
        owner: CANONICAL,
        pattern: "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*",
    },
    Release {
        name: "ubuntu-24.04",
        title: "Ubuntu 24.04",
        user: "ubuntu",
        ended: None,
        owner: CANONICAL,
        pattern: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*",
    },
    Release {
        name: "debian-12",
        title: "Debian 12",
        user: "admin",
        ended: None,
        owner: DEBIAN,
        pattern: "debian-12-amd64-*",
    },
    Release {
        name: "debian-13",
        title: "Debian 13",
        user: "admin",
        ended: None,
        owner: DEBIAN,
        pattern: "debian-13-amd64-*",
    },
];

/// The release to use instead of one that has ended.
const CURRENT: &str = "ubuntu-24.04";

/// The image that hosts boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// The newest image of a release.
    Release(Release),
    /// An image by its id.
    Ami(String),
}

impl Image {
    /// What a text must name, for people to read.
    pub const FORM: &str = "ubuntu-18.04, ubuntu-20.04, ubuntu-22.04, ubuntu-24.04, debian-12, debian-13 \
        or an image's id, ami-…";

    /// The image that a text names, if it names one.
    pub fn new(text: &str) -> Option<Self> {
        if let Some(id) = text.strip_prefix("ami-") {
            let is_id = id.len() >= 8 && id.bytes().all(|b| b.is_ascii_hexdigit());
            return is_id.then(|| Self::Ami(text.into()));
        }
        RELEASES.into_iter().find(|release| release.name == text).map(Self::Release)
    }

    /// The user that it lets in; `ubuntu` if that is not known.
    pub fn user(&self) -> &'static str {
        match self {
            Self::Release(release) => release.user,
            Self::Ami(_) => "ubuntu",
        }
    }

    /// What its users should know, if there is something.
    pub fn note(&self) -> Option<String> {
        let Self::Release(Release { title, ended: Some(month), .. }) = self else { return None };
        Some(format!(
            "{title} has had no standard security updates since {month}: set `image: {CURRENT}` for \
             a release that has"
        ))
    }
}

impl Default for Image {
    fn default() -> Self {
        Self::Release(RELEASES[0])
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(release) => write!(f, "of {}", release.title),
            Self::Ami(id) => f.write_str(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_by_release_or_id() {
        for release in RELEASES {
            assert_eq!(Image::new(release.name), Some(Image::Release(release)));
            assert!(Image::FORM.contains(release.name), "{}", release.name);
        }
        assert_eq!(Image::new("debian-13").unwrap().user(), "admin");
        assert_eq!(Image::new("ami-0123abcd"), Some(Image::Ami("ami-0123abcd".into())));
        for wrong in ["ami-", "ami-0123abcx", "ubuntu-16.04", "Ubuntu-24.04", ""] {
            assert_eq!(Image::new(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_release_that_has_ended_says_what_to_use_instead() {
        let note = Image::default().note().unwrap();
        assert!(note.contains("since 2023-05") && note.contains(CURRENT), "{note}");
        assert_eq!(Image::new(CURRENT).unwrap().note(), None);
    }
}
