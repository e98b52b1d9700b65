//! One run: a server, a bad line, a client, and the blows that fall on them; and at the end what lies under the key.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::client::{Client, Ending};
use super::plan::{Blow, Plan};
use super::subject::{Sha256Sum, Subject, sha256_of};
use crate::chaos::Chaos;
use crate::server::Server;

const KEY: &str = "the file.bin";
/// How often somebody gives the same command again after a refusal.
const TRIES: u32 = 3;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    runs: u64,
    clients_killed: u64,
    servers_killed: u64,
    changes: u64,
    refusals: u64,
    ended_refused: u64,
    retries: u64,
    faults: u64,
    sent_bytes: u64,
    pub(super) checks: u64,
}

impl Told {
    pub(super) fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.clients_killed += other.clients_killed;
        self.servers_killed += other.servers_killed;
        self.changes += other.changes;
        self.refusals += other.refusals;
        self.ended_refused += other.ended_refused;
        self.retries += other.retries;
        self.faults += other.faults;
        self.sent_bytes += other.sent_bytes;
        self.checks += other.checks;
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs, {} clients and {} servers killed, {} changes of the file, {} faults of the line, {} retries, \
             {} refusals, {} runs ended in one, {} MiB on the line",
            self.runs,
            self.clients_killed,
            self.servers_killed,
            self.changes,
            self.faults,
            self.retries,
            self.refusals,
            self.ended_refused,
            self.sent_bytes >> 20,
        )
    }
}

#[derive(Debug)]
pub(super) struct Run<'a> {
    program: &'a Path,
    folder: &'a Path,
    plan: &'a Plan,
    server: Option<Server>,
    /// What may lie under the key before anything of the file is finished.
    earlier: Option<Sha256Sum>,
    clients: u32,
    pub(super) told: Told,
}

impl<'a> Run<'a> {
    pub(super) fn new(program: &'a Path, folder: &'a Path, plan: &'a Plan) -> Self {
        let told = Told { runs: 1, ..Told::default() };
        Self { program, folder, plan, server: None, earlier: None, clients: 0, told }
    }

    pub(super) fn conduct(&mut self) -> anyhow::Result<()> {
        let mut subject = Subject::create(self.folder.join(KEY), self.plan.seed, self.plan.size_bytes)?;
        let address = self.serve(None)?;
        if self.plan.has_earlier {
            self.put_earlier(address)?;
        }
        let log = self.folder.join("chaos.log");
        let line = Chaos::start(self.program, address, &self.plan.line, &log)?;
        self.suffer(&mut subject, line.address())?;
        self.settle(&subject, line.address())?;
        let counts = line.end()?;
        self.told.faults += counts.faults;
        self.told.sent_bytes += counts.up_bytes;
        self.server.take().context("the server is gone")?.kill()?;
        let log = fs::read_to_string(self.server_log()).context("reading the server's log")?;
        ensure!(!log.contains("panicked"), "the server panicked");
        self.told.checks += 1;
        Ok(())
    }

    /// A client, and all the blows until it has ended.
    fn suffer(&mut self, subject: &mut Subject, line: SocketAddr) -> anyhow::Result<()> {
        let mut age = subject.age();
        let mut client = self.put(line, 0)?;
        for (after, blow) in &self.plan.blows {
            if let Some(ending) = client.wait_until(Instant::now() + *after)? {
                return self.check(ending, subject, age);
            }
            match blow {
                Blow::KillClient { is_elsewhere } => {
                    client.kill()?;
                    self.told.clients_killed += 1;
                    age = subject.age();
                    client = self.put(line, u8::from(*is_elsewhere))?;
                }
                Blow::KillServer { pause } => {
                    let server = self.server.take().context("the server is gone")?;
                    let address = server.address;
                    server.kill()?;
                    self.told.servers_killed += 1;
                    thread::sleep(*pause);
                    self.serve(Some(address))?;
                }
                Blow::Change(change) => {
                    subject.change(*change)?;
                    self.told.changes += 1;
                }
            }
        }
        let ending = client.wait()?;
        self.check(ending, subject, age)
    }

    /// When all is quiet the same command again brings the file as it is now, and it comes back.
    fn settle(&mut self, subject: &Subject, line: SocketAddr) -> anyhow::Result<()> {
        let age = subject.age();
        for _ in 0..TRIES {
            let ending = self.put(line, 0)?.wait()?;
            self.check(ending, subject, age)?;
            if ending != Ending::Refused {
                return self.get(subject, line);
            }
        }
        self.told.ended_refused += 1;
        Ok(())
    }

    /// What lies under the key after a client has ended that began when the file was so old.
    fn check(&mut self, ending: Ending, subject: &Subject, age: usize) -> anyhow::Result<()> {
        let found = sha256_of(&self.folder.join("data/completed").join(KEY))?;
        self.told.checks += 1;
        match ending {
            Ending::Done { retries } => {
                self.told.retries += retries;
                let is_right = found.is_some_and(|found| subject.since(age).contains(&found));
                ensure!(is_right, "done, and what lies there is not the file: {found:?}");
            }
            Ending::Refused => {
                self.told.refusals += 1;
                let is_known = |found| self.earlier == Some(found) || subject.since(0).contains(&found);
                ensure!(found.is_none_or(is_known), "refused, and something wrong lies there: {found:?}");
            }
        }
        Ok(())
    }

    fn get(&mut self, subject: &Subject, line: SocketAddr) -> anyhow::Result<()> {
        let copy = self.folder.join("copy");
        for _ in 0..TRIES {
            let mut command = self.towline(0);
            command.args(["get", "--json", KEY]).arg(&copy).arg(format!("--server=http://{line}"));
            let ending = self.client(&mut command)?.wait()?;
            let found = sha256_of(&copy)?;
            self.told.checks += 1;
            if let Ending::Done { .. } = ending {
                ensure!(
                    found.as_ref() == subject.since(subject.age()).first(),
                    "got something else: {found:?}"
                );
                return Ok(());
            }
            self.told.refusals += 1;
            ensure!(found.is_none(), "the get was refused, and there is a file");
        }
        self.told.ended_refused += 1;
        Ok(())
    }

    fn put_earlier(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let folder = self.folder.join("earlier");
        fs::create_dir(&folder).context("making a folder")?;
        let earlier = Subject::create(folder.join(KEY), !self.plan.seed, 1_000_000)?;
        self.earlier = earlier.since(0).first().copied();
        let mut command = self.towline(0);
        command.args(["put", "--json"]).arg(&earlier.path).arg(format!("http://{address}"));
        let ending = self.client(&mut command)?.wait()?;
        self.check(ending, &earlier, 0)?;
        ensure!(ending != Ending::Refused, "a file was refused on a good line");
        Ok(())
    }

    fn put(&mut self, line: SocketAddr, who: u8) -> anyhow::Result<Client> {
        let mut command = self.towline(who);
        command.args(["put", "--json"]).arg(format!("--part-size={}", self.plan.part_bytes));
        if let Some(workers) = self.plan.workers {
            command.arg(format!("--workers={workers}"));
        }
        self.client(command.arg(self.folder.join(KEY)).arg(format!("http://{line}")))
    }

    fn client(&mut self, command: &mut Command) -> anyhow::Result<Client> {
        self.clients += 1;
        Client::start(command, self.folder, &format!("client-{}", self.clients))
    }

    /// As somebody with a home of their own.
    fn towline(&self, who: u8) -> Command {
        let mut command = Command::new(self.program);
        command.env_clear().env("HOME", self.folder.join(format!("home-{who}")));
        command
    }

    fn serve(&mut self, again: Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
        let listen = again.map_or_else(|| "127.0.0.1:0".to_owned(), |address| address.to_string());
        let mut command = Command::new(self.program);
        command.env_clear().args(["serve", "--disk-sync=false", "--listen", &listen, "--data"]);
        let server = Server::start(command.arg(self.folder.join("data")), &self.server_log())?;
        let address = server.address;
        self.server = Some(server);
        Ok(address)
    }

    fn server_log(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}
