//! Whether pages in browsers may send to the bucket: its CORS rules, and what it really answers.

use towline_backends::s3::examine::{Cors, Examiner, Gap, METHODS, Passage, Trouble};
use towline_core::policy::Transfer;

use super::aws::{quote, to_json};
use super::bucket::Wanted;
use super::finding::{Finding, State};

const RULES: &str = "cors";
const PAGES: &str = "pages";
/// So many origins are tried; the others are judged by the rules.
const ORIGINS_MAX: usize = 6;

/// Without permission to write, no page can be tried: its signed URLs are no better than who signs them.
pub(super) async fn look(examiner: &Examiner, wanted: &Wanted, may_write: bool) -> Vec<Finding> {
    if wanted.transfer == Transfer::Relayed {
        let what = "not needed: bytes pass through this server (s3_transfer = relayed)";
        return vec![Finding::new(RULES, State::Ok, what)];
    }
    if wanted.origins.is_empty() {
        let what = "no pages are let in (cors_origins is empty), so none need the bucket";
        return vec![Finding::new(RULES, State::Ok, what)];
    }
    let rules = match examiner.cors().await {
        Ok(found) => of_rules(&found, wanted),
        Err(trouble) => of_silence(&trouble, wanted),
    };
    let rules =
        if wanted.fix && rules.state == State::Missing { fixed(examiner, wanted).await } else { rules };
    if !may_write {
        let what = "not tried: the credentials may not do what a page would do with them";
        return vec![rules, Finding::new(PAGES, State::Unknown, what)];
    }
    let mut tried = Vec::new();
    for origin in wanted.origins.iter().take(ORIGINS_MAX) {
        tried.push((origin.as_str(), examiner.passage(origin).await));
    }
    let pages = of_pages(&tried, rules.state);
    vec![rules, pages]
}

fn of_rules(found: &Cors, wanted: &Wanted) -> Finding {
    let gaps = found.gaps(&wanted.origins);
    if gaps.is_empty() {
        let what = format!("{} let in {}", rules(found.count()), wanted.origins.join(", "));
        return Finding::new(RULES, State::Ok, what);
    }
    let what = match found.count() {
        0 => "the bucket has no CORS rules".to_owned(),
        count => {
            let short = together(gaps.iter().map(|gap| (gap.origin.as_str(), told(gap))));
            format!("the bucket's {} short: {short}", if count == 1 { "rule falls" } else { "rules fall" })
        }
    };
    with_cures(Finding::new(RULES, State::Missing, what), found, wanted)
}

fn rules(count: usize) -> String {
    if count == 1 { "1 rule".to_owned() } else { format!("{count} rules") }
}

/// What pages may not, with the origins of which that is true.
fn together<'a>(told: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut clauses: Vec<(String, Vec<&str>)> = Vec::new();
    for (origin, text) in told {
        match clauses.iter_mut().find(|(known, _)| *known == text) {
            Some((_, origins)) => origins.push(origin),
            None => clauses.push((text, vec![origin])),
        }
    }
    let clauses = clauses.into_iter().map(|(text, origins)| format!("{text} ({})", origins.join(", ")));
    clauses.collect::<Vec<_>>().join("; ")
}

fn told(gap: &Gap) -> String {
    let Gap { origin: _, methods, hides_tag } = gap;
    if methods.len() == METHODS.len() {
        return "pages are not let in".to_owned();
    }
    let hidden = if *hides_tag { "read ETag" } else { "" };
    let join = if methods.is_empty() || hidden.is_empty() { "" } else { ", nor " };
    format!("pages may not {}{join}{hidden}", methods.join(", "))
}

fn with_cures(finding: Finding, found: &Cors, wanted: &Wanted) -> Finding {
    let merged = to_json(&found.with_ours(&wanted.origins).document);
    let argument = format!("--cors-configuration {}", quote(&merged.to_string()));
    finding
        .why(
            "Browsers ask the bucket before a page may send parts to it, and hide the ETag of the answer, without \
             which no upload can be completed. `towline doctor --fix` sets this, or do it yourself. All rules that \
             are there now are in it, too.",
        )
        .cure("In the AWS console, under Permissions, Cross-origin resource sharing:", format!("{:#}", merged["CORSRules"]))
        .cure("Or by the AWS CLI:", wanted.bucket.command("put-bucket-cors", &argument))
}

/// The rules cannot be read; they may be there nevertheless.
fn of_silence(trouble: &Trouble, wanted: &Wanted) -> Finding {
    if trouble.is_unknown_to_server() {
        return Finding::new(
            RULES,
            State::Unknown,
            format!("the server has no CORS rules by S3 ({trouble})"),
        )
        .why(
            "Its own tools or settings say which pages may send to it. What a browser would be told is tried \
             below.",
        );
    }
    let finding = Finding::new(RULES, wanted.unread(), format!("the rules cannot be read: {trouble}"));
    if trouble.is_denied() {
        let hint = "The credentials may not (s3:GetBucketCORS). If there are no rules yet, these would do:";
        let merged = to_json(&Cors::none().with_ours(&wanted.origins).document);
        return finding.why(hint).cure(
            "In the AWS console, under Permissions, Cross-origin resource sharing:",
            format!("{:#}", merged["CORSRules"]),
        );
    }
    finding
}

/// Sets our rule, reads again, and says what holds.
async fn fixed(examiner: &Examiner, wanted: &Wanted) -> Finding {
    // Read once more right before: somebody may have changed them.
    let set = match examiner.cors().await {
        Ok(found) => examiner.set_cors(&found.with_ours(&wanted.origins)).await,
        Err(trouble) => Err(trouble),
    };
    let found = match examiner.cors().await {
        Ok(found) => found,
        Err(trouble) => {
            return Finding::new(RULES, wanted.unread(), format!("the rules cannot be read: {trouble}"));
        }
    };
    let now = of_rules(&found, wanted);
    match (set, now.state) {
        (Ok(()), State::Ok) => {
            let what = format!("a rule was set; now {}", now.what);
            Finding::new(RULES, State::Fixed, what)
        }
        (Ok(()), _) => Finding { what: format!("a rule was set, and it is not there: {}", now.what), ..now },
        (Err(trouble), _) => {
            let why = if trouble.is_denied() { " (s3:PutBucketCORS)" } else { "" };
            Finding { what: format!("{}, and no rule could be set{why}: {trouble}", now.what), ..now }
        }
    }
}

/// What browsers would make of the answers. Where the rules can be read, they say best what to do.
fn of_pages(tried: &[(&str, Result<Passage, Trouble>)], rules: State) -> Finding {
    let mut bad = Vec::new();
    let mut unknown = Vec::new();
    for (origin, passage) in tried {
        match passage {
            Ok(Passage::Open) => {}
            Ok(Passage::NoPreflight { status }) => {
                bad.push((*origin, format!("the preflight of a PUT is refused with {status}")));
            }
            Ok(Passage::NoReply { status }) => {
                bad.push((*origin, format!("the answer to a PUT, {status}, may not be read")));
            }
            Ok(Passage::NoTag) => bad.push((*origin, "the ETag of an answer may not be read".to_owned())),
            Err(trouble) => unknown.push(format!("{origin}: {trouble}")),
        }
    }
    if let (true, Some(first)) = (bad.is_empty(), unknown.first()) {
        return Finding::new(
            PAGES,
            State::Unknown,
            format!("a signed PUT as of a page cannot be tried: {first}"),
        );
    }
    if bad.is_empty() {
        let origins: Vec<&str> = tried.iter().map(|(origin, _)| *origin).collect();
        let what = format!("a browser would let pages of {} send and read the ETag", origins.join(", "));
        return Finding::new(PAGES, State::Ok, what);
    }
    let finding = Finding::new(PAGES, State::Wrong, together(bad.into_iter()));
    finding.why(match rules {
        State::Ok | State::Fixed => {
            "The rules are right: some servers take minutes to follow them. Look again later; if it stays, \
             something before the bucket answers instead of it."
        }
        State::Missing | State::Wrong => "This is what the rules above would change.",
        State::Unknown | State::Odd => {
            "Let the server admit these origins, with ETag among the headers that it exposes, or let bytes pass \
             through here: --s3-transfer relayed."
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browsers_no_is_told_with_what_to_do_about_it() {
        let no =
            |passage| of_pages(&[("http://a", Ok(Passage::Open)), ("http://b", Ok(passage))], State::Unknown);
        for (passage, words) in [
            (Passage::NoPreflight { status: 403 }, "the preflight of a PUT is refused with 403 (http://b)"),
            (Passage::NoReply { status: 200 }, "the answer to a PUT, 200, may not be read (http://b)"),
            (Passage::NoTag, "the ETag of an answer may not be read (http://b)"),
        ] {
            let finding = no(passage);
            assert_eq!((finding.state, finding.what.as_str()), (State::Wrong, words));
        }
        assert_eq!(no(Passage::Open).state, State::Ok);
        let silent = of_pages(&[("http://a", Err(Trouble::Garbled("x".into())))], State::Ok);
        assert_eq!(silent.state, State::Unknown);
    }

    #[test]
    fn a_gap_is_one_clause() {
        let gap = |methods: &[&'static str], hides_tag| {
            told(&Gap { origin: "http://a".into(), methods: methods.to_vec(), hides_tag })
        };
        assert_eq!(gap(&METHODS, false), "pages are not let in");
        assert_eq!(gap(&["POST", "DELETE"], false), "pages may not POST, DELETE");
        assert_eq!(gap(&["POST"], true), "pages may not POST, nor read ETag");
        assert_eq!(gap(&[], true), "pages may not read ETag");
        let told = [("http://a", "x"), ("http://b", "y"), ("http://c", "x")];
        let told = told.into_iter().map(|(origin, text)| (origin, text.to_owned()));
        assert_eq!(together(told), "x (http://a, http://c); y (http://b)");
    }
}
