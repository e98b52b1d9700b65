//! A few seeded lives over lines of every kind of badness, with kills; `cargo xtask soak put` has many more.

use fastrand::Rng;

use super::stage::{Chaos, MIB, Person, Stage, refused};
use crate::support::noise;

#[test]
fn whatever_befalls_a_line_the_right_bytes_arrive_or_nothing_does() {
    for seed in 1..=8 {
        let mut rng = Rng::with_seed(seed);
        let (stage, people) = (Stage::new(), [Person::new(), Person::new()]);
        let file = noise(seed, rng.usize(1..8 * MIB));
        for person in &people {
            person.write("file.bin", &file);
        }
        let chaos = Chaos::start(&stage.url(), &line(&mut rng, seed).each_ref().map(String::as_str));
        let parts = file.len().div_ceil(512 * 1024);
        for _ in 0..rng.usize(..3) {
            let order = ["put", "--json", "--part-size=512KiB", "file.bin", chaos.url()];
            let mut client = people[rng.usize(..2)].start(&order);
            if parts > 4 {
                client.wait_for_parts(1);
            }
            client.kill();
        }
        let mut refusals = 0;
        while refusals < 3 {
            let ended = people[0].run(&["put", "--quiet", "--part-size=512KiB", "file.bin", chaos.url()]);
            if ended.code == Some(0) {
                stage.assert_arrived("file.bin", &file);
                break;
            }
            refused(ended);
            assert!(!stage.path_of("file.bin").exists(), "{seed}");
            refusals += 1;
        }
    }
}

fn line(rng: &mut Rng, seed: u64) -> [String; 6] {
    [
        format!("--seed={seed}"),
        format!("--latency={}ms", rng.u8(..10)),
        format!("--cut-every={}KiB", rng.u32(500..6000)),
        format!("--error-rate={}%", rng.u8(..15)),
        format!("--swallow-rate={}%", rng.u8(..10)),
        format!("--loss={}%", f64::from(rng.u8(..10)) / 100.0),
    ]
}
