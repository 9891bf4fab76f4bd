//! Trust files on a disk, which several processes write, and some die in between.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use white_city_client::{
    files::FileError,
    trust::{BadTrustFile, Mark, TrustFile},
    trust_file::{TrustFileError, keep, read},
};
use white_city_tests::tampering::Council;

use super::Board;

/// A state of this height in era 0, with the address of whoever has seen it. No two of them are neighbours: their headers name no parents.
fn seen(board: &Board, height: u64) -> TrustFile {
    let mut file = board.file(Vec::new(), Some(board.mark(height, (&board.a, 3), (0, 0))));
    file.addresses = vec![format!("http://{height}")];
    super::read(&file).unwrap()
}

fn height(file: &TrustFile) -> u64 {
    file.mark().map_or(0, Mark::height)
}

#[test]
fn a_file_is_made_goes_forward_and_is_never_taken_back() {
    let board = Board::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust");
    assert_eq!(height(&keep(&path, &seen(&board, 9)).unwrap()), 9);
    let whole = super::read(&board.whole()).unwrap();
    assert_eq!(height(&keep(&path, &whole).unwrap()), 30);
    let newest = fs::read(&path).unwrap();
    // Whoever knows less learns more, and changes nothing.
    let older = super::read(&board.file(Vec::new(), None)).unwrap();
    assert_eq!(keep(&path, &older).unwrap().trust().newest_era(), 2);
    assert_eq!(fs::read(&path).unwrap(), newest);
    assert_eq!(read(&path).unwrap().to_bytes().unwrap(), newest);
    // What a link points to is kept, and the link stays one.
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    let higher = board.read(board.links(), Some(board.mark(32, (&board.c, 3), (2, 19))));
    keep(&link, &higher.unwrap()).unwrap();
    assert!(link.is_symlink() && !path.is_symlink());
    assert_eq!(height(&read(&path).unwrap()), 32);
    let dangling = dir.path().join("dangling");
    symlink(dir.path().join("nowhere"), &dangling).unwrap();
    assert!(matches!(
        keep(&dangling, &whole),
        Err(TrustFileError::File(FileError::Exists { .. }))
    ));
    let left: Vec<_> = dir.path().read_dir().unwrap().collect();
    assert_eq!(left.len(), 3, "nothing else is left: {left:?}");
}

#[test]
fn what_does_not_go_with_a_file_leaves_it_as_it_is() {
    let board = Board::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust");
    keep(&path, &super::read(&board.whole()).unwrap()).unwrap();
    let kept = fs::read(&path).unwrap();
    let branch = board.read(Vec::new(), Some(board.mark(99, (&board.a, 4), (0, 0))));
    let stranger = Board::of(Council::new([[60; 32]]));
    let stranger = stranger.read(Vec::new(), None);
    for (other, is_fork) in [(branch, true), (stranger, false)] {
        let refused = keep(&path, &other.unwrap()).err().unwrap();
        let reason = refused.reason().unwrap();
        assert_eq!(reason.fork().is_some(), is_fork, "{reason}");
        assert_eq!(fs::read(&path).unwrap(), kept);
    }
    // A file that was damaged is nobody's to mend: it may have known more.
    fs::write(&path, &kept[..kept.len() / 2]).unwrap();
    let refused = keep(&path, &super::read(&board.whole()).unwrap()).err();
    assert!(matches!(
        refused.as_ref().and_then(TrustFileError::reason),
        Some(BadTrustFile::Checksum)
    ));
    assert_eq!(fs::read(&path).unwrap(), kept[..kept.len() / 2]);
}

/// Each writer knows some states only, and begins when all are there.
#[test]
fn however_many_write_at_once_the_file_is_always_whole_and_never_goes_back() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 12;
    let board = Board::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust");
    let (barrier, is_done) = (Barrier::new(WRITERS as usize + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let writers = (0..WRITERS).map(|writer| {
            let (board, path, barrier) = (&board, &path, &barrier);
            scope.spawn(move || {
                // Some come with what is newer than all, some with what is older.
                let mut heights: Vec<u64> = (0..EACH)
                    .map(|at| 6 + 2 * (at * WRITERS + writer))
                    .collect();
                if writer % 2 == 1 {
                    heights.reverse();
                }
                let files: Vec<TrustFile> = heights.iter().map(|h| seen(board, *h)).collect();
                barrier.wait();
                for file in &files {
                    let kept = keep(path, file).unwrap();
                    assert!(height(&kept) >= height(file));
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        let (path, barrier, is_done) = (&path, &barrier, &is_done);
        let reader = scope.spawn(move || {
            barrier.wait();
            let (mut highest, mut reads) = (0, 0);
            while !is_done.load(Ordering::SeqCst) {
                if let Ok(bytes) = fs::read(path) {
                    let now = height(&TrustFile::from_bytes(&bytes).unwrap());
                    assert!(now >= highest, "{now} after {highest}");
                    (highest, reads) = (now, reads + 1);
                }
            }
            reads
        });
        let writers: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        is_done.store(true, Ordering::SeqCst);
        assert!(reader.join().unwrap() > 0);
        writers.into_iter().for_each(Result::unwrap);
    });
    let kept = read(&path).unwrap();
    assert_eq!(height(&kept), 4 + 2 * WRITERS * EACH);
    // Nobody has overwritten what another one had written.
    assert_eq!(kept.addresses().count() as u64, WRITERS * EACH);
    assert_eq!(dir.path().read_dir().unwrap().count(), 1);
}

#[test]
fn what_somebody_left_who_was_killed_is_written_over() {
    let board = Board::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust");
    keep(&path, &seen(&board, 9)).unwrap();
    let half = seen(&board, 11).to_bytes().unwrap();
    fs::write(dir.path().join("trust.new"), &half[..half.len() / 2]).unwrap();
    assert_eq!(height(&read(&path).unwrap()), 9);
    assert_eq!(height(&keep(&path, &seen(&board, 11)).unwrap()), 11);
    assert_eq!(height(&read(&path).unwrap()), 11);
    assert_eq!(dir.path().read_dir().unwrap().count(), 1);
}

#[test]
fn whoever_has_the_lock_for_long_is_named() {
    let board = Board::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trust");
    keep(&path, &seen(&board, 9)).unwrap();
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let refused = keep(&path, &seen(&board, 11)).err();
    assert!(
        matches!(
            &refused,
            Some(TrustFileError::File(FileError::Locked { .. }))
        ),
        "{refused:?}"
    );
    // It can be read all the same.
    assert_eq!(height(&read(&path).unwrap()), 9);
}
