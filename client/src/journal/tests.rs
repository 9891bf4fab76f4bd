use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use white_city_party::journal::{EntryRecord, Remembered, Seeds};
use white_city_wire::{NetworkId, SessionId, hash::sha256};

use super::*;
use crate::{
    LocalKey, Signer,
    vault::{Cost, Kdf},
};

/// An identity's storage key, and nothing else.
fn alone(byte: u8) -> Keys<'static> {
    Keys {
        storage: Zeroizing::new([byte; 32]),
        unlock: None,
    }
}

fn locked(storage: u8, unlock: &Unlock) -> Keys<'_> {
    Keys {
        unlock: Some(unlock),
        ..alone(storage)
    }
}

fn key_file(byte: u8) -> Unlock {
    Unlock::Key(Zeroizing::new([byte; 32]))
}

fn journal_id() -> JournalId {
    JournalId {
        network: NetworkId([1; 32]),
        session: SessionId([2; 32]),
        identity: LocalKey::from_seed(&[3; 32]).unwrap().identity(),
    }
}

fn entry(round: u32, size: usize) -> Record {
    Record::Entry(Box::new(EntryRecord {
        round,
        tx: vec![round.to_be_bytes()[3]; size],
        height: 7,
        anchor: None,
        era: 0,
        link: Vec::new(),
    }))
}

fn records() -> Vec<Record> {
    let seeds = Record::Seeds(Seeds {
        session: b"the seed of the party's session!".to_vec(),
        protocol: b"what the party's protocol draws!".to_vec(),
    });
    vec![
        seeds,
        entry(0, 90),
        entry(1, 300),
        Record::Leave(vec![7; 40]),
    ]
}

struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    fn open(&self) -> Result<(Journal, Vec<Record>), JournalError> {
        Journal::open(&self.path(), &journal_id(), &alone(9))
    }

    /// Opens it, reads it, and lets go of it.
    fn read(&self) -> Result<Vec<Record>, JournalError> {
        self.open().map(|(_, records)| records)
    }

    fn written(&self) -> Vec<u8> {
        let (mut journal, found) = self.open().unwrap();
        assert_eq!(found.len(), 0);
        for record in records() {
            journal.append(&record).unwrap();
        }
        std::fs::read(self.path()).unwrap()
    }

    fn overwrite(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).unwrap();
    }
}

fn same(found: &[Record], wanted: &[Record]) -> bool {
    found == wanted
}

/// The positions where records begin, and the end of the last one.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut at = HEADER_BYTES;
    let mut all = vec![at];
    while at < bytes.len() {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        at += PREFIX_BYTES + usize::try_from(length).unwrap();
        all.push(at);
    }
    all
}

#[test]
fn a_journal_gives_back_what_was_written_and_goes_on() {
    let bench = Bench::new();
    bench.written();
    assert!(same(&bench.read().unwrap(), &records()));
    let (mut journal, _) = bench.open().unwrap();
    journal.append(&entry(2, 1)).unwrap();
    drop(journal);
    let all = [records(), vec![entry(2, 1)]].concat();
    assert!(same(&bench.read().unwrap(), &all));
    let mode = bench.path().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn wherever_a_journal_is_cut_it_holds_the_records_before_the_cut_and_goes_on_from_them() {
    let bench = Bench::new();
    let bytes = bench.written();
    let boundaries = boundaries(&bytes);
    assert_eq!(boundaries.len(), records().len() + 1);
    for cut in 0..bytes.len() {
        bench.overwrite(&bytes[..cut]);
        if cut < HEADER_BYTES {
            assert!(
                matches!(bench.read(), Err(JournalError::Other { .. })),
                "{cut}"
            );
            continue;
        }
        let whole = boundaries.iter().filter(|end| **end <= cut).count() - 1;
        let (mut journal, found) = bench.open().unwrap();
        assert!(same(&found, &records()[..whole]), "{cut}");
        journal.append(&entry(9, 20)).unwrap();
        drop(journal);
        let found = bench.read().unwrap();
        assert!(same(&found[..whole], &records()[..whole]), "{cut}");
        assert!(same(&found[whole..], &[entry(9, 20)]), "{cut}");
    }
}

#[test]
fn a_journal_with_any_bit_changed_is_refused() {
    let bench = Bench::new();
    let bytes = bench.written();
    for position in 0..bytes.len() {
        for bit in [0, 7] {
            let mut bad = bytes.clone();
            bad[position] ^= 1 << bit;
            bench.overwrite(&bad);
            match bench.read() {
                Err(
                    JournalError::Other { .. }
                    | JournalError::OtherUnlock { .. }
                    | JournalError::Corrupt { .. },
                ) => {}
                other => panic!("byte {position}: {:?}", other.map(|records| records.len())),
            }
            assert_eq!(
                std::fs::read(bench.path()).unwrap(),
                bad,
                "a refused journal stays as it is"
            );
        }
    }
}

#[test]
fn a_locked_journal_says_in_one_way_how_it_is_locked() {
    let bench = Bench::new();
    let key = key_file(5);
    let open = || Journal::open(&bench.path(), &journal_id(), &locked(9, &key));
    let (mut journal, _) = open().unwrap();
    for record in records() {
        journal.append(&record).unwrap();
    }
    drop(journal);
    let bytes = std::fs::read(bench.path()).unwrap();
    let lock = 8 + 3 * 32..8 + 3 * 32 + 13;
    for position in lock {
        let mut bad = bytes.clone();
        bad[position] ^= 1;
        bench.overwrite(&bad);
        assert!(open().is_err(), "byte {position}");
        assert_eq!(std::fs::read(bench.path()).unwrap(), bad);
    }
    bench.overwrite(&bytes);
    assert!(same(&open().unwrap().1, &records()));
}

/// The check of a length is no secret: whoever can write into the file can make one.
#[test]
fn a_length_that_no_record_has_is_refused_and_nothing_is_cut_off() {
    let bench = Bench::new();
    let bytes = bench.written();
    let head = &bytes[..HEADER_BYTES];
    let tag = b"white-city/journal/length/1";
    let tag = [&(tag.len() as u32).to_be_bytes()[..], tag].concat();
    // What surrounds a record's plaintext: a nonce and a tag.
    let around = 24 + 16;
    for (size, is_one) in [
        (RECORD_BYTES_MAX + around, true),
        (RECORD_BYTES_MAX + around + 1, false),
        (64 << 20, false),
    ] {
        let length = u32::try_from(size).unwrap().to_be_bytes();
        let check = sha256(&[&tag, &sha256(head).0[..], &length].concat()).0;
        let bad = [head, &length, &check[..8], &[7; 50]].concat();
        bench.overwrite(&bad);
        match bench.read() {
            // A record of this size may have been begun.
            Ok(found) => assert!(is_one && found.is_empty(), "{size}"),
            Err(JournalError::Corrupt { .. }) => {
                assert!(!is_one, "{size}");
                assert_eq!(std::fs::read(bench.path()).unwrap(), bad);
            }
            Err(other) => panic!("{size}: {other}"),
        }
    }
}

/// Whoever has opened a journal may find, with its lock, that it has been removed meanwhile, and that another one has its name.
#[test]
fn a_lock_is_one_of_the_file_that_has_the_name() {
    let bench = Bench::new();
    bench.written();
    let open = || File::open(bench.path()).unwrap();
    let lock = |file| lock_named(file, &bench.path()).unwrap();
    let before = open();
    assert!(lock(open()).is_some());
    std::fs::remove_file(bench.path()).unwrap();
    assert!(lock(before.try_clone().unwrap()).is_none());
    bench.written();
    assert!(lock(before).is_none());
    assert!(lock(open()).is_some());
}

#[test]
fn records_can_not_be_left_out_repeated_moved_or_brought_from_another_journal() {
    let bench = Bench::new();
    let bytes = bench.written();
    let ends = boundaries(&bytes);
    let record = |at: usize| &bytes[ends[at]..ends[at + 1]];
    let head = &bytes[..ends[0]];
    let other = Bench::new();
    let foreign = other.written();
    let foreign = &foreign[ends[0]..ends[1]];
    for bad in [
        [head, record(1), record(2)].concat(),
        [head, record(0), record(2)].concat(),
        [head, record(0), record(0), record(1)].concat(),
        [head, record(1), record(0)].concat(),
        [head, foreign, record(1)].concat(),
        [head, foreign].concat(),
        [&bytes[..], record(3)].concat(),
        [&bytes[..], &[1; 400]].concat(),
    ] {
        bench.overwrite(&bad);
        assert!(matches!(bench.read(), Err(JournalError::Corrupt { .. })));
    }
}

#[test]
fn zeros_that_a_loss_of_power_left_behind_are_cut_off() {
    let bench = Bench::new();
    let bytes = bench.written();
    let ends = boundaries(&bytes);
    // The file's size reached the disk, and of its last record nothing, a part, or all but the end.
    for kept in [ends[3], ends[3] + 12, ends[3] + 30, ends[4] - 16] {
        let mut bad = bytes.clone();
        bad[kept..].fill(0);
        bench.overwrite(&bad);
        assert!(same(&bench.read().unwrap(), &records()[..3]), "{kept}");
        assert_eq!(std::fs::read(bench.path()).unwrap(), bytes[..ends[3]]);
    }
    // With something behind the zeros it is no crash.
    let mut bad = bytes[..ends[3]].to_vec();
    bad.extend_from_slice(&[0; 50]);
    bad.push(1);
    bench.overwrite(&bad);
    assert!(matches!(bench.read(), Err(JournalError::Corrupt { .. })));
}

#[test]
fn a_journal_has_one_writer() {
    let bench = Bench::new();
    let (journal, _) = bench.open().unwrap();
    assert!(matches!(bench.read(), Err(JournalError::Locked { .. })));
    let link = bench.dir.path().join("another name");
    std::fs::hard_link(bench.path(), &link).unwrap();
    assert!(matches!(
        Journal::open(&link, &journal_id(), &alone(9)),
        Err(JournalError::Locked { .. })
    ));
    // As a process has it that another thread is starting just now.
    let copy = journal.file.0.try_clone().unwrap();
    drop(journal);
    assert!(bench.read().is_ok());
    drop(copy);
}

#[test]
fn of_many_who_begin_a_journal_at_the_same_time_one_has_it() {
    let bench = Bench::new();
    let opened = std::thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(|| bench.open())).collect();
        all.into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    let locked = |result: &Result<_, _>| matches!(result, Err(JournalError::Locked { .. }));
    assert_eq!(opened.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(opened.iter().filter(|result| locked(result)).count(), 15);
}

#[test]
fn a_journal_is_of_one_session_network_identity_and_key() {
    let bench = Bench::new();
    bench.written();
    let other = LocalKey::from_seed(&[4; 32]).unwrap().identity();
    for wrong in [
        JournalId {
            network: NetworkId([9; 32]),
            ..journal_id()
        },
        JournalId {
            session: SessionId([9; 32]),
            ..journal_id()
        },
        JournalId {
            identity: other,
            ..journal_id()
        },
    ] {
        assert!(matches!(
            Journal::open(&bench.path(), &wrong, &alone(9)),
            Err(JournalError::Other { .. })
        ));
    }
    assert!(matches!(
        Journal::open(&bench.path(), &journal_id(), &alone(8)),
        Err(JournalError::Corrupt { .. })
    ));
    assert!(same(&bench.read().unwrap(), &records()));
}

#[test]
fn a_journal_that_others_can_read_is_refused() {
    let bench = Bench::new();
    bench.written();
    std::fs::set_permissions(bench.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = bench.read().err().unwrap();
    assert!(refused.to_string().contains("mode 640"), "{refused}");
}

#[test]
fn nothing_secret_is_in_the_file() {
    let bench = Bench::new();
    let bytes = bench.written();
    for secret in ["the seed of the party", "what the party's"] {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

#[test]
fn a_record_is_written_up_to_its_limit_and_refused_past_it() {
    let bench = Bench::new();
    let (mut journal, _) = bench.open().unwrap();
    let leave = |size| Record::Leave(vec![1; size]);
    let fits = (0..16)
        .map(|less| RECORD_BYTES_MAX - less)
        .find(|size| leave(*size).to_bytes().len() == RECORD_BYTES_MAX)
        .unwrap();
    assert!(matches!(
        journal.append(&leave(fits + 1)),
        Err(JournalError::TooLarge { .. })
    ));
    journal.append(&leave(fits)).unwrap();
    drop(journal);
    assert!(same(&bench.read().unwrap(), &[leave(fits)]));
}

/// Whatever was being written when the disk refused is in the file, in part: what came after it could not be read.
#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let bench = Bench::new();
    bench.written();
    let (mut journal, found) = Journal::open(&bench.path(), &journal_id(), &alone(9)).unwrap();
    let reader = Locked(File::open(bench.path()).unwrap());
    let writer = std::mem::replace(&mut journal.file, reader);
    let failed = journal.append(&entry(7, 10));
    assert!(matches!(failed, Err(JournalError::File(_))), "{failed:?}");
    let before = std::fs::read(bench.path()).unwrap();
    journal.file = writer;
    let refused = journal.append(&entry(7, 10));
    assert!(
        matches!(refused, Err(JournalError::Broken { .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
    assert!(!found.is_empty());
}

#[test]
fn a_removed_journal_is_gone() {
    let bench = Bench::new();
    bench.written();
    let (journal, _) = bench.open().unwrap();
    journal.remove().unwrap();
    assert!(!bench.path().exists());
}

/// Journals outlive the program that wrote them.
#[test]
fn journals_of_the_second_version_are_read() {
    let key = key_file(5);
    let frozen = [
        include_str!("frozen.hex"),
        include_str!("frozen-locked.hex"),
    ];
    for (frozen, keys) in frozen.into_iter().zip([alone(9), locked(9, &key)]) {
        let bench = Bench::new();
        let frozen = hex::decode(frozen.replace('\n', "")).unwrap();
        std::fs::write(bench.path(), &frozen).unwrap();
        std::fs::set_permissions(bench.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        let (_, found) = Journal::open(&bench.path(), &journal_id(), &keys).unwrap();
        assert!(same(&found, &records()));
    }
}

#[test]
fn a_locked_journal_needs_the_identity_and_what_unlocks_it() {
    let phrase = |text: &str| Unlock::Passphrase(Zeroizing::new(text.as_bytes().to_vec()));
    let (key, words) = (key_file(5), phrase("one"));
    let (other_key, other_words) = (key_file(6), phrase("two"));
    for (unlock, wrong, other, expected) in [
        (&key, &other_key, &words, "a key file"),
        (&words, &other_words, &key, "a passphrase"),
    ] {
        let bench = Bench::new();
        let open = |keys: &Keys<'_>| Journal::open(&bench.path(), &journal_id(), keys);
        let (mut journal, _) = open(&locked(9, unlock)).unwrap();
        for record in records() {
            journal.append(&record).unwrap();
        }
        drop(journal);
        assert!(same(&open(&locked(9, unlock)).unwrap().1, &records()));
        for bad in [locked(9, wrong), locked(8, unlock)] {
            let refused = open(&bad).err();
            assert!(matches!(refused, Some(JournalError::Corrupt { .. })));
        }
        for bad in [alone(9), locked(9, other)] {
            let refused = open(&bad).err().unwrap();
            let path = bench.path();
            assert_eq!(refused, JournalError::OtherUnlock { path, expected });
        }
        // A header that asks for less opens nothing, and isn't taken by whoever expects more.
        let mut bytes = std::fs::read(bench.path()).unwrap();
        bytes[8 + 3 * 32..][..13].fill(0);
        bench.overwrite(&bytes);
        let refused = open(&alone(9)).err();
        assert!(matches!(refused, Some(JournalError::Corrupt { .. })));
        let refused = open(&locked(9, unlock)).err();
        assert!(matches!(refused, Some(JournalError::OtherUnlock { .. })));
    }
}

#[test]
fn what_argon2id_costs_is_looked_at_before_it_is_paid() {
    let words = Unlock::Passphrase(Zeroizing::new(b"one".to_vec()));
    let most = Cost {
        memory_kib: u32::MAX,
        ..Cost::default()
    };
    let fewer = Cost {
        passes: Cost::default().passes - 1,
        ..Cost::default()
    };
    // Too much, and what somebody may have put there to guess a passphrase by.
    for cost in [most, fewer, Cost::CHEAPEST] {
        let bench = Bench::new();
        let lock = Lock(Some(Kdf::Argon2id(cost)));
        let header = Header {
            id: journal_id(),
            lock: lock.encode(),
            salt: [1; 32],
        };
        create_secret(&bench.path(), &header.encode()).unwrap();
        let refused = Journal::open(&bench.path(), &journal_id(), &locked(9, &words)).err();
        assert!(matches!(refused, Some(JournalError::Unlock { .. })));
    }
}

#[test]
fn a_journal_that_lies_there_says_of_which_session_it_is_and_can_be_forgotten() {
    let bench = Bench::new();
    let key = key_file(5);
    let session = journal_id().session;
    let (journal, _) = Journal::open(&bench.path(), &journal_id(), &locked(9, &key)).unwrap();
    let kept = read(&bench.path()).unwrap();
    assert_eq!(
        (kept.network, kept.session),
        (journal_id().network, session)
    );
    assert_eq!(kept.identity, journal_id().identity);
    assert_eq!((kept.opened_with, kept.is_in_use), ("a key file", true));
    assert_eq!(kept.bytes, bench.path().metadata().unwrap().len());
    let refused = forget(&bench.path(), session);
    assert!(matches!(refused, Err(JournalError::Locked { .. })));
    drop(journal);
    assert!(!read(&bench.path()).unwrap().is_in_use);
    let refused = forget(&bench.path(), SessionId([7; 32]));
    assert!(matches!(refused, Err(JournalError::Other { .. })));
    assert!(bench.path().exists());
    forget(&bench.path(), session).unwrap();
    assert!(!bench.path().exists());
    assert!(matches!(read(&bench.path()), Err(JournalError::File(_))));
    std::fs::write(bench.path(), b"something else").unwrap();
    std::fs::set_permissions(bench.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(
        read(&bench.path()),
        Err(JournalError::Other { .. })
    ));
    let refused = forget(&bench.path(), session);
    assert!(matches!(refused, Err(JournalError::Other { .. })));
    assert!(bench.path().exists());
}

/// What protocols had remembered is found again by every later version.
#[test]
fn what_was_remembered_is_read_from_a_frozen_journal() {
    let note = |name: &str, bytes: &[u8]| {
        Record::Remembered(Remembered {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
        })
    };
    let notes = [note("nonce", b"first"), note("nonce", b""), note("x", b"y")];
    let wanted = [&records()[..], &notes].concat();
    let bench = Bench::new();
    let frozen = include_str!("frozen-remembered.hex");
    bench.overwrite(&hex::decode(frozen.replace('\n', "")).unwrap());
    std::fs::set_permissions(bench.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(same(&bench.read().unwrap(), &wanted));
}
