//! The layout of the sources: imports point one way, AWS's SDK is known to one crate alone, and
//! files stay short.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::{Imports, Module, Sources};

/// The crates' source folders, from the root.
const CRATES: [&str; 10] = [
    "src",
    "crates/ec2/src",
    "crates/loadtest/src",
    "crates/ssh/src",
    "crates/support/src",
    "services/rest/src",
    "services/store/src",
    "services/pages/src",
    "services/events/src",
    "services/notifications/src",
];

/// The crates whose documentation lists their modules in the order of imports.
const ORDERED: [&str; 2] = ["src", "services/rest/src"];

/// Names of modules that stand beside each other, and those that each imports.
type Siblings = BTreeMap<String, BTreeSet<String>>;

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

/// Which modules of a crate import which.
fn imports(folder: &str) -> Imports {
    Sources::read(&root().join(folder)).imports()
}

/// The modules directly inside a parent, and which of each other they import, at any depth. What
/// a module shares with modules inside it is no import.
fn siblings(imports: &Imports, parent: &[String]) -> Siblings {
    let inside = |module: &Module| module.strip_prefix(parent)?.first().cloned();
    let mut siblings = Siblings::new();
    for (module, imported) in imports {
        let Some(name) = inside(module) else { continue };
        let others = imported.iter().filter_map(inside).filter(|other| *other != name);
        siblings.entry(name.clone()).or_default().extend(others);
    }
    siblings
}

/// A way from a module back to itself, if there is one.
fn circle(imports: &Siblings, from: &str) -> Option<Vec<String>> {
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

/// The modules that a crate's documentation lists, in its order: the first word of each line of
/// the first block.
fn documented(crate_docs: &str) -> Vec<String> {
    let lines = crate_docs.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.skip_while(|line| line.trim() != "```text").skip(1);
    let lines = lines.take_while(|line| line.trim() != "```");
    // A line that goes on with the one before is indented.
    let names = lines.filter_map(|line| line.strip_prefix(' ')?.split(' ').next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Imports of modules that are listed earlier than the one that imports them.
fn upward(imports: &Siblings, order: &[String]) -> Vec<String> {
    let place = |name: &str| order.iter().position(|it| it == name);
    let pairs = imports.iter().flat_map(|(name, others)| others.iter().map(move |it| (name, it)));
    let upward = pairs.filter(|(name, other)| place(other) < place(name));
    upward.map(|(name, other)| format!("{name} imports {other}")).collect()
}

#[test]
fn modules_import_only_those_that_are_documented_after_them() {
    for folder in ORDERED {
        let imports = siblings(&imports(folder), &[]);
        let order = documented(&fs::read_to_string(root().join(folder).join("lib.rs")).unwrap());
        let names: BTreeSet<_> = order.iter().collect();
        assert_eq!(names, imports.keys().collect(), "the list in {folder}/lib.rs");
        assert_eq!(upward(&imports, &order), [""; 0], "{folder}");
    }
}

#[test]
fn no_module_leads_back_to_itself() {
    for folder in CRATES {
        let imports = imports(folder);
        assert!(!imports.is_empty(), "{folder}");
        let parents = imports.keys().flat_map(|module| (0..module.len()).map(|end| &module[..end]));
        for parent in parents.collect::<BTreeSet<_>>() {
            let siblings = siblings(&imports, parent);
            let found: Vec<_> =
                siblings.keys().filter_map(|module| circle(&siblings, module)).collect();
            assert!(found.is_empty(), "{folder}/{}: {found:?}", parent.join("/"));
        }
    }
}

#[test]
fn imports_of_every_kind_are_found() {
    let mut sources = Sources::default();
    for (module, text) in [
        ("lib", "mod a; mod b; mod c; pub use c::Item;"),
        ("a/mod", "mod x; mod y; use crate::{b, // c\n b::{One as Two}};"),
        ("a/x", "use super::y::{self, Y};\n const C: &str = \"crate::c \\\" \"; // crate::c"),
        ("a/y", "use crate::Item; #[cfg(test)] mod tests { use super::super::x; }"),
        ("b", "type T = super::a::x::T; #[cfg(test)] mod tests;"),
        ("b/tests", "use crate::c;"),
        ("c", "fn f(c: char) -> bool { c == '\"' || c == '\\'' || crate::b::g::<'a'>() }"),
    ] {
        sources.add(module.split('/').map(str::to_owned).collect(), text);
    }
    let imports = sources.imports();
    let names = |module: &Module| module.join("::");
    let found = imports.iter().flat_map(|(module, imported)| {
        imported.iter().map(move |other| format!("{} -> {}", names(module), names(other)))
    });
    let expected = ["a -> b", "a::x -> a::y", "a::y -> c", "b -> a::x", "c -> b"];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let top = siblings(&imports, &[]);
    assert_eq!(circle(&top, "a").unwrap(), ["a", "b"]);
    let inside = siblings(&imports, &["a".to_owned()]);
    assert_eq!((circle(&inside, "x"), circle(&inside, "y")), (None, None));

    let docs = "//! A crate.\n//!\n//! ```text\n//! a    one\n//!      more\n//! c    two\n\
                //! b    three\n//! ```\n\nmod a;\n";
    assert_eq!(documented(docs), ["a", "c", "b"]);
    assert_eq!(upward(&top, &documented(docs)), ["b imports a"]);
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
    let is_source = |path: &Path, text: &str| {
        is_rust(path)
            || path.extension().is_some_and(|ending| ["py", "sh"].iter().any(|it| ending == *it))
            || text.starts_with("#!")
    };
    let mut long = Vec::new();
    for path in FOLDERS.into_iter().flat_map(|folder| files(&root().join(folder))) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let below = path.strip_prefix(root()).unwrap();
        let lines = text.lines().count();
        if is_source(&path, &text) && lines > 400 {
            long.push(format!("{}: {lines}", below.display()));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}
