//! Sealing: the landed parts become one durable file, and the file becomes visible under its key.
//!
//! Every step can be cut short by a crash and done again. The upload's files stay in its staging folder until it
//! is discarded: the finished file is linked to its key, not moved there, so that a repeated seal finds it, sees
//! that it is the one that is published, and changes nothing.

use towline_core::error::{Fault, FaultKind};
use towline_core::key::Key;
use towline_core::store::{Place, Seal};
use towline_core::upload::Part;

use super::assembly::{Assembly, Base, Piece};
use super::completed::Completed;
use super::files::{File, Folder};
use super::position::JOINING;
use super::staging::{Staging, missing};

pub(super) fn seal(
    staging: &Staging,
    completed: &Completed,
    place: &Place,
    key: &Key,
    parts: &[Part],
) -> Result<Seal, Fault> {
    if let Some(obstacle) = completed.obstacle(key)? {
        return Ok(Seal::Blocked(obstacle));
    }
    let assembly = Assembly::of(parts)?;
    let folder = staging.folder(place)?;
    let (name, file) = match &assembly.base {
        Base::InPlace { file: name, size_bytes } => {
            let file = open_base(&folder, name, *size_bytes)?;
            if !completed.is_published(key, &file)? {
                finish_in_place(&folder, &file, &assembly)?;
            }
            (name, file)
        }
        Base::Joined { file: name } => (name, join(&folder, name, &assembly)?),
    };
    expect_bytes(&file, assembly.total_bytes, |has, wants| has == wants)?;
    Ok(Seal::Sealed(completed.publish(key, &folder, name, &file)?))
}

fn open_base(folder: &Folder, name: &str, size_bytes: u64) -> Result<File, Fault> {
    let file = match folder.file(name)? {
        Some(file) => file,
        None if size_bytes == 0 => folder.create_file(name)?.ok_or_else(|| missing("a staging file"))?,
        None => return Err(missing("a staging file")),
    };
    expect_bytes(&file, size_bytes, |has, wants| has >= wants)?;
    Ok(file)
}

fn finish_in_place(folder: &Folder, file: &File, assembly: &Assembly) -> Result<(), Fault> {
    copy_pieces(folder, file, &assembly.pieces)?;
    if file.metadata()?.len() != assembly.total_bytes {
        file.resize(assembly.total_bytes)?;
    }
    file.sync_all()
}

/// Joins all pieces into a new file. Its name says what is in it and is given when it is finished, so that it is
/// made once, and made anew when other parts are to be sealed.
fn join(folder: &Folder, name: &str, assembly: &Assembly) -> Result<File, Fault> {
    if let Some(file) = folder.file(name)? {
        return Ok(file);
    }
    folder.remove_file(JOINING)?;
    let file = folder.create_file(JOINING)?.ok_or_else(|| missing("a new staging file"))?;
    copy_pieces(folder, &file, &assembly.pieces)?;
    file.sync_all()?;
    // Not synced: should the power take this name, the file is joined again.
    folder.rename(JOINING, folder, name)?;
    Ok(file)
}

fn copy_pieces(folder: &Folder, target: &File, pieces: &[Piece]) -> Result<(), Fault> {
    // Neighbours often lie in one file.
    let mut last: Option<(&str, File)> = None;
    for piece in pieces {
        let name = piece.source.file.as_str();
        let source = match last.take() {
            Some((same, file)) if same == name => file,
            Some(_) | None => folder.file_to_read(name)?.ok_or_else(|| missing("a part"))?,
        };
        expect_bytes(&source, piece.source.offset_bytes + piece.size_bytes, |has, wants| has >= wants)?;
        target.copy(&source, piece.source.offset_bytes, piece.offset_bytes, piece.size_bytes)?;
        last = Some((name, source));
    }
    Ok(())
}

fn expect_bytes(file: &File, wants: u64, is_right: impl Fn(u64, u64) -> bool) -> Result<(), Fault> {
    let has = file.metadata()?.len();
    if is_right(has, wants) {
        return Ok(());
    }
    let what = format!("{has} bytes are there where {wants} were acknowledged");
    Err(Fault::new(FaultKind::Corrupt, "putting the parts together", what))
}
