//! Where this machine keeps what it has begun: the state folder of the XDG rules.

use std::path::PathBuf;

use towline_client::bucket::Surroundings;
use towline_client::journal::{Broken, Journal};

/// The journal of the person who runs this. Without a home there is none.
pub(crate) fn open_journal(surroundings: &Surroundings) -> Result<Journal, Broken> {
    let folder = state_folder(surroundings)
        .ok_or_else(|| Broken { what: "there is no home folder, and no XDG_STATE_HOME".to_owned() })?;
    Journal::open(folder.join("towline"))
}

fn state_folder(surroundings: &Surroundings) -> Option<PathBuf> {
    let said = surroundings.variables.get("XDG_STATE_HOME").map(PathBuf::from);
    // The rules say that a relative one is to be ignored.
    let said = said.filter(|folder| folder.is_absolute());
    said.or_else(|| Some(surroundings.home.as_ref()?.join(".local/state")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_where_the_rules_say() {
        let mut surroundings = Surroundings::default();
        assert_eq!(state_folder(&surroundings), None);
        surroundings.home = Some("/people/a".into());
        assert_eq!(state_folder(&surroundings), Some("/people/a/.local/state".into()));
        for (said, folder) in [
            ("/var/state", "/var/state"),
            ("relative", "/people/a/.local/state"),
            ("", "/people/a/.local/state"),
        ] {
            surroundings.variables.insert("XDG_STATE_HOME".into(), said.into());
            assert_eq!(state_folder(&surroundings), Some(folder.into()));
        }
    }
}
