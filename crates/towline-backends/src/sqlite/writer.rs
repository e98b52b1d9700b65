//! The one thread that writes. It commits together whatever has queued up while the disk was busy with the commit
//! before, so that many facts share one wait for the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, DEFAULT_NAME, Transaction, TransactionBehavior};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use towline_core::{Fault, FaultKind};

use super::connection::{BUSY_WAIT, fault};

const QUEUE_MAX: usize = 1024;
const BATCH_MAX: usize = 512;
/// How many pages the log grows before they are copied into the database: 16 MiB.
const CHECKPOINT_PAGES: i32 = 4096;
/// From here on readers are asked to make way, so that the log can begin anew: 128 MiB.
const LOG_PAGES_MAX: i32 = 8 * CHECKPOINT_PAGES;
/// How long facts may have to wait for those readers.
const RESTART_WAIT: Duration = Duration::from_millis(100);
const LINGER_MAX: Duration = Duration::from_millis(5);
const LINGER_STEP: Duration = Duration::from_micros(50);

/// Hands work to the thread. Dropping it lets the thread end once its queue is empty.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Error)]
#[error("the catalog was closed")]
struct Closed;

/// Work of any outcome, as the thread sees it. It runs again when another job of its batch failed.
trait Job: Send {
    fn run(&mut self, transaction: &Connection) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>);
}

struct Task<W, T> {
    doing: &'static str,
    work: W,
    value: Option<T>,
    asker: oneshot::Sender<Result<T, Fault>>,
}

impl<W, T> Job for Task<W, T>
where
    W: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, transaction: &Connection) -> rusqlite::Result<()> {
        let work = &mut self.work;
        // A panic is its own job's fault: nothing of the transaction stays, and the thread lives on.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(transaction)));
        self.value = Some(outcome.unwrap_or(Err(rusqlite::Error::UnwindingPanic))?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>) {
        let outcome = match committed {
            Ok(()) => Ok(self.value.expect("a job has run before its batch commits")),
            Err(error) => Err(fault(self.doing, error)),
        };
        // Whoever asked may be gone; what was committed stands.
        self.asker.send(outcome).ok();
    }
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, std::io::Error> {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("catalog writer".to_owned())
            .spawn(move || Committer::new(connection).run(jobs))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Returns once the work is committed, durably. `work` may run more than once, only the last time counts.
    pub(super) async fn write<T, W>(&self, doing: &'static str, work: W) -> Result<T, Fault>
    where
        W: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let closed = || Fault::new(FaultKind::Unavailable, doing, Closed);
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        let (asker, answer) = oneshot::channel();
        let job = Box::new(Task { doing, work, value: None, asker });
        queue.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Takes no more work and waits until what was queued is done.
    pub(super) async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has nothing left to finish.
            tokio::task::spawn_blocking(move || thread.join().is_ok()).await.ok();
        }
    }
}

/// Why a batch was not committed.
enum Failure {
    /// One job failed; the others may do without it.
    OfOne(rusqlite::Error),
    /// No job is to blame: the file is held by others, or the disk took nothing.
    OfAll(rusqlite::Error),
}

/// What lives on the thread.
struct Committer {
    connection: Connection,
    /// How many pages the log held after the last commit.
    log_pages: Arc<AtomicI32>,
    /// How many it held when they were last copied into the database.
    checkpointed_pages: i32,
}

impl Committer {
    fn new(connection: Connection) -> Self {
        Self { connection, log_pages: Arc::default(), checkpointed_pages: 0 }
    }

    fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let log_pages = Arc::clone(&self.log_pages);
        // This also ends SQLite's own checkpoints, which would hold up the answers of the batch that commits.
        let hook = move |_: &mut _, pages| {
            log_pages.store(pages, Ordering::Relaxed);
            Ok(())
        };
        self.connection.wal_hook(Some(hook)).expect("hooking into an open connection only allocates");
        let mut expected = 1;
        let mut linger = Duration::ZERO;
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while jobs.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            gather(&mut jobs, &mut batch, expected, linger);
            let answered = batch.len();
            let began = Instant::now();
            self.commit(std::mem::take(&mut batch));
            linger = LINGER_MAX.min(began.elapsed() / 4);
            expected = answered + jobs.len();
            self.checkpoint();
        }
        // So that the next start finds no log to read. It works without: a killed server is a normal one.
        self.connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::TRUNCATE).ok();
    }

    /// Commits all jobs at once. If one fails, nothing of the batch has happened; both halves are then tried on
    /// their own, until the one that fails is alone.
    fn commit(&self, mut jobs: Vec<Box<dyn Job>>) {
        match self.transact(&mut jobs) {
            Ok(()) => {
                for job in jobs {
                    job.answer(Ok(()));
                }
            }
            Err(Failure::OfOne(_)) if jobs.len() > 1 => {
                let rest = jobs.split_off(jobs.len() / 2);
                self.commit(jobs);
                self.commit(rest);
            }
            Err(Failure::OfOne(error) | Failure::OfAll(error)) => {
                let error = Arc::new(error);
                for job in jobs {
                    job.answer(Err(Arc::clone(&error)));
                }
            }
        }
    }

    fn transact(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(Failure::OfAll)?;
        for job in jobs {
            job.run(&transaction).map_err(Failure::OfOne)?;
        }
        transaction.commit().map_err(Failure::OfAll)
    }

    /// Keeps the log short. A checkpoint that fails is tried again later; commits say themselves when there is
    /// no room left.
    fn checkpoint(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        self.checkpointed_pages = self.checkpointed_pages.min(pages);
        if pages - self.checkpointed_pages < CHECKPOINT_PAGES {
            return;
        }
        self.checkpointed_pages = pages;
        if pages < LOG_PAGES_MAX {
            self.connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::PASSIVE).ok();
        } else {
            self.connection.busy_timeout(RESTART_WAIT).ok();
            self.connection.wal_checkpoint_v2(DEFAULT_NAME, CheckpointMode::RESTART).ok();
            self.connection.busy_timeout(BUSY_WAIT).ok();
        }
    }
}

/// Waits for those who are expected back, but not for long. Whoever was just answered often has the next fact at
/// once; without the wait half of them always miss the commit that the other half is in, and each commit costs
/// the disk the same.
fn gather(
    jobs: &mut mpsc::Receiver<Box<dyn Job>>,
    batch: &mut Vec<Box<dyn Job>>,
    expected: usize,
    linger: Duration,
) {
    let began = Instant::now();
    while batch.len() < expected.min(BATCH_MAX) && began.elapsed() < linger {
        std::thread::sleep(LINGER_STEP);
        while batch.len() < BATCH_MAX
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::channel;

    use super::super::connection::open_writer;
    use super::*;

    fn start(folder: &Path, prepare: &str) -> Writer {
        let connection = open_writer(&folder.join("catalog.db")).unwrap();
        connection.execute_batch("CREATE TABLE numbers (number INTEGER PRIMARY KEY, room BLOB)").unwrap();
        connection.execute_batch(prepare).unwrap();
        Writer::start(connection).unwrap()
    }

    async fn add(writer: &Writer, number: i64) -> Result<usize, FaultKind> {
        let added = writer.write("adding", move |transaction| {
            transaction.execute("INSERT INTO numbers (number) VALUES (?1)", [number])
        });
        added.await.map_err(|fault| fault.kind())
    }

    async fn numbers(writer: &Writer) -> Vec<i64> {
        let numbers = writer.write("reading", |transaction| {
            let mut statement = transaction.prepare("SELECT number FROM numbers ORDER BY number")?;
            statement.query_map([], |row| row.get(0))?.collect()
        });
        numbers.await.unwrap()
    }

    #[tokio::test]
    async fn a_job_that_fails_or_panics_spoils_no_other_of_its_batch() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path(), "INSERT INTO numbers (number) VALUES (2)");
        let (release, released) = channel::<()>();
        // The thread is held until all others have queued up behind, so that they are one batch.
        let hold = writer.write("holding", move |_| Ok(released.recv().is_ok()));
        let panics = async {
            let work = |transaction: &Connection| -> rusqlite::Result<()> {
                transaction.execute("INSERT INTO numbers (number) VALUES (100)", [])?;
                panic!("on purpose")
            };
            writer.write("panicking", work).await.map_err(|fault| fault.kind())
        };
        let (_, one, again, panicked, three, ()) =
            tokio::join!(hold, add(&writer, 1), add(&writer, 2), panics, add(&writer, 3), async move {
                release.send(()).unwrap();
            },);
        assert_eq!((one, three), (Ok(1), Ok(1)));
        assert_eq!((again, panicked), (Err(FaultKind::Internal), Err(FaultKind::Internal)));
        assert_eq!(numbers(&writer).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn on_a_full_disk_what_has_no_room_is_told_so_and_the_rest_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path(), "PRAGMA max_page_count = 20");
        let large = writer.write("filling", |transaction| {
            transaction.execute("INSERT INTO numbers (room) VALUES (zeroblob(1000000))", [])
        });
        let (one, large, two) = tokio::join!(add(&writer, 1), large, add(&writer, 2));
        assert_eq!(large.unwrap_err().kind(), FaultKind::Full);
        assert_eq!((one, two), (Ok(1), Ok(1)));
        assert_eq!(numbers(&writer).await, [1, 2]);
    }

    #[tokio::test]
    async fn a_file_held_by_others_is_a_fault_of_the_whole_batch_and_passes() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path(), "PRAGMA busy_timeout = 0");
        let other = open_writer(&folder.path().join("catalog.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let outcomes = tokio::join!(add(&writer, 1), add(&writer, 2));
        assert_eq!(outcomes, (Err(FaultKind::Unavailable), Err(FaultKind::Unavailable)));
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(add(&writer, 3).await, Ok(1));
    }

    #[tokio::test]
    async fn the_log_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(folder.path(), "");
        let megabyte: i64 = 1024 * 1024;
        for number in 0..64 {
            let written = writer.write("filling", move |transaction| {
                transaction.execute("REPLACE INTO numbers VALUES (?1, zeroblob(?2))", (number % 4, megabyte))
            });
            written.await.unwrap();
        }
        let log = folder.path().join("catalog.db-wal");
        let log_bytes = std::fs::metadata(&log).unwrap().len();
        assert!(log_bytes < 20 * u64::try_from(megabyte).unwrap(), "{log_bytes}");
        writer.close().await;
        assert!(std::fs::metadata(&log).map_or(0, |log| log.len()) == 0);
    }
}
