//! From rates to heights: round steps, in a unit that people read.

/// What rates are shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    bytes: u64,
}

const UNITS: [Unit; 4] = [
    Unit { name: "GiB/s", bytes: 1 << 30 },
    Unit { name: "MiB/s", bytes: 1 << 20 },
    Unit { name: "KiB/s", bytes: 1 << 10 },
    Unit { name: "B/s", bytes: 1 },
];
/// At most so many steps.
const STEPS_MAX: u64 = 5;

#[derive(Debug)]
pub(super) struct Scale {
    pub(super) unit: Unit,
    /// In thousandths of the unit.
    step: u64,
    step_count: u64,
}

pub(super) struct Tick {
    pub(super) bytes_per_s: u64,
    pub(super) label: String,
}

impl Scale {
    pub(super) fn up_to(bytes_per_s: u64) -> Self {
        let unit = UNITS.into_iter().find(|unit| bytes_per_s >= unit.bytes).unwrap_or(UNITS[3]);
        let top = thousandths(bytes_per_s, unit).max(1);
        let step = round_step(top.div_ceil(STEPS_MAX));
        Self { unit, step, step_count: top.div_ceil(step) }
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = Tick> {
        (0..=self.step_count).map(|count| {
            let value = count * self.step;
            let bytes_per_s = u128::from(value) * u128::from(self.unit.bytes) / 1000;
            let bytes_per_s = u64::try_from(bytes_per_s).unwrap_or(u64::MAX);
            Tick { bytes_per_s, label: self.label(value) }
        })
    }

    /// A share of the full height.
    pub(super) fn height(&self, bytes_per_s: u64, full: usize) -> usize {
        let top = u128::from((self.step * self.step_count).max(1));
        let share = u128::from(thousandths(bytes_per_s, self.unit)) * full as u128 / top;
        usize::try_from(share).unwrap_or(full).min(full)
    }

    /// Three digits.
    pub(super) fn figure(&self, bytes_per_s: u64) -> String {
        let value = thousandths(bytes_per_s, self.unit);
        match value {
            0..10_000 => with_digits(value, 2),
            10_000..100_000 => with_digits(value, 1),
            _ => with_digits(value, 0),
        }
    }

    /// As many digits as the steps need.
    fn label(&self, value: u64) -> String {
        let digits = match self.step {
            0..10 => 3,
            10..100 => 2,
            100..1000 => 1,
            _ => 0,
        };
        with_digits(value, digits)
    }
}

fn thousandths(bytes_per_s: u64, unit: Unit) -> u64 {
    let value = u128::from(bytes_per_s) * 1000 / u128::from(unit.bytes);
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// The next of 1, 2, 5, 10, 20 …
fn round_step(least: u64) -> u64 {
    let mut power = 1;
    loop {
        if let Some(step) = [1, 2, 5].into_iter().map(|digit| digit * power).find(|step| *step >= least) {
            return step;
        }
        power *= 10;
    }
}

fn with_digits(thousandths: u64, digits: u32) -> String {
    let unit = 10_u64.pow(3 - digits);
    let rounded = (thousandths + unit / 2) / unit;
    let one = 10_u64.pow(digits);
    match digits {
        0 => rounded.to_string(),
        _ => format!("{}.{:0width$}", rounded / one, rounded % one, width = digits as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_reach_the_top() {
        for (top, unit, labels) in [
            (4_870_000 * 1024 / 1000, "MiB/s", "0 1 2 3 4 5"),
            (1 << 30, "GiB/s", "0.0 0.2 0.4 0.6 0.8 1.0"),
            (900 << 10, "KiB/s", "0 200 400 600 800 1000"),
            (1200 << 10, "MiB/s", "0.0 0.5 1.0 1.5"),
            (7, "B/s", "0 2 4 6 8"),
            (0, "B/s", "0.000 0.001"),
        ] {
            let scale = Scale::up_to(top);
            let found: Vec<String> = scale.ticks().map(|tick| tick.label).collect();
            assert_eq!((scale.unit.name, found.join(" ").as_str()), (unit, labels), "{top}");
            assert!(scale.height(top, 300) <= 300 && scale.height(0, 300) == 0);
        }
        assert_eq!(Scale::up_to(1 << 20).height(1 << 19, 300), 150);
        assert!(Scale::up_to(u64::MAX).height(u64::MAX, 300) > 200);
    }

    #[test]
    fn figures_have_three_digits() {
        let scale = Scale::up_to(2 << 20);
        for (kib, text) in [(1024, "1.00"), (1029, "1.00"), (12_800, "12.5"), (128_512, "126"), (5, "0.00")] {
            assert_eq!(scale.figure(kib << 10), text);
        }
    }
}
