//! The layout of the sources: imports point one way, AWS's SDK is known to one crate alone, and
//! files stay short.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates' source folders, from the root.
const CRATES: [&str; 8] = [
    "src",
    "crates/ec2/src",
    "crates/loadtest/src",
    "crates/ssh/src",
    "crates/support/src",
    "services/rest/src",
    "services/events/src",
    "services/notifications/src",
];

/// The modules at a crate's top, and those that each imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder, without what cargo builds.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| !path.ends_with("target"))
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rs")
}

fn imports(folder: &Path) -> Imports {
    let mut imports = Imports::new();
    for path in files(folder).into_iter().filter(|path| is_rust(path)) {
        let below = path.strip_prefix(folder).unwrap();
        let module = below.iter().next().unwrap().to_string_lossy().replace(".rs", "");
        if ["lib", "main"].contains(&module.as_str()) || path.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // What tests import holds nobody up.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let imported = code.split("crate::").skip(1).flat_map(names);
        imports.entry(module).or_default().extend(imported);
    }
    let known: BTreeSet<_> = imports.keys().cloned().collect();
    for (module, imported) in &mut imports {
        imported.retain(|name| known.contains(name) && name != module);
    }
    imports
}

/// The names that follow `crate::`: one, or a list in braces.
fn names(rest: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let list = match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap_or_default(),
        None => rest.split(|c| !is_name(c)).next().unwrap_or_default(),
    };
    list.split(|c| !is_name(c)).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A way from a module back to itself, if there is one.
fn circle(imports: &Imports, from: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in &imports[way.last()?] {
            if next == from {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push([way.as_slice(), std::slice::from_ref(next)].concat());
            }
        }
    }
    None
}

#[test]
fn no_module_leads_back_to_itself() {
    for folder in CRATES {
        let imports = imports(&root().join(folder));
        assert!(!imports.is_empty(), "{folder}");
        let found: Vec<_> = imports.keys().filter_map(|module| circle(&imports, module)).collect();
        assert!(found.is_empty(), "{folder}: {found:?}");
    }
}

#[test]
fn a_circle_is_found() {
    let imports = |pairs: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in pairs {
            imports.entry((*to).into()).or_default();
            imports.entry((*from).into()).or_default().insert((*to).into());
        }
        imports
    };
    assert_eq!(circle(&imports(&[("a", "b"), ("b", "c")]), "a"), None);
    assert!(circle(&imports(&[("a", "b"), ("b", "c"), ("c", "a")]), "a").is_some());
    assert_eq!(names("{error, wait::Deadline};"), ["error", "wait", "Deadline"]);
    assert_eq!(names("error::Error;"), ["error"]);
}

#[test]
fn one_crate_alone_knows_the_sdk() {
    let manifests = ["Cargo.toml"]
        .into_iter()
        .map(str::to_owned)
        .chain(CRATES[1..].iter().map(|folder| folder.replace("/src", "/Cargo.toml")));
    for manifest in manifests {
        let text = fs::read_to_string(root().join(&manifest)).unwrap();
        // The root's table of versions names it, too.
        let (_, dependencies) = text.split_once("\n[dependencies]\n").unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap();
        let knows = dependencies.contains("aws-");
        assert_eq!(knows, manifest.contains("ec2"), "{manifest}");
    }
}

#[test]
fn no_source_file_is_longer_than_400_lines() {
    const FOLDERS: [&str; 10] = [
        "src",
        "crates",
        "services",
        "tests",
        "templates",
        "scripts",
        "testbed",
        "benches",
        "fuzz",
        ".ci",
    ];
    // The storage's successor replaces these.
    const REPLACED: [&str; 1] = ["services/rest/src/store"];
    let is_source = |path: &Path, text: &str| {
        is_rust(path)
            || path.extension().is_some_and(|ending| ["py", "sh"].iter().any(|it| ending == *it))
            || text.starts_with("#!")
    };
    let mut long = Vec::new();
    for path in FOLDERS.into_iter().flat_map(|folder| files(&root().join(folder))) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let below = path.strip_prefix(root()).unwrap();
        let replaced = REPLACED.iter().any(|folder| below.starts_with(folder));
        let lines = text.lines().count();
        if is_source(&path, &text) && lines > 400 && !replaced {
            long.push(format!("{}: {lines}", below.display()));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}
