//! Files that a party keeps: its journal, and what is encrypted under its passphrase or key file.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::TempDir;
use white_city_client::{
    journal::{self, JournalError, chosen},
    vault::{self, Unlock},
};

use crate::Target;

/// Journals: records that the input chooses, and what happens to the file after they were written.
pub const JOURNALS: Target = Target::new("journals", journals, take_journal)
    .within(16 << 20)
    .costing(4);

/// Vaults that a key file opens.
pub const VAULTS: Target = Target::new("vaults", vaults, take_vault);

/// The secret in the vault, and its kind.
const SECRET: (&str, &[u8]) = ("share", b"the secret that is kept");

/// A new folder, in memory where there is such a place: fuzzers write thousands of files a second.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.expect("a folder can be made")
}

/// Writes a file that only its owner can read.
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Instructions of an input: a byte that says what to do, and what it takes for that. Up to this many it is a record's length.
const RECORD_MAX: u8 = 0xf0;
/// Changes the byte at a place: the place in two bytes, then the bits that change.
const CHANGE: u8 = 0xf1;
/// Cuts the file off at a place.
const CUT: u8 = 0xf2;
/// Puts so many zeros behind it.
const ZEROS: u8 = 0xf3;
/// Puts all that follows behind it.
const APPEND: u8 = 0xf4;
/// Makes what follows the whole file.
const REPLACE: u8 = 0xf5;

/// A journal and its history.
struct Written {
    records: Vec<Vec<u8>>,
    /// The file.
    bytes: Vec<u8>,
    /// Nothing has happened to the file since the records were written.
    is_whole: bool,
    /// Whole bytes were put into it: they may be another journal's, sealed under the same key.
    is_foreign: bool,
}

/// Follows the instructions: first come the records, then what happens to the file.
fn write_journal(mut input: &[u8]) -> Written {
    let mut records = Vec::new();
    while let Some((length, rest)) = input.split_first().filter(|(b, _)| **b <= RECORD_MAX) {
        let (record, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        records.push(record.to_vec());
        input = rest;
    }
    let bytes = chosen::written(records.iter().map(Vec::as_slice)).expect("small records");
    let mut journal = Written {
        records,
        bytes: bytes.clone(),
        is_whole: true,
        is_foreign: false,
    };
    while let Some((instruction, rest)) = input.split_first() {
        journal.is_foreign |= [APPEND, REPLACE].contains(instruction);
        input = harm(&mut journal.bytes, *instruction, rest);
    }
    journal.is_whole = journal.bytes == bytes;
    journal
}

/// Does one thing to a file, and gives the instructions that follow.
fn harm<'a>(file: &mut Vec<u8>, instruction: u8, rest: &'a [u8]) -> &'a [u8] {
    let place = |rest: &'a [u8]| {
        let (place, rest) = rest.split_first_chunk().unwrap_or((&[0; 2], &[]));
        (usize::from(u16::from_be_bytes(*place)), rest)
    };
    match instruction {
        CHANGE => {
            let (at, rest) = place(rest);
            let (bits, rest) = rest.split_first().unwrap_or((&1, &[]));
            if let Some(byte) = file.get_mut(at) {
                *byte ^= bits;
            }
            rest
        }
        CUT => {
            let (at, rest) = place(rest);
            file.truncate(at);
            rest
        }
        ZEROS => {
            let (count, rest) = rest.split_first().unwrap_or((&1, &[]));
            file.resize(file.len() + usize::from(*count), 0);
            rest
        }
        APPEND => {
            file.extend_from_slice(rest);
            &[]
        }
        REPLACE => {
            *file = rest.to_vec();
            &[]
        }
        _ => rest,
    }
}

fn journals() -> Vec<Vec<u8>> {
    // As protobuf: the seeds, a join and a post without what certifies them, a word of leaving.
    let seeds = [&[0x0a, 68, 0x0a, 32][..], &[1; 32], &[0x12, 32], &[2; 32]].concat();
    let join = [0x12, 9, 0x12, 3, 1, 2, 3, 0x20, 9].to_vec();
    let post = [0x12, 9, 0x08, 1, 0x12, 3, 4, 5, 6].to_vec();
    let leave = [0x1a, 3, 7, 8, 9].to_vec();
    let records = [seeds, join, post, leave].map(|mut record| {
        record.insert(0, u8::try_from(record.len()).expect("a small record"));
        record
    });
    let file = records.concat();
    let whole = write_journal(&file).bytes;
    let header = whole.len()
        - records
            .iter()
            .map(|record| record.len() + 51)
            .sum::<usize>();
    let place = |at: usize| u16::try_from(at).expect("a small file").to_be_bytes();
    let mut seeds: Vec<Vec<u8>> = (0..=4).map(|count| records[..count].concat()).collect();
    for at in [0, 20, header, header + 12, whole.len() - 1] {
        let [high, low] = place(at);
        seeds.push([&file[..], &[CHANGE, high, low, 1]].concat());
        seeds.push([&file[..], &[CUT, high, low]].concat());
        seeds.push([&file[..], &[CUT, high, low, ZEROS, 40]].concat());
    }
    seeds.push([&file[..], &[ZEROS, 200]].concat());
    seeds.push([&file[..], &[APPEND, 0, 0, 0, 60]].concat());
    seeds.push([&[REPLACE][..], &whole].concat());
    seeds
}

/// Whether the journal is opened. What it gives was written, from the first record on, and nothing is left out but what was
/// cut off or was no record.
fn take_journal(input: &[u8]) -> bool {
    let written = write_journal(input);
    let known: Vec<Option<Vec<u8>>> = written
        .records
        .iter()
        .map(|r| chosen::canonical(r))
        .collect();
    let known_good: Vec<&Vec<u8>> = known.iter().map_while(Option::as_ref).collect();
    let folder = folder();
    let path = folder.path().join("journal");
    write(&path, &written.bytes);
    let opened = match chosen::opened(&path) {
        Ok(opened) => opened,
        Err(
            JournalError::Other { .. }
            | JournalError::Corrupt { .. }
            | JournalError::OtherUnlock { .. }
            | JournalError::Unlock { .. },
        ) => {
            assert!(
                !written.is_whole || known_good.len() < known.len(),
                "a good journal is refused"
            );
            return false;
        }
        Err(error) => panic!("{error}"),
    };
    let is_known =
        opened.len() <= known_good.len() && opened.iter().zip(&known_good).all(|(a, b)| a == *b);
    assert!(is_known || written.is_foreign, "it holds what nobody wrote");
    assert!(
        !written.is_whole || opened.len() == known.len(),
        "records are left out"
    );
    assert_eq!(chosen::opened(&path).unwrap(), opened, "opened again");
    assert!(journal::read(&path).is_ok());
    true
}

fn vaults() -> Vec<Vec<u8>> {
    let folder = folder();
    let path = folder.path().join("vault");
    let (kind, secret) = SECRET;
    vault::store(&path, kind, secret, &unlock()).expect("a vault can be stored");
    vec![fs::read(path).expect("it is there")]
}

fn unlock() -> Unlock {
    Unlock::Key([9; 32].into())
}

fn take_vault(input: &[u8]) -> bool {
    let folder = folder();
    let path = folder.path().join("vault");
    write(&path, input);
    let (kind, secret) = SECRET;
    let opened = vault::load(&path, kind, &unlock());
    if let Ok(opened) = &opened {
        assert_eq!(&**opened, secret, "it holds what nobody stored");
    }
    opened.is_ok()
}
