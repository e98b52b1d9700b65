//! Random lives of one upload, seeded: clients that send, repeat, cut, stall and lie at once, a store and a catalog
//! that fail and dawdle, and power losses in the middle, all compared with a plain model.
//!
//! What must hold: an acknowledged part or offset is there after every crash, every recorded byte reads back
//! as it was digested, an object is what was recorded, and in the end the file is what was sent.

mod client;
mod life;
mod model;

use std::time::Duration;

use crate::plan::Plan;
use crate::policy::Policy;
use crate::testing::faulty::Odds;
use life::Life;

/// How a life is made from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) content: Vec<u8>,
    pub(crate) plan: Plan,
    pub(crate) rounds: u32,
    pub(crate) clients: u32,
    pub(crate) odds: Odds,
}

impl Script {
    fn write(rng: &mut fastrand::Rng) -> Self {
        let size = if rng.u8(0..10) == 0 { 0 } else { rng.usize(1..200) };
        let content: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(size).collect();
        let total = size as u64;
        let plan = match rng.u8(0..10) {
            0..6 => Plan::Even { part_bytes: rng.u64(7..60), total_bytes: Some(total) },
            6..8 => Plan::Even { part_bytes: rng.u64(7..60), total_bytes: None },
            _ => Plan::Free { total_bytes: Some(total) },
        };
        let is_calm = rng.u8(0..4) == 0;
        let percent = |rng: &mut fastrand::Rng, max| if is_calm { 0 } else { rng.u8(0..max) };
        let odds =
            Odds { fails_before: percent(rng, 6), fails_after: percent(rng, 6), is_slow: rng.u8(0..40) };
        Self { content, plan, rounds: rng.u32(1..5), clients: rng.u32(1..6), odds }
    }

    /// How many slots the content has, and the bytes of each; a free plan is cut like an even one of 33 bytes.
    pub(crate) fn slots(&self) -> Vec<&[u8]> {
        let part_bytes = match self.plan {
            Plan::Even { part_bytes, .. } => usize::try_from(part_bytes).expect("small"),
            Plan::Free { .. } => 33,
        };
        self.content.chunks(part_bytes).collect()
    }
}

fn policy() -> Policy {
    Policy {
        frame_wait: Duration::from_secs(20),
        bodies_max: 16,
        free_part_bytes_min: 1,
        ..Policy::default()
    }
}

/// Lives one life. Panics with the seed where something does not hold.
pub fn run(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let script = Script::write(&mut rng);
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Life::new(seed, script.clone(), rng).live();
    }));
    if let Err(cause) = lived {
        panic!(
            "story {seed} ends badly: {}\nits script: {:?} in {} rounds of {} clients, {:?}",
            text_of(&*cause),
            script.plan,
            script.rounds,
            script.clients,
            script.odds,
        );
    }
}

fn text_of(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().cloned();
    text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
