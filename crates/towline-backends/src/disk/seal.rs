//! Sealing: the landed parts become one durable file, and the file becomes visible under its key.
//!
//! Every step can be cut short by a crash and done again. The finished file gets a second name, `sealed-…`, which
//! stays in the staging folder until that is discarded; then its first name is moved to the key. The second name
//! without the first says that the object was visible: a repeated seal gives the same answer and
//! leaves alone what the key may have become since.

use towline_core::digest::Digester;
use towline_core::error::{Fault, FaultKind};
use towline_core::key::Key;
use towline_core::store::{Place, Seal};
use towline_core::upload::Part;

use super::assembly::{Assembly, Base, Piece};
use super::completed::Completed;
use super::files::{File, Folder};
use super::position::{self, JOINING};
use super::staging::{Staging, missing};

/// What is at least this long holds a block of its own.
const TWO_BLOCKS_BYTES: u64 = 2 * 4096;
/// How much is read at once where content has to be compared.
const READ_BYTES: usize = 1024 * 1024;

pub(super) fn seal(
    staging: &Staging,
    completed: &Completed,
    place: &Place,
    key: &Key,
    parts: &[Part],
) -> Result<Seal, Fault> {
    let assembly = Assembly::of(parts)?;
    let folder = staging.folder(place)?;
    let name = assembly.base.file();
    if let Some(file) = published(&folder, name)? {
        expect_bytes(&file, assembly.total_bytes, |has, wants| has == wants)?;
        // The process that published it may not have come to this line.
        completed.settle(key)?;
        return completed.sealed(key, &file).map(Seal::Sealed);
    }
    if let Some(obstacle) = completed.obstacle(key)? {
        return Ok(Seal::Blocked(obstacle));
    }
    let file = match &assembly.base {
        Base::InPlace { file, size_bytes } => finish_in_place(&folder, file, *size_bytes, &assembly)?,
        Base::Joined { file } => join(&folder, file, &assembly)?,
    };
    expect_bytes(&file, assembly.total_bytes, |has, wants| has == wants)?;
    if has_small_parts(parts) || file.has_hole_within(assembly.total_bytes)? {
        let file = folder.file_to_read(name)?.ok_or_else(|| missing("a staging file"))?;
        expect_content(&file, parts)?;
    }
    let kept = position::sealed(name);
    folder.remove_file(&kept)?;
    folder.link(name, &kept)?;
    folder.sync()?;
    completed.publish(key, &folder, name)?;
    completed.sealed(key, &file).map(Seal::Sealed)
}

/// Whether a seal has made the parts an object already.
pub(super) fn is_sealed(folder: &Folder, parts: &[Part]) -> Result<bool, Fault> {
    Ok(published(folder, Assembly::of(parts)?.base.file())?.is_some())
}

/// The object, when it has been moved to its key.
fn published(folder: &Folder, name: &str) -> Result<Option<File>, Fault> {
    match folder.look(name)? {
        Some(_) => Ok(None),
        None => folder.file_to_read(&position::sealed(name)),
    }
}

/// `size_bytes` of the file are parts that lie where they will be in the end.
fn finish_in_place(folder: &Folder, name: &str, size_bytes: u64, assembly: &Assembly) -> Result<File, Fault> {
    let file = match folder.file(name)? {
        Some(file) => file,
        None if size_bytes == 0 => folder.create_file(name)?.ok_or_else(|| missing("a staging file"))?,
        None => return Err(missing("a staging file")),
    };
    expect_bytes(&file, size_bytes, |has, wants| has >= wants)?;
    copy_pieces(folder, &file, &assembly.pieces)?;
    if file.metadata()?.len() != assembly.total_bytes {
        file.resize(assembly.total_bytes)?;
    }
    file.sync_all()?;
    Ok(file)
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

/// Whether a part that is missing would leave no hole, because its neighbours share its blocks.
fn has_small_parts(parts: &[Part]) -> bool {
    let neighbours = &parts[..parts.len().saturating_sub(1)];
    neighbours.iter().any(|part| part.size_bytes < TWO_BLOCKS_BYTES)
}

/// Compares what is read with what landed. A part is written whole, also one of zeros, so a hole means that
/// somebody took the file away or cut it short (or a file system that stores no zeros).
fn expect_content(file: &File, parts: &[Part]) -> Result<(), Fault> {
    let mut offset_bytes = 0;
    for part in parts {
        let mut digester = Digester::new([]);
        while digester.size_bytes() < part.size_bytes {
            let rest = part.size_bytes - digester.size_bytes();
            let size_bytes = usize::try_from(rest).unwrap_or(usize::MAX).min(READ_BYTES);
            digester.update(&file.read(offset_bytes + digester.size_bytes(), size_bytes)?);
        }
        if Some(digester.finish().crc64) != part.crc64 {
            let what = format!("part {} is not what was acknowledged", part.number);
            return Err(Fault::new(FaultKind::Corrupt, "putting the parts together", what));
        }
        offset_bytes += part.size_bytes;
    }
    Ok(())
}
