//! What the other end makes of the part sizes that are asked for, and which combinations follow.

use super::{Case, Grant, Plan};

/// Every combination once, by workers and then by part size: memory that many workers needed is not given back at once,
/// and would be in the figures of few. Sizes that became the same one are measured once.
pub(super) fn cases(plan: &Plan, grants: &[Grant]) -> Vec<Case> {
    let sizes = grants.iter().map(|grant| grant.part_bytes);
    let pairs = sizes.flat_map(|part_bytes| {
        plan.workers.iter().map(move |workers| Case { part_bytes, workers: *workers })
    });
    let mut cases: Vec<Case> = pairs.collect();
    cases.sort_unstable_by_key(|case| (case.workers, case.part_bytes));
    cases.dedup();
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_the_same_is_measured_once() {
        let plan = Plan { part_sizes: vec![10, 1, 5], workers: vec![4, 1, 4], size_bytes: 100, repeat: 1 };
        let grant = |asked_bytes, part_bytes| Grant { asked_bytes, part_bytes };
        let cases = cases(&plan, &[grant(10, 10), grant(1, 5), grant(5, 5)]);
        let pairs: Vec<(u64, usize)> = cases.iter().map(|case| (case.part_bytes, case.workers)).collect();
        assert_eq!(pairs, [(5, 1), (10, 1), (5, 4), (10, 4)]);
    }
}
