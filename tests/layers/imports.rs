//! Finds which modules of a crate import which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{files, is_rust};

/// The path of a module from the crate's root, which is the empty path.
pub(super) type Module = Vec<String>;

/// The modules that each module imports.
pub(super) type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// The modules of a crate, each with its code.
#[derive(Default)]
pub(super) struct Sources(BTreeMap<Module, String>);

impl Sources {
    /// Reads a crate's source folder.
    pub(super) fn read(folder: &Path) -> Self {
        let mut sources = Self::default();
        for path in files(folder).into_iter().filter(|path| is_rust(path)) {
            let below = path.strip_prefix(folder).unwrap().with_extension("");
            let module: Module = below.iter().map(|name| name.to_string_lossy().into()).collect();
            if module != ["main"] {
                sources.add(module, &fs::read_to_string(&path).unwrap());
            }
        }
        sources
    }

    /// Adds the file of a module, whose path ends as the file is named.
    pub(super) fn add(&mut self, mut module: Module, text: &str) {
        module.pop_if(|name| ["mod", "lib"].contains(&name.as_str()));
        self.0.insert(module, code(text));
    }

    /// Which module imports which, as far as both are below the root. What tests import holds
    /// nobody up.
    pub(super) fn imports(mut self) -> Imports {
        let tests: BTreeSet<Module> = self.0.iter().flat_map(test_modules).collect();
        let is_test = |module: &Module| tests.iter().any(|tests| module.starts_with(tests));
        self.0.retain(|module, _| !is_test(module));
        let reexports = self.reexports();
        let mut imports = Imports::new();
        for (module, text) in self.0.iter().filter(|(module, _)| !module.is_empty()) {
            let production = text.split("#[cfg(test)]mod ").next().unwrap();
            let paths = paths(production, &["crate", "super", "self"]);
            let imported = paths.iter().map(|path| self.resolve(module, path, &reexports));
            let imported = imported.filter(|other| !other.is_empty() && other != module).collect();
            imports.insert(module.clone(), imported);
        }
        imports
    }

    /// The module that a path in another module leads to.
    fn resolve(
        &self,
        from: &Module,
        path: &[String],
        reexports: &BTreeMap<Module, Module>,
    ) -> Module {
        let mut place = if path[0] == "crate" { Module::new() } else { from.clone() };
        for name in path {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(place.pop()),
                _ => place.push(name.clone()),
            }
        }
        // An item that a module re-exports is its own module's. Each step goes further down.
        for _ in 0..8 {
            let known =
                (0..=place.len()).find_map(|end| Some((end, reexports.get(&place[..end])?)));
            let Some((end, module)) = known else { break };
            place = [module.as_slice(), &place[end..]].concat();
        }
        while !self.0.contains_key(&place) {
            place.pop();
        }
        place
    }

    /// What modules import from modules inside them, by the paths that others find it at.
    fn reexports(&self) -> BTreeMap<Module, Module> {
        let mut reexports = BTreeMap::new();
        for (module, text) in &self.0 {
            let inside = self.0.keys().filter(|it| it.len() == module.len() + 1);
            let inside: Vec<_> = inside.filter(|it| it.starts_with(module)).collect();
            let names: Vec<_> = inside.iter().map(|it| it.last().unwrap().as_str()).collect();
            for path in paths(text, &names) {
                let at = [module.as_slice(), &path[path.len() - 1..]].concat();
                let real = [module.as_slice(), &path].concat();
                if at != real && !self.0.contains_key(&at) {
                    reexports.insert(at, real);
                }
            }
        }
        reexports
    }
}

/// The modules whose declarations are for tests alone.
fn test_modules((module, text): (&Module, &String)) -> Vec<Module> {
    let declarations = text.split("#[cfg(test)]mod ").skip(1);
    let names = declarations.filter_map(|rest| rest.split_once(';'));
    let names = names.map(|(name, _)| name.to_owned()).filter(|name| name.chars().all(is_word));
    names.map(|name| [module.as_slice(), &[name]].concat()).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The code without comments, texts and spaces, except those between two words.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = token_length(rest, c);
        let is_kept = length == c.len_utf8() && !c.is_whitespace();
        if is_kept {
            // A space that was left out and stood between two words.
            let gap = text.len() - rest.len();
            let was_apart = text[..gap].ends_with(char::is_whitespace);
            if was_apart && is_word(c) && code.ends_with(is_word) {
                code.push(' ');
            }
            code.push(c);
        }
        rest = &rest[length..];
    }
    code
}

/// How long the comment, the text or the character at the beginning is.
fn token_length(rest: &str, first: char) -> usize {
    let until = |end: &str, from: usize| {
        rest[from..].find(end).map_or(rest.len(), |found| from + found + end.len())
    };
    match first {
        '/' if rest.starts_with("//") => until("\n", 2),
        '/' if rest.starts_with("/*") => until("*/", 2),
        'r' if rest.starts_with("r\"") => until("\"", 2),
        'r' if rest.starts_with("r#\"") => until("\"#", 3),
        '\'' if rest.starts_with("'\\") => until("'", 3),
        '\'' => {
            let mut chars = rest.char_indices().skip(2);
            chars.next().filter(|(_, c)| *c == '\'').map_or(1, |(end, _)| end + 1)
        }
        '"' => {
            let mut is_escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == '"' && !is_escaped;
                is_escaped = *c == '\\' && !is_escaped;
                ends
            });
            end.map_or(rest.len(), |(end, _)| end + 1)
        }
        other => other.len_utf8(),
    }
}

/// The paths in code that begin with one of the names, those of groups one by one.
pub(super) fn paths(code: &str, firsts: &[&str]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (start, _) in code.match_indices("::") {
        let before = code[..start].trim_end_matches(is_word);
        let first = &code[before.len()..start];
        if firsts.contains(&first) && !before.ends_with("::") && !before.ends_with('$') {
            read_path(&code[before.len()..], &[], &mut paths);
        }
    }
    paths
}

/// Reads one path, or all paths of a group, and returns what follows.
fn read_path<'a>(code: &'a str, prefix: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = prefix.to_vec();
    let mut rest = code;
    loop {
        if let Some(mut group) = rest.strip_prefix('{') {
            while !group.is_empty() && !group.starts_with('}') {
                group = read_path(group, &path, paths);
                let renamed = group.strip_prefix(" as ");
                group = renamed.map_or(group, |name| name.trim_start_matches(is_word));
                group = group.trim_start_matches(',');
            }
            return group.get(1..).unwrap_or_default();
        }
        let after = rest.trim_start_matches(is_word);
        if after.len() == rest.len() {
            paths.push(path);
            // What cannot be read, such as `*`, is passed over, so that a group ends.
            return if rest.starts_with(['}', ',']) { rest } else { rest.get(1..).unwrap_or("") };
        }
        path.push(rest[..rest.len() - after.len()].to_owned());
        let Some(next) = after.strip_prefix("::") else {
            paths.push(path);
            return after;
        };
        rest = next;
    }
}
