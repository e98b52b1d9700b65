//! What a bucket's lifecycle rules do to uploads that nobody finishes, and the rule that clears them away. Pure.

use super::element::Element;
use crate::s3::corner::OWN;

/// Names our rule among a bucket's.
const ID: &str = "towline-unfinished";
/// The header of the setting that all rules share.
pub(super) const MINIMUM: &str = "x-amz-transition-default-minimum-object-size";
const ABORT: &str = "AbortIncompleteMultipartUpload";

/// The rules of a bucket, as its document tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    pub document: Element,
    /// A setting of all rules together, in a header: it is sent back, or it would be reset.
    pub(super) minimum: Option<String>,
}

/// After how many days rules touch what lies below a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days {
    /// All unfinished uploads are given up, counted from their beginning.
    pub all_given_up: Option<u64>,
    /// Some are.
    pub some_given_up: Option<u64>,
    /// What the store keeps below the prefix for itself is removed, all or some.
    pub removed: Option<u64>,
}

impl Lifecycle {
    pub fn none() -> Self {
        Self { document: Element::new("LifecycleConfiguration"), minimum: None }
    }

    fn rules(&self) -> impl Iterator<Item = &Element> {
        self.document.all("Rule")
    }

    pub fn count(&self) -> usize {
        self.rules().count()
    }

    /// What happens below this prefix.
    pub fn days(&self, prefix: &str) -> Days {
        let mut days = Days::default();
        let own = format!("{prefix}{OWN}");
        let earlier = |known: Option<u64>, found: u64| Some(known.map_or(found, |known| known.min(found)));
        for rule in self.rules().filter(|rule| rule.said("Status") == Some("Enabled")) {
            let reach = Reach::of(rule);
            let given_up = number(rule.child(ABORT), "DaysAfterInitiation");
            if let Some(found) = given_up.filter(|_| reach.touches(prefix)) {
                days.some_given_up = earlier(days.some_given_up, found);
                if reach.covers(prefix) {
                    days.all_given_up = earlier(days.all_given_up, found);
                }
            }
            let removed = number(rule.child("Expiration"), "Days");
            if let Some(found) = removed.filter(|_| reach.touches(&own)) {
                days.removed = earlier(days.removed, found);
            }
        }
        days
    }

    /// The same rules, and ours: unfinished uploads below this prefix are given up after so many days.
    #[must_use]
    pub fn with_ours(&self, prefix: &str, after_days: u64) -> Self {
        let is_ours = |rule: &&Element| {
            rule.said("ID").is_some_and(|id| id.starts_with(ID)) && Reach::of(rule).below == prefix
        };
        let mut rules: Vec<Element> =
            self.document.children.iter().filter(|rule| !is_ours(rule)).cloned().collect();
        let is_taken = |id: &String| rules.iter().any(|rule| rule.said("ID") == Some(id));
        let ids = std::iter::once(ID.to_owned()).chain((2..).map(|number| format!("{ID}-{number}")));
        let id = ids.into_iter().find(|id| !is_taken(id)).expect("numbers do not end");
        rules.push(Element::with(
            "Rule",
            vec![
                Element::text("ID", id),
                Element::with("Filter", vec![Element::text("Prefix", prefix)]),
                Element::text("Status", "Enabled"),
                Element::with(ABORT, vec![Element::text("DaysAfterInitiation", after_days.to_string())]),
            ],
        ));
        let document = Element::with("LifecycleConfiguration", rules);
        Self { document, minimum: self.minimum.clone() }
    }
}

/// What a rule is for.
struct Reach {
    /// Names that begin so.
    below: String,
    /// Only some of them: by tags or sizes.
    is_narrowed: bool,
}

impl Reach {
    /// The prefix has three homes: the rule itself (older rules), its filter, or the filter's conjunction.
    fn of(rule: &Element) -> Self {
        let filter = rule.child("Filter");
        let both = filter.and_then(|filter| filter.child("And"));
        let homes = [Some(rule), filter, both];
        let below = homes.iter().flatten().find_map(|home| home.said("Prefix")).unwrap_or_default();
        let is_else = |child: &Element| child.name != "Prefix" && child.name != "And";
        let is_narrowed = homes[1..].iter().flatten().any(|home| home.children.iter().any(is_else));
        Self { below: below.to_owned(), is_narrowed }
    }

    /// All that lies below a prefix.
    fn covers(&self, prefix: &str) -> bool {
        prefix.starts_with(&self.below) && !self.is_narrowed
    }

    /// Some of it, perhaps.
    fn touches(&self, prefix: &str) -> bool {
        prefix.starts_with(&self.below) || self.below.starts_with(prefix)
    }
}

fn number(of: Option<&Element>, name: &str) -> Option<u64> {
    of?.said(name)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifecycle(rules: &str) -> Lifecycle {
        let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
        Lifecycle { document: Element::parse(body.as_bytes()).unwrap(), minimum: None }
    }

    fn rule(id: &str, filter: &str, days: u64) -> String {
        format!(
            "<Rule><ID>{id}</ID>{filter}<Status>Enabled</Status><AbortIncompleteMultipartUpload>\
             <DaysAfterInitiation>{days}</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
        )
    }

    #[test]
    fn a_rule_counts_where_it_reaches() {
        let given_up = |filter: &str| {
            let days = lifecycle(&rule("a", filter, 3)).days("in/");
            (days.all_given_up, days.some_given_up)
        };
        for whole in
            ["<Filter/>", "<Prefix/>", "", "<Filter><Prefix>in/</Prefix></Filter>", "<Prefix>i</Prefix>"]
        {
            assert_eq!(given_up(whole), (Some(3), Some(3)), "{whole}");
        }
        for part in [
            "<Filter><Prefix>in/video/</Prefix></Filter>",
            "<Filter><And><Prefix>in/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>",
            "<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>",
        ] {
            assert_eq!(given_up(part), (None, Some(3)), "{part}");
        }
        assert_eq!(given_up("<Filter><Prefix>out/</Prefix></Filter>"), (None, None));
        let off = rule("a", "<Filter/>", 3).replace("Enabled", "Disabled");
        assert_eq!(lifecycle(&off).days(""), Days::default());
        let removing =
            "<Rule><Filter/><Status>Enabled</Status><Expiration><Days>9</Days></Expiration></Rule>";
        assert_eq!(lifecycle(removing).days("in/").removed, Some(9));
        let beside = removing.replace("<Filter/>", "<Filter><Prefix>in/logs/</Prefix></Filter>");
        assert_eq!(lifecycle(&beside).days("in/").removed, None);
    }

    #[test]
    fn our_rule_is_replaced_and_others_stay() {
        let before = lifecycle(&rule("theirs", "<Filter><Prefix>logs/</Prefix></Filter>", 1));
        let merged = before.with_ours("in/", 14);
        assert_eq!(merged.days("in/").all_given_up, Some(14));
        assert_eq!(merged.document.children[0], before.document.children[0]);
        let again = merged.with_ours("in/", 9);
        assert_eq!((again.count(), again.days("in/").all_given_up), (2, Some(9)));
        let beside = again.with_ours("other/", 5);
        let ids: Vec<_> = beside.document.children.iter().map(|rule| rule.said("ID").unwrap()).collect();
        assert_eq!(ids, ["theirs", "towline-unfinished", "towline-unfinished-2"]);
        assert_eq!(beside.days("in/").all_given_up, Some(9));
    }
}
