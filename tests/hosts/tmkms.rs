//! A validator's key that lies with `tmkms`, in a folder of its own, and no more in the node's home
//!
//! It runs where `WHITE_CITY_TMKMS` names the program (`cargo install tmkms --features softsign --locked`).

use std::{
    fs::{self, File},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    Running,
    company::{Company, wait},
};

const KEY: &str = "config/priv_validator_key.json";
const LAST_SIGNED: &str = "data/priv_validator_state.json";

/// Hands a company's key to `tmkms`, as docs/operating.md says, and waits until the node goes on.
pub fn signs_for(company: &mut Company<'_>, dir: &Path) -> Option<Running> {
    let Some(program) = std::env::var_os("WHITE_CITY_TMKMS") else {
        eprintln!("NOT RUN: tmkms as a remote signer: WHITE_CITY_TMKMS names no program");
        return None;
    };
    let before = company.reaches(1);
    company.stop();
    let place = dir.join("tmkms");
    fs::create_dir(&place).unwrap();
    fs::rename(company.home.join(KEY), place.join("key.json")).unwrap();
    let last: Value =
        serde_json::from_slice(&fs::read(company.home.join(LAST_SIGNED)).unwrap()).unwrap();
    // The same, but for the round, which is a text here, and the block, which isn't known.
    let last = json!({
        "height": last["height"],
        "round": last["round"].to_string(),
        "step": last["step"],
        "block_id": null,
    });
    fs::write(place.join("state.json"), last.to_string()).unwrap();
    let socket = company.home.join("app/sign.sock");
    let config = format!(
        "[[chain]]\nid = \"four-companies\"\nkey_format = {{ type = \"hex\" }}\nstate_file = \"{place}/state.json\"\n\n\
         [[validator]]\nchain_id = \"four-companies\"\naddr = \"unix://{socket}\"\n\n\
         [[providers.softsign]]\nchain_ids = [\"four-companies\"]\nkey_type = \"consensus\"\nkey_format = \"json\"\npath = \"{place}/key.json\"\n",
        place = place.display(),
        socket = socket.display(),
    );
    let file = place.join("tmkms.toml");
    fs::write(&file, config).unwrap();
    company.set(&[("remote_signer", "\"unix://app/sign.sock\"")]);
    company.start();
    let mut signer = company.on_its_host(program.to_str().unwrap());
    signer.arg("start").arg("--config").arg(&file);
    let log = File::create(place.join("log")).unwrap();
    signer.stdout(log.try_clone().unwrap()).stderr(log);
    let signer = Running(signer.spawn().unwrap());
    let log = || fs::read_to_string(place.join("log")).unwrap();
    wait("its node to go on", || match company.height() {
        Ok(height) if height >= before + 3 => Ok(()),
        seen => Err(format!("{seen:?}: {}", log())),
    });
    let state = fs::read_to_string(place.join("state.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    let signed: u64 = state["height"].as_str().unwrap().parse().unwrap();
    assert!(signed > before, "{state}: {}", log());
    assert!(!company.home.join(KEY).exists());
    Some(signer)
}
