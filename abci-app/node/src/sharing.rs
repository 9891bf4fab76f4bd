//! What operators send one another, in one file: cards, genesis and consents

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::card::Card;
use crate::files::{read, read_at_most, write_atomic};
use crate::node::{CARDS, CONSENTS, GENESIS_FILE, own_card, read_card, read_cards, read_genesis};
use crate::{Error, ceremony};

/// Largest file that is taken, bytes: a genesis with a thousand openers is far smaller.
const SHARED_BYTES_MAX: u64 = 32 << 20;

/// The content of a shared file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shared {
    version: u32,
    cards: Vec<Value>,
    /// Text of the genesis: each byte of it is signed.
    genesis: Option<String>,
    consents: Vec<Value>,
}

/// All that this node has for the others.
///
/// # Errors
/// [`Error::Io`], [`Error::Malformed`].
pub fn share(home: &Path) -> Result<String, Error> {
    let mut cards = read_cards(&home.join(CARDS))?;
    cards.push(own_card(home)?);
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let path = home.join(GENESIS_FILE);
    let genesis = path.exists().then(|| read(&path)).transpose()?;
    let folder = home.join(CONSENTS);
    let mut consents = Vec::new();
    for entry in folder.read_dir().map_err(Error::io("read", &folder))? {
        let path = entry.map_err(Error::io("read", &folder))?.path();
        consents.push(json(&read(&path)?));
    }
    let shared = Shared {
        version: 1,
        cards: cards.iter().map(|card| json(&card.text())).collect(),
        genesis,
        consents,
    };
    Ok(serde_json::to_string_pretty(&shared).unwrap_or_default() + "\n")
}

/// Takes what another node shares, or its card alone; says what was new. Cards of operators whom the genesis doesn't list are taken only
/// if they are meant to be: whoever sends a file could put anybody's into it.
///
/// # Errors
/// [`Error::Malformed`] says what is wrong with the file; [`Error::Io`].
pub fn take(home: &Path, path: &Path, newcomers: bool) -> Result<String, Error> {
    let malformed = |reason: String| Error::Malformed {
        path: path.to_owned(),
        reason,
    };
    let text = read_at_most(path, SHARED_BYTES_MAX)?;
    let shared: Shared = match Card::parse(&text) {
        Ok(card) => Shared {
            version: 1,
            cards: vec![serde_json::from_str(&card.text()).unwrap_or_default()],
            ..Shared::default()
        },
        Err(_) => serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?,
    };
    if shared.version != 1 {
        return Err(malformed(format!("version {}: expected 1", shared.version)));
    }
    let mut told = Vec::new();
    if let Some(genesis) = &shared.genesis {
        told.extend(keep_genesis(home, genesis, &malformed)?);
    }
    let genesis = home.join(GENESIS_FILE);
    let listed = genesis
        .exists()
        .then(|| read_genesis(&genesis))
        .transpose()?;
    let own = own_card(home)?;
    for card in &shared.cards {
        let card = Card::parse(&card.to_string()).map_err(malformed)?;
        let said = card.says();
        let is_listed = listed
            .as_ref()
            .is_none_or(|(_, network)| network.charter.is_operator(&said.operator));
        if said.operator == own.says().operator {
            continue;
        }
        if is_listed || newcomers {
            told.extend(keep_card(home, &card)?);
        } else {
            told.push(format!(
                "NOT taken: card of {}, operator {}, whom the genesis doesn't list (--newcomers takes it)",
                said.name, said.operator
            ));
        }
    }
    for consent in &shared.consents {
        told.extend(keep_consent(home, &consent.to_string(), &malformed)?);
    }
    if told.is_empty() {
        told.push("nothing new".into());
    }
    Ok(told.join("\n") + "\n")
}

/// Keeps a card, unless there is one of its operator that is as new; says if it does.
///
/// # Errors
/// [`Error::Io`], [`Error::Malformed`].
pub fn keep_card(home: &Path, card: &Card) -> Result<Option<String>, Error> {
    let said = card.says();
    let path = home.join(CARDS).join(format!("{}.json", said.operator));
    if path.exists() && read_card(&path)?.says().issued >= said.issued {
        return Ok(None);
    }
    write_atomic(&path, card.text().as_bytes())?;
    Ok(Some(format!(
        "card of {}: operator {}, at {}",
        said.name, said.operator, said.p2p
    )))
}

/// Keeps a genesis where there is none; another one than there is is refused.
fn keep_genesis(
    home: &Path,
    text: &str,
    malformed: &dyn Fn(String) -> Error,
) -> Result<Option<String>, Error> {
    let path = home.join(GENESIS_FILE);
    if path.exists() {
        return match read(&path)? == text {
            true => Ok(None),
            false => Err(malformed(format!(
                "its genesis is another one than {}: compare the drafts and the cards; nothing was taken over it",
                path.display()
            ))),
        };
    }
    white_city_client::genesis::from_json(text.as_bytes())
        .map_err(|error| malformed(format!("genesis: {error}")))?;
    write_atomic(&path, text.as_bytes())?;
    Ok(Some(
        "genesis: compare its hash (`genesis check`) before you sign it".into(),
    ))
}

fn keep_consent(
    home: &Path,
    consent: &str,
    malformed: &dyn Fn(String) -> Error,
) -> Result<Option<String>, Error> {
    let (text, network) = read_genesis(&home.join(GENESIS_FILE))?;
    let operator = ceremony::read_consent(consent, &text, &network);
    let operator = operator.map_err(|reason| malformed(format!("a consent: {reason}")))?;
    let path = home.join(CONSENTS).join(format!("{operator}.json"));
    if path.exists() {
        return Ok(None);
    }
    write_atomic(&path, consent.as_bytes())?;
    Ok(Some(format!("consent of operator {operator}")))
}
