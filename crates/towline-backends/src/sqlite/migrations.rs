//! Brings a database to this version's tables. A migration that was ever released is never edited: the text's
//! checksum is kept beside its name, and a database that knows more than this version is left alone.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use towline_core::digest::{Digest, Digester};

use super::OpenError;

#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In the order in which they are applied.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001_uploads", sql: include_str!("../../migrations/sqlite/0001_uploads.sql") },
    Migration {
        name: "0002_direct_parts",
        sql: include_str!("../../migrations/sqlite/0002_direct_parts.sql"),
    },
];

impl Migration {
    fn checksum(&self) -> String {
        let mut digester = Digester::new([]);
        digester.update(self.sql.as_bytes());
        Digest::of_crc64(digester.finish().crc64).to_hex()
    }
}

/// Applies what is missing, all of it or nothing.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    known: &[Migration],
) -> Result<(), OpenError> {
    let failed = |error| OpenError::failed(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let missing = missing(&transaction, path, known)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL) STRICT",
        )
        .map_err(failed)?;
    for migration in missing {
        transaction.execute_batch(migration.sql).map_err(failed)?;
        transaction
            .execute("INSERT INTO migrations VALUES (?1, ?2)", (migration.name, migration.checksum()))
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Refuses a database that would have to be migrated first.
pub(super) fn check(connection: &Connection, path: &Path, known: &[Migration]) -> Result<(), OpenError> {
    match missing(connection, path, known)?.first() {
        Some(migration) => {
            Err(OpenError::Older { path: path.to_owned(), migration: migration.name.to_owned() })
        }
        None => Ok(()),
    }
}

fn missing(connection: &Connection, path: &Path, known: &[Migration]) -> Result<Vec<Migration>, OpenError> {
    let applied = applied(connection).map_err(|error| OpenError::failed(path, error))?;
    for (name, checksum) in &applied {
        let Some(migration) = known.iter().find(|migration| migration.name == name) else {
            return Err(OpenError::Newer { path: path.to_owned(), migration: name.clone() });
        };
        if migration.checksum() != *checksum {
            return Err(OpenError::Altered { path: path.to_owned(), migration: name.clone() });
        }
    }
    let is_missing = |migration: &&Migration| applied.iter().all(|(name, _)| name != migration.name);
    Ok(known.iter().filter(is_missing).copied().collect())
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    if !connection.table_exists(None, "migrations")? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT name, checksum FROM migrations ORDER BY name")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration =
        Migration { name: "0001_a", sql: "CREATE TABLE a (x); INSERT INTO a VALUES (1);" };
    const SECOND: Migration = Migration { name: "0002_b", sql: "ALTER TABLE a ADD COLUMN y DEFAULT 2;" };
    const BROKEN: Migration =
        Migration { name: "0003_c", sql: "CREATE TABLE c (x); INSERT INTO nowhere VALUES (1);" };

    fn run(connection: &mut Connection, known: &[Migration]) -> Result<(), OpenError> {
        migrate(connection, Path::new("c.db"), known)
    }

    #[test]
    fn an_older_database_gets_what_it_lacks_and_keeps_what_it_holds() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, &[FIRST]).unwrap();
        let older = check(&connection, Path::new("c.db"), &[FIRST, SECOND]);
        assert!(matches!(older, Err(OpenError::Older { migration, .. }) if migration == "0002_b"));
        run(&mut connection, &[FIRST, SECOND]).unwrap();
        run(&mut connection, &[FIRST, SECOND]).unwrap();
        check(&connection, Path::new("c.db"), &[FIRST, SECOND]).unwrap();
        let row = connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row, Ok((1, 2)));
    }

    #[test]
    fn a_newer_database_is_refused_with_what_to_do() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, &[FIRST, SECOND]).unwrap();
        let refused = run(&mut connection, &[FIRST]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the catalog c.db was written by a newer Towline: it has the migration 0002_b, which this version \
             does not know. Start that version or a later one; nothing was changed"
        );
    }

    #[test]
    fn a_migration_that_was_edited_later_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, &[FIRST]).unwrap();
        let edited = Migration { sql: "CREATE TABLE a (x, y)", ..FIRST };
        assert!(matches!(run(&mut connection, &[edited]), Err(OpenError::Altered { .. })));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_database_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, &[FIRST]).unwrap();
        assert!(matches!(run(&mut connection, &[FIRST, SECOND, BROKEN]), Err(OpenError::Failed { .. })));
        run(&mut connection, &[FIRST]).unwrap();
        assert!(!connection.table_exists(None, "c").unwrap());
    }
}
