//! Random lives of uploads over the memory doubles. `TOWLINE_STORY_SEEDS` sets how many, `TOWLINE_STORY_SEED`
//! plays one again.

use towline_core::testing::story;

#[expect(clippy::disallowed_methods, reason = "how many stories are told is asked of whoever runs them")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

#[test]
fn every_story_ends_well() {
    if let Some(seed) = asked("TOWLINE_STORY_SEED") {
        story::run(seed);
        return;
    }
    let seeds = asked("TOWLINE_STORY_SEEDS").unwrap_or(2_000);
    (0..seeds).for_each(story::run);
}
