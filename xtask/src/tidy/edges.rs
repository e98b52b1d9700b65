//! The crates stand in a diamond, with the signatures below it. An edge that is not in the list is an error, and so is one that is gone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;

const CRATES: [&str; 8] = [
    "towline",
    "towline-backends",
    "towline-client",
    "towline-core",
    "towline-doors",
    "towline-s3",
    "towline-sigv4",
    "xtask",
];
const EDGES: [(&str, &str); 14] = [
    ("towline", "towline-backends"),
    ("towline", "towline-client"),
    ("towline", "towline-core"),
    ("towline", "towline-doors"),
    ("towline", "towline-sigv4"),
    ("towline-backends", "towline-core"),
    ("towline-backends", "towline-s3"),
    ("towline-backends", "towline-sigv4"),
    ("towline-client", "towline-core"),
    ("towline-client", "towline-s3"),
    ("towline-doors", "towline-core"),
    ("towline-doors", "towline-sigv4"),
    ("towline-s3", "towline-core"),
    ("towline-s3", "towline-sigv4"),
];
/// Tests may use its doubles, its contracts and its stories.
const OPEN_TO_TESTS: &str = "towline-core";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
}

pub(super) fn findings(metadata: &Value) -> Vec<Finding> {
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut problems = Vec::new();
    for name in names.symmetric_difference(&BTreeSet::from(CRATES)) {
        problems.push(format!("the crate {name} and the list of crates in tidy do not agree"));
    }
    let mut edges = BTreeSet::new();
    for package in &packages {
        for (edge, is_for_tests) in dependencies(package).filter(|(edge, _)| names.contains(edge.to)) {
            let is_listed = EDGES.contains(&(edge.from, edge.to));
            if !is_for_tests {
                edges.insert(edge);
            }
            if !(is_listed || is_for_tests && edge.to == OPEN_TO_TESTS) {
                problems.push(format!("{} must not depend on {}", edge.from, edge.to));
            }
        }
    }
    for (from, to) in EDGES {
        if !edges.contains(&Edge { from, to }) {
            problems.push(format!("{from} no longer depends on {to}: then the list in tidy is wrong"));
        }
    }
    problems.into_iter().map(|problem| Finding { path: "Cargo.toml".to_owned(), line: 0, problem }).collect()
}

/// What a package depends on, and whether only its tests do. Build dependencies count like normal ones.
fn dependencies(package: &Value) -> impl Iterator<Item = (Edge<'_>, bool)> {
    let from = package["name"].as_str().unwrap_or_default();
    package["dependencies"].as_array().into_iter().flatten().filter_map(move |dependency| {
        let to = dependency["name"].as_str()?;
        Some((Edge { from, to }, dependency["kind"] == "dev"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<Value> =
            dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
        json!({ "name": name, "dependencies": dependencies })
    }

    /// The house as it should stand, with `extra` dependencies of `who`.
    fn house(who: &str, extra: &[(&str, Option<&str>)]) -> Value {
        let packages: Vec<Value> = CRATES
            .iter()
            .map(|name| {
                let mut dependencies: Vec<(&str, Option<&str>)> = EDGES
                    .iter()
                    .filter(|(from, _)| from == name)
                    .map(|(_, to)| (*to, None))
                    .chain([("anyhow", None)])
                    .collect();
                if *name == who {
                    dependencies.extend(extra);
                }
                package(name, &dependencies)
            })
            .collect();
        json!({ "packages": packages })
    }

    #[test]
    fn the_diamond_passes_and_tests_may_use_the_core() {
        assert_eq!(findings(&house("", &[])), []);
        assert_eq!(findings(&house("towline-core", &[("towline-core", Some("dev"))])), []);
        assert_eq!(findings(&house("towline-doors", &[("towline-core", Some("dev"))])), []);
    }

    #[test]
    fn an_edge_that_is_not_listed_is_found() {
        for (from, to, kind) in [
            ("towline-core", "towline-backends", None),
            ("towline-doors", "towline-backends", None),
            ("towline-backends", "towline-doors", Some("build")),
            ("towline-doors", "towline-backends", Some("dev")),
            ("towline-core", "towline-sigv4", None),
            ("towline-sigv4", "towline-core", None),
            ("xtask", "towline-core", None),
        ] {
            let found = findings(&house(from, &[(to, kind)]));
            assert_eq!(found.len(), 1, "{from} -> {to}: {found:?}");
            assert!(found[0].problem.contains("must not depend"), "{found:?}");
        }
    }

    #[test]
    fn an_edge_that_is_gone_and_a_crate_nobody_listed_are_found() {
        let mut house = house("", &[]);
        house["packages"].as_array_mut().unwrap().push(package("towline-extra", &[]));
        house["packages"][0]["dependencies"] = json!([{ "name": "towline-core", "kind": null }]);
        let found: Vec<String> = findings(&house).into_iter().map(|finding| finding.problem).collect();
        let gone = EDGES.iter().filter(|(from, to)| *from == "towline" && *to != "towline-core").count();
        assert_eq!(found.len(), 1 + gone, "{found:?}");
        assert!(found[0].contains("towline-extra"));
    }
}
