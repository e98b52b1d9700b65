//! The thread that writes. A terminal that was stopped and a reader that does not read halt it, and nothing else.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::bars::{Bars, Frame};
use super::files::Files;
use super::queue::{Channel, Piece};
use super::{Named, Style};
use crate::output;

const TICK: Duration = Duration::from_millis(200);
/// How long a reader may take nothing at the end before it is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Teller {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    /// Who stopped a terminal wants to read on: it is waited for as long as it takes.
    is_patient: bool,
}

#[derive(Debug)]
struct Shared {
    begun: Instant,
    state: Mutex<State>,
    /// There is no point in waiting for the next tick.
    wake: Condvar,
    /// Something was written.
    written: Condvar,
}

#[derive(Debug)]
struct State {
    files: Files,
    /// When the work ended: there is nothing to show any more, and what is still said is waited for.
    over_at: Option<Duration>,
    /// Somebody waits until all is said.
    is_awaited: bool,
    is_closed: bool,
    /// How many pieces were written.
    steps: u64,
    /// The reader took nothing for too long since then.
    stuck_at: Option<u64>,
    error: Option<anyhow::Error>,
    /// There was an error: those that follow say nothing new.
    has_failed: bool,
}

impl Teller {
    pub(super) fn start(style: Style, named: Vec<Named>) -> io::Result<Self> {
        let mut bars = Bars::new(style == Style::Bars, named.len());
        let state = State {
            files: Files::new(style, named),
            over_at: None,
            is_awaited: false,
            is_closed: false,
            steps: 0,
            stuck_at: None,
            error: None,
            has_failed: false,
        };
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            state: Mutex::new(state),
            wake: Condvar::new(),
            written: Condvar::new(),
        });
        let thread = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("teller".to_owned()).spawn(move || shared.run(&mut bars))?
        };
        Ok(Self { shared, thread, is_patient: style == Style::Bars })
    }

    /// How long the work has taken by now, without what its reader takes after the end.
    pub(super) fn took(&self) -> Duration {
        self.shared.state().over_at.unwrap_or_else(|| self.shared.begun.elapsed())
    }

    /// Looks at the files, or changes what is known of them. Nobody writes meanwhile, so that this is short.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Files) -> T) -> T {
        work(&mut self.shared.state().files)
    }

    /// Writes a text in its turn; after the end, waits until that is done.
    pub(super) fn say(&self, to: Channel, text: &str) {
        let is_over = {
            let mut state = self.shared.state();
            state.files.queue.push(to, text);
            state.over_at.is_some()
        };
        if is_over {
            self.settle();
        }
    }

    /// Takes the bars away, and waits until all is said.
    pub(super) fn end(&self) {
        self.shared.state().over_at.get_or_insert_with(|| self.shared.begun.elapsed());
        self.settle();
    }

    /// Why something could not be written to standard output, once.
    pub(super) fn error(&self) -> Option<anyhow::Error> {
        self.shared.state().error.take()
    }

    fn settle(&self) {
        let mut state = self.shared.state();
        state.is_awaited = true;
        self.shared.wake.notify_one();
        while state.is_awaited && state.stuck_at != Some(state.steps) && !self.thread.is_finished() {
            let before = state.steps;
            let waited = self.shared.written.wait_timeout(state, PATIENCE);
            let (after, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = after;
            if waited.timed_out() && state.steps == before && !self.is_patient {
                state.stuck_at = Some(before);
            }
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        // The thread is not waited for: all that matters was, and the reader may never come back.
        self.shared.state().is_closed = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, bars: &mut Bars) {
        while self.wait() {
            let frame = self.look(bars);
            while let Some(piece) = self.next() {
                let written = bars.beside(|| write(&piece));
                self.note(written);
            }
            if let Some(frame) = frame {
                bars.draw(frame);
            }
            self.rest();
        }
    }

    /// Until the next tick. Whether there will be more to say.
    fn wait(&self) -> bool {
        let is_idle = |state: &mut State| !state.is_awaited && !state.is_closed;
        let waited = self.wake.wait_timeout_while(self.state(), TICK, is_idle);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.is_closed || !state.files.queue.is_empty()
    }

    fn look(&self, bars: &Bars) -> Option<Frame> {
        let mut state = self.state();
        if state.over_at.is_some() {
            drop(state);
            bars.clear();
            return None;
        }
        state.files.show(self.begun.elapsed())
    }

    fn next(&self) -> Option<Piece> {
        self.state().files.queue.pop()
    }

    fn note(&self, written: anyhow::Result<()>) {
        let mut state = self.state();
        state.steps += 1;
        if let Err(error) = written {
            if !state.has_failed {
                state.error = Some(error);
            }
            state.has_failed = true;
        }
        self.written.notify_all();
    }

    fn rest(&self) {
        let mut state = self.state();
        state.is_awaited = state.is_awaited && !state.files.queue.is_empty();
        self.written.notify_all();
    }
}

fn write(piece: &Piece) -> anyhow::Result<()> {
    match piece.to {
        Channel::Data => output::data(&piece.text),
        Channel::Words => {
            output::say(&piece.text);
            Ok(())
        }
    }
}
