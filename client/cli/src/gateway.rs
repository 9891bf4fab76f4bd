//! `white-city gateway`: a party for programs in other languages.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use white_city_client::Signer as _;
use white_city_gateway::{Gateway, ListenError, Listening, Options, Token, TokenError};
use zeroize::Zeroizing;

use crate::{
    args::{GatewayArgs, NetworkArgs},
    failure::Failure,
    journal, network,
    output::Output,
    unlock,
};

/// Time between two looks at what was verified, which is kept.
const KEEP: Duration = Duration::from_secs(60);

/// Serves until it is interrupted or terminated.
pub async fn run(
    args: &GatewayArgs,
    forks: Option<&Path>,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let unlock = unlock::given(&args.unlock)?;
    let identity = &args.identity.identity;
    let key = unlock::identity(&args.identity, unlock.as_ref(), output)?;
    let public = key.identity();
    let client = network::signing(network, identity, key)?;
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *random)
        .map_err(|error| Failure::other(format!("no random bytes: {error}")))?;
    let token = Token::file(&args.token_file, &random)?;
    let mut openings = identity.as_os_str().to_owned();
    openings.push(".openings");
    let gateway = Gateway::new(Options {
        client,
        identity: public,
        journals: journal::folder_made(identity)?,
        openings: PathBuf::from(openings),
        forks: forks.map_or_else(PathBuf::new, Path::to_owned),
        unlock,
        token,
        max_sessions: args.max_sessions.into(),
    });
    let mut terminated = signal(SignalKind::terminate())
        .map_err(|error| Failure::other(format!("no signals: {error}")))?;
    let listening = Listening::at(&args.listen, args.exposed).await?;
    let address = listening.address().to_string();
    output.event(&json!({ "event": "listening", "listen": address, "key": public.to_string() }));
    output.note(&format!("party {public} listens at {address}"));
    let ended = async {
        select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let serving = gateway.serve(listening, ended);
    select! {
        () = serving => {}
        failure = keep(network, output) => return Err(failure),
    }
    let text = "the gateway has ended; its sessions go on from their journals";
    output.result(&json!({ "result": "ended", "listen": address }), text)
}

/// Keeps what is verified, again and again, until that turns out to be two histories.
async fn keep(network: &NetworkArgs, output: &Output) -> Failure {
    let mut looks = interval(KEEP);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Err(failure) = network.keeping.keep(output) {
            return failure;
        }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        Self::usage(error.to_string())
    }
}
