//! `white-city-node genesis …`

use std::path::Path;
use std::process::ExitCode;

use white_city_client::Signer as _;
use white_city_node::ceremony;
use white_city_node::files::{read, write_atomic};
use white_city_node::node::{
    CARDS, CONSENTS, Node, own_card, read_cards, read_consents, read_genesis,
};
use white_city_node::{Error, fit, keys};
use white_city_wire::hash::sha256;

use super::{FOUND, genesis_path, operator, print};
use crate::args::GenesisCommand;

/// Runs a command.
pub fn run(home: &Path, command: GenesisCommand) -> Result<ExitCode, Error> {
    match command {
        GenesisCommand::Draft { chain_id } => print(&ceremony::new_draft(&chain_id)?)?,
        GenesisCommand::Make { draft } => make(home, &draft)?,
        GenesisCommand::Sign(args) => {
            let (text, network) = read_genesis(&genesis_path(home))?;
            let key = operator(home, &args)?;
            let consent = ceremony::consent(&text, &network, &key)?;
            let path = home.join(CONSENTS).join(format!("{}.json", key.identity()));
            write_atomic(&path, consent.as_bytes())?;
            check(home)?;
        }
        GenesisCommand::Check => {
            let fits = check(home)?;
            return Ok(ExitCode::from(if fits { 0 } else { FOUND }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn make(home: &Path, draft: &Path) -> Result<(), Error> {
    let path = genesis_path(home);
    let draft = ceremony::read_draft(&read(draft)?)?;
    let mut cards = read_cards(&home.join(CARDS))?;
    let own = own_card(home)?;
    cards.retain(|card| card.says().operator != own.says().operator);
    cards.push(own);
    let text = ceremony::make(&draft, &cards)?;
    if path.exists() && read(&path)? != text {
        return Err(Error::Option {
            what: "genesis",
            got: path.display().to_string(),
            expected: "none yet: remove it, if it isn't that of a board that runs".into(),
        });
    }
    write_atomic(&path, text.as_bytes())?;
    check(home)?;
    Ok(())
}

/// Says what a genesis is, so that operators can compare it over another channel, and what of this node doesn't fit it; gives whether all
/// does.
fn check(home: &Path) -> Result<bool, Error> {
    let (text, network) = read_genesis(&genesis_path(home))?;
    let node = Node::open(home)?;
    let consented = read_consents(&home.join(CONSENTS), &text, &network)?;
    let mut out = format!(
        "chain     {}\ngenesis   {}\nnetwork   {}\nboard     at most {} bytes for all sessions, heartbeat {} ms, {}\n",
        network.chain_id,
        sha256(text.as_bytes()),
        network.id,
        network.charter.max_board_bytes,
        network.params.heartbeat_ms,
        match network.charter.anyone_may_open {
            true => "anybody may open sessions".to_owned(),
            false => format!("{} listed openers", network.charter.openers.len()),
        }
    );
    for replica in &network.charter.replicas {
        let signed = match consented.contains(&replica.operator) {
            true => "signed",
            false => "not signed",
        };
        out += &format!(
            "operator  {:<12} {signed}, validator {}\n",
            node.name_of(&replica.operator),
            keys::address(&replica.validator.0)
        );
    }
    let misfits = fit::misfits(&node, &network)?;
    for misfit in &misfits {
        out += &format!("DOESN'T FIT  {misfit}\n");
    }
    let missing = ceremony::missing(&network, &consented).len();
    out += &match missing {
        0 => "All operators have signed: `start` runs the node.\n".to_owned(),
        missing => format!(
            "{missing} of {} have yet to sign.\n",
            network.charter.replicas.len()
        ),
    };
    print(&out)?;
    Ok(misfits.is_empty())
}
