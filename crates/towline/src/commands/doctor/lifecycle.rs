//! Whether the bucket clears away what nobody finishes, and not too early.

use std::time::Duration;

use towline_backends::s3::examine::{Days, Examiner, Lifecycle, Trouble};

use super::aws::{quote, to_json};
use super::bucket::Wanted;
use super::finding::{Finding, State};

const TOPIC: &str = "lifecycle";
const DAY: Duration = Duration::from_hours(24);
/// A bucket counts from the beginning of an upload, this server from its last sign of life: so much may lie between.
pub(super) const GRACE: Duration = Duration::from_hours(7 * 24);

pub(super) async fn look(examiner: &Examiner, wanted: &Wanted) -> Vec<Finding> {
    let found = match examiner.lifecycle().await {
        Ok(found) => found,
        Err(trouble) => return vec![of_silence(&trouble, wanted)],
    };
    let mut finding = of_rules(&found, wanted);
    if wanted.fix && finding.state == State::Missing {
        finding = Box::pin(fixed(examiner, wanted)).await;
    }
    std::iter::once(finding).chain(of_removal(&found, wanted)).collect()
}

/// Rules that remove objects may reach into the store's own corner.
fn of_removal(found: &Lifecycle, wanted: &Wanted) -> Option<Finding> {
    let (kept, prefix) = (days_kept(wanted), &wanted.prefix);
    let days = found.days(prefix).removed.filter(|days| *days < kept)?;
    let what =
        format!("a rule removes objects below {prefix}.towline/ after {days}d, uploads are kept {kept}d");
    let why = "What gathers there may go before its upload is finished: let the rule reach elsewhere only.";
    Some(Finding::new("expiry", State::Odd, what).why(why))
}

fn days_kept(wanted: &Wanted) -> u64 {
    wanted.keep_unfinished.as_secs().div_ceil(DAY.as_secs())
}

/// For how many days the server's own keeping would be safe.
fn days_wanted(wanted: &Wanted) -> u64 {
    (wanted.keep_unfinished + GRACE).as_secs().div_ceil(DAY.as_secs())
}

fn of_rules(found: &Lifecycle, wanted: &Wanted) -> Finding {
    let Days { all_given_up, some_given_up, removed: _ } = found.days(&wanted.prefix);
    let kept = days_kept(wanted);
    if let Some(days) = some_given_up.filter(|days| *days < kept) {
        let what =
            format!("a rule gives up uploads {days}d after they began, this server keeps them {kept}d");
        let ours = found.with_ours(&wanted.prefix, days_wanted(wanted));
        if ours.days(&wanted.prefix).some_given_up.is_none_or(|days| days >= kept) {
            return with_cures(Finding::new(TOPIC, State::Missing, what), found, wanted);
        }
        return Finding::new(TOPIC, State::Wrong, what).why(
            "Who comes back later finds the upload gone. Change the rule (it is not ours, so --fix leaves it \
             alone), or set keep_unfinished to less.",
        );
    }
    if let Some(days) = all_given_up {
        let what = format!("unfinished uploads are given up {days}d after they began");
        return Finding::new(TOPIC, State::Ok, what);
    }
    let what = match found.count() {
        0 => "the bucket has no lifecycle rules".to_owned(),
        _ => "no rule of the bucket gives up uploads that nobody finishes".to_owned(),
    };
    with_cures(Finding::new(TOPIC, State::Missing, what), found, wanted)
}

fn with_cures(finding: Finding, found: &Lifecycle, wanted: &Wanted) -> Finding {
    let rules = to_json(&found.with_ours(&wanted.prefix, days_wanted(wanted)).document);
    let argument = format!("--lifecycle-configuration {}", quote(&rules.to_string()));
    finding
        .why(
            "This server gives up the uploads that it knows. Parts of others (of a catalog that was lost, of another \
             program) are paid for until a rule clears them away. `towline doctor --fix` sets one, or do it yourself. \
             All rules that are there now are in it, too.",
        )
        .cure("The rules:", format!("{rules:#}"))
        .cure("By the AWS CLI:", wanted.bucket.command("put-bucket-lifecycle-configuration", &argument))
}

fn of_silence(trouble: &Trouble, wanted: &Wanted) -> Finding {
    if trouble.is_unknown_to_server() {
        return Finding::new(
            TOPIC,
            State::Unknown,
            format!("the server has no lifecycle rules by S3 ({trouble})"),
        )
        .why("This server gives up the uploads that it knows; others stay until somebody aborts them.");
    }
    let finding = Finding::new(TOPIC, wanted.unread(), format!("the rules cannot be read: {trouble}"));
    if trouble.is_denied() {
        finding.why("The credentials may not (s3:GetLifecycleConfiguration).")
    } else {
        finding
    }
}

/// Sets our rule, reads again, and says what holds.
async fn fixed(examiner: &Examiner, wanted: &Wanted) -> Finding {
    let set = match examiner.lifecycle().await {
        Ok(found) => examiner.set_lifecycle(&found.with_ours(&wanted.prefix, days_wanted(wanted))).await,
        Err(trouble) => Err(trouble),
    };
    let found = match examiner.lifecycle().await {
        Ok(found) => found,
        Err(trouble) => return of_silence(&trouble, wanted),
    };
    let now = of_rules(&found, wanted);
    match (set, now.state) {
        (Ok(()), State::Ok) => Finding::new(TOPIC, State::Fixed, format!("a rule was set; now {}", now.what)),
        (Ok(()), _) => Finding { what: format!("a rule was set, and {}", now.what), ..now },
        (Err(trouble), _) => {
            let why = if trouble.is_denied() { " (s3:PutLifecycleConfiguration)" } else { "" };
            Finding { what: format!("{}, and no rule could be set{why}: {trouble}", now.what), ..now }
        }
    }
}

#[cfg(test)]
mod tests {
    use towline_backends::s3::examine::Refused;

    use super::super::bucket::testing::wanted;
    use super::*;

    #[test]
    fn rules_that_may_not_be_read_are_unknown_unless_they_were_to_be_set() {
        let refused = |status| {
            Trouble::Refused(Refused { status, code: String::new(), message: String::new(), region: None })
        };
        let fix = Wanted { fix: true, ..wanted() };
        assert_eq!(of_silence(&refused(403), &wanted()).state, State::Unknown);
        assert_eq!(of_silence(&refused(403), &fix).state, State::Wrong);
        assert_eq!(of_silence(&refused(501), &fix).state, State::Unknown);
    }

    #[test]
    fn a_rule_must_be_there_and_not_be_too_early() {
        let with = |days| Lifecycle::none().with_ours("in/", days);
        let finding = of_rules(&Lifecycle::none(), &wanted());
        assert_eq!(
            (finding.state, finding.what.as_str()),
            (State::Missing, "the bucket has no lifecycle rules")
        );
        assert!(finding.cures[0].text.contains("\"DaysAfterInitiation\": 14"));
        assert_eq!(of_rules(&with(14), &wanted()).state, State::Ok);
        // Ours is replaced by --fix.
        assert_eq!(of_rules(&with(3), &wanted()).state, State::Missing);
        let mut theirs = with(3);
        theirs.document.children[0].children[0].text = "theirs".to_owned();
        assert_eq!(of_rules(&theirs, &wanted()).state, State::Wrong);
        let elsewhere = Lifecycle::none().with_ours("out/", 3);
        let finding = of_rules(&elsewhere, &wanted());
        assert_eq!(finding.what, "no rule of the bucket gives up uploads that nobody finishes");
    }
}
