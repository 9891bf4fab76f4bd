//! Receipts that were made once and have to verify for ever. `UPDATE=1` makes them anew, which is a change of the format.

use std::{
    fs,
    path::{Path, PathBuf},
};

use white_city_client::{Receipt, genesis};

use crate::world::made;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/receipts")
}

fn file_name(name: &str) -> String {
    format!("{}.receipt", name.replace(' ', "-"))
}

#[test]
fn receipts_that_were_made_once_verify_for_ever() {
    let folder = folder();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        let made = made();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("genesis.json"), &made.genesis).unwrap();
        for (name, bytes) in &made.receipts {
            fs::write(folder.join(file_name(name)), bytes).unwrap();
            let proven = made.receipt(name).verify(&made.trust()).unwrap();
            let words = folder.join(file_name(name)).with_extension("txt");
            fs::write(words, format!("{proven}\n")).unwrap();
        }
    }
    let trust = genesis::trust(folder.join("genesis.json")).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "receipt")
        {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let receipt = Receipt::from_bytes(&bytes).unwrap();
        assert_eq!(receipt.to_bytes(), bytes, "{}", path.display());
        let proven = receipt.verify(&trust);
        let proven = proven.unwrap_or_else(|bad| panic!("{}: {bad}", path.display()));
        let words = fs::read_to_string(path.with_extension("txt")).unwrap();
        assert_eq!(format!("{proven}\n"), words, "{}", path.display());
        kinds.insert(receipt.kind().name());
    }
    assert_eq!(kinds.len(), 6, "one of each kind: {kinds:?}");
}
