//! How often the state of a run is saved.

use std::time::{Duration, Instant};

/// The least time from one state of a run to the next: what a crash may cost.
const INTERVAL: Duration = Duration::from_millis(500);

/// A slow disk is asked less often: saving takes at most one part in so many of the time.
const LEAST_SHARE: u32 = 50;

/// How often the state of a run is saved.
#[derive(Debug)]
pub struct Pace {
    saved: Instant,
    pause: Duration,
}

impl Pace {
    /// Begins now.
    pub fn begin() -> Self {
        Self { saved: Instant::now(), pause: INTERVAL }
    }

    /// Whether it is time to save.
    pub fn is_due(&self) -> bool {
        self.saved.elapsed() >= self.pause
    }

    /// The state was saved, which began at `start`.
    pub fn saved(&mut self, start: Instant) {
        self.saved = Instant::now();
        self.pause = INTERVAL.max(LEAST_SHARE * start.elapsed());
    }
}
