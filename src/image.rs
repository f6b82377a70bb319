//! Builds container images without Docker: a static program wrapped into one layer, the same
//! bytes for the same program. The archive is in the form that `docker save` writes and every
//! Docker loads.

use bytes::Bytes;
use serde_json::json;
use support::digest::sha256;
use tar::{Builder, EntryType, Header};

/// The user and group that the program runs as, which have no name on any system.
const USER: u64 = 65532;

/// The path of the program.
const ENTRY_POINT: &str = "/service";

/// An image to be loaded.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name with a tag that stands for its content.
    pub tag: String,
    /// What `docker load` reads.
    pub archive: Bytes,
    /// What Docker says of it once it is loaded: its layer, and what is run as whom.
    pub identity: String,
}

/// Wraps a service's program into an image.
pub fn build(service: &str, program: &[u8]) -> Image {
    let layer = layer(program);
    let config = config(service, &layer);
    let id = sha256(&config);
    let tag = format!("eventpost/{service}:{}", &id[..12]);
    let manifest = json!([{
        "Config": format!("{id}.json"),
        "RepoTags": [tag],
        "Layers": ["layer.tar"],
    }]);
    let mut archive = Builder::new(Vec::new());
    append_file(&mut archive, "layer.tar", 0o644, &layer);
    append_file(&mut archive, &format!("{id}.json"), 0o644, &config);
    append_file(&mut archive, "manifest.json", 0o644, manifest.to_string().as_bytes());
    let identity =
        format!("[\"sha256:{}\"] {} {USER}:{USER}", sha256(&layer), json!([ENTRY_POINT]));
    Image { tag, archive: finish(archive).into(), identity }
}

fn layer(program: &[u8]) -> Vec<u8> {
    let mut layer = Builder::new(Vec::new());
    append_file(&mut layer, "service", 0o755, program);
    // A new volume gets the owner and the mode of the folder it is mounted on.
    append(&mut layer, header(EntryType::Directory, 0o700, USER, 0), "data", &[]);
    finish(layer)
}

fn config(service: &str, layer: &[u8]) -> Vec<u8> {
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": [ENTRY_POINT],
            "Cmd": ["--data", "/data", "--port", "8080"],
            "User": format!("{USER}:{USER}"),
            "ExposedPorts": {"8080/tcp": {}},
            "WorkingDir": "/",
            "Labels": {"org.opencontainers.image.title": service},
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(layer))]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "eventpost"}],
    });
    config.to_string().into_bytes()
}

/// A header without a time or names of users, so that equal content is equal bytes.
fn header(kind: EntryType, mode: u32, owner: u64, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(size as u64);
    header
}

fn append_file(archive: &mut Builder<Vec<u8>>, path: &str, mode: u32, content: &[u8]) {
    append(archive, header(EntryType::Regular, mode, 0, content.len()), path, content);
}

fn append(archive: &mut Builder<Vec<u8>>, mut header: Header, path: &str, content: &[u8]) {
    let appended = archive.append_data(&mut header, path, content);
    appended.expect("the path is short and relative, and a vector takes all");
}

fn finish(archive: Builder<Vec<u8>>) -> Vec<u8> {
    archive.into_inner().expect("a vector takes all")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn entries(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut tar = tar::Archive::new(archive);
        let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        };
        tar.entries().unwrap().map(read).collect()
    }

    #[test]
    fn the_same_program_is_the_same_image_and_another_one_is_not() {
        let image = build("events", b"program");
        assert_eq!(image.archive, build("events", b"program").archive);
        // The bytes stay the same across versions of this command.
        assert_eq!(
            sha256(&image.archive),
            "84f7e25b2530dc4dcaeb0b6af4147f3b6bdf2c96a939a7403e98a2f62257ce5b"
        );
        assert_ne!(image.tag, build("events", b"other").tag);
        assert_ne!(image.tag, build("notifications", b"program").tag);
    }

    #[test]
    fn the_archive_holds_what_its_manifest_names() {
        let image = build("events", b"program");
        let entries = entries(&image.archive);
        let find = |name: &str| &entries.iter().find(|(path, _)| path == name).unwrap().1;
        let manifest: serde_json::Value = serde_json::from_slice(find("manifest.json")).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], image.tag.as_str());
        let config = find(manifest[0]["Config"].as_str().unwrap());
        let config: serde_json::Value = serde_json::from_slice(config).unwrap();
        let layer = find(manifest[0]["Layers"][0].as_str().unwrap());
        let digest = format!("sha256:{}", sha256(layer));
        assert_eq!(image.identity, format!("[\"{digest}\"] [\"/service\"] 65532:65532"));
        assert_eq!(config["rootfs"]["diff_ids"][0], digest.as_str());
        assert_eq!(config["config"]["User"], "65532:65532");
        let names: Vec<_> = self::entries(layer).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["service", "data"]);
    }
}
