//! A file that was made once, which has to be read for ever. `UPDATE=1` makes it anew, which is a change of the format.

use std::{fs, path::Path};

use white_city_client::trust::TrustFile;

use super::{Board, summed};

#[test]
fn a_file_that_was_made_once_is_read_for_ever() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/trust/era-2.trust");
    let board = Board::new();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, summed(&board.whole())).unwrap();
    }
    let frozen = fs::read(&path).unwrap();
    let file = TrustFile::from_bytes(&frozen).unwrap();
    let mark = file.mark().unwrap();
    assert_eq!((file.trust().newest_era(), mark.height()), (2, 30));
    assert_eq!(file.to_bytes().unwrap(), frozen);
    let mut keys = board.c.keys();
    keys.sort_unstable();
    assert_eq!(file.trust().validators_of(2), Some(keys));
}
