//! What must be true after whatever was done to a server.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use super::server::Server;

/// A server in a folder of its own, which is looked at when the test is over.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) data: TempDir,
    pub(crate) server: Server,
}

impl House {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start_with(data.path(), |command| {
            command.args(arguments);
        });
        Self { data, server }
    }

    /// It lives, had no incident, and keeps nothing but open uploads and finished files.
    #[track_caller]
    pub(crate) fn check(mut self) {
        assert_eq!(self.server.get("/health").status, 200);
        let open = self.ids("in_progress").union(&self.ids("failed")).cloned().collect::<BTreeSet<_>>();
        let staged = fs::read_dir(self.data.path().join("staging")).unwrap();
        let staged: BTreeSet<String> =
            staged.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(staged, open);
        let log = self.server.kill();
        let incidents: Vec<&str> = log.lines().filter(|line| is_incident(line)).collect();
        assert_eq!(incidents, Vec::<&str>::new());
    }

    /// The uploads of this status.
    fn ids(&self, status: &str) -> BTreeSet<String> {
        let (mut ids, mut page) = (BTreeSet::new(), String::new());
        loop {
            let reply = self.server.get(&format!("/sessions?status={status}&limit=1000{page}")).ok();
            let sessions = reply["sessions"].as_array().unwrap();
            ids.extend(sessions.iter().map(|session| session["session_id"].as_str().unwrap().to_owned()));
            let Some(next) = reply["next"].as_str() else {
                return ids;
            };
            page = format!("&after={next}");
        }
    }
}

fn is_incident(line: &str) -> bool {
    line.contains(" ERROR ") || line.contains(" WARN ") || line.contains("panicked")
}
