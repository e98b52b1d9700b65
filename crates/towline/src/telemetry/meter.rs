//! Counters of the listener: connections, bytes, requests. What the engine counts is its own tally.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use towline_doors::ServedBy;

/// Upper ends of the buckets, in seconds.
pub(super) const BUCKETS_S: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0, 1800.0];

/// What a request is counted under. Bounded: names of doors, and five classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label {
    pub(super) door: &'static str,
    /// 2 for 2xx.
    pub(super) class: u16,
}

/// Requests of one label.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    /// Each counts its own bucket only; the last is for all that took longer.
    pub(super) counts: [u64; BUCKETS_S.len() + 1],
    pub(super) sum_s: f64,
}

/// Counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(super) received_bytes: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) open_connections: AtomicU64,
    pub(super) open_requests: AtomicU64,
    requests: Mutex<BTreeMap<Label, Histogram>>,
}

/// Something that is open for as long as this lives.
#[derive(Debug)]
pub(crate) struct Open {
    meter: Arc<Meter>,
    gauge: fn(&Meter) -> &AtomicU64,
}

impl Open {
    fn new(meter: &Arc<Meter>, gauge: fn(&Meter) -> &AtomicU64) -> Self {
        gauge(meter).fetch_add(1, Ordering::Relaxed);
        Self { meter: Arc::clone(meter), gauge }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        (self.gauge)(&self.meter).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Meter {
    pub(crate) fn open_connection(self: &Arc<Self>) -> Open {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Open::new(self, |meter| &meter.open_connections)
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_request(&self, label: Label, took: Duration) {
        let took_s = took.as_secs_f64();
        let bucket = BUCKETS_S.iter().position(|end| took_s <= *end);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = requests.entry(label).or_default();
        histogram.counts[bucket.unwrap_or(BUCKETS_S.len())] += 1;
        histogram.sum_s += took_s;
    }

    pub(super) fn requests(&self) -> BTreeMap<Label, Histogram> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts a request when its reply begins.
pub(crate) async fn observe(State(meter): State<Arc<Meter>>, request: Request, next: Next) -> Response {
    let _open = Open::new(&meter, |meter| &meter.open_requests);
    let began = Instant::now();
    let response = next.run(request).await;
    let label = Label {
        door: response.extensions().get().map_or("none", |ServedBy(door)| door),
        class: response.status().as_u16() / 100,
    };
    meter.add_request(label, began.elapsed());
    response
}
