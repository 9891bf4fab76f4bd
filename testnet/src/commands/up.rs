//! `up`: a network in the foreground

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use white_city_node::process::interrupted;
use white_city_testnet::control::{Request, Server, request};
use white_city_testnet::{AppState, Engine, Error, NodeError, Options, Testnet, default_app_state};
use white_city_wire::{Hash, charter::OpenerQuota};

use super::{UpArgs, print, table};

/// Most live sessions of an opener that is named on the command line.
const OPENER_MAX_LIVE: u32 = 1_000;

/// Starts or continues a network, and ends it on Ctrl-C, SIGTERM, SIGHUP or `down`.
pub async fn run(args: UpArgs) -> Result<(), Error> {
    let interrupted = interrupted()?;
    tokio::pin!(interrupted);
    let options = Options {
        replicas: args.replicas.unwrap_or(match args.engine {
            Engine::Cometbft => 4,
            Engine::Solo => 1,
        }),
        spares: args.spares,
        snapshot_blocks: args.snapshot_blocks,
        keep_blocks: args.keep_blocks,
        chain_id: args.chain_id,
        app_state: app_state(&args.opener)?,
        port_base: args.port_base,
        tmpfs: args.tmpfs,
        link_delay: Duration::from_millis(args.link_delay),
        profile: None,
        engine: args.engine,
        application: args.application,
        replica_program: args.replica_program,
        remote_signers: args.remote_signer,
        ..Options::new(args.dir)
    };
    let exists = options.dir.join("testnet.json").exists();
    if exists && options.app_state.is_some() {
        return Err(Error::Refused(format!(
            "--opener: {} has a network, and its openers are part of its genesis",
            options.dir.display()
        )));
    }
    let opening = async {
        if exists {
            Testnet::open(&options).await
        } else {
            Testnet::create(&options).await
        }
    };
    let testnet = tokio::select! {
        testnet = opening => Arc::new(testnet?),
        signal = &mut interrupted => return Err(Error::Refused(format!("ended by {signal}"))),
    };
    if exists && args.spares > 0 {
        return Err(Error::Refused(format!(
            "--spares: {} has a network, whose homes were made with it",
            testnet.dir().display()
        )));
    }
    let asked = args.replicas.map(|replicas| replicas + args.spares);
    if let Some(asked) = asked.filter(|asked| *asked != testnet.replicas()) {
        let has = testnet.replicas();
        return Err(Error::Refused(format!(
            "{} has {has} replicas, {asked} were asked for",
            testnet.dir().display()
        )));
    }
    let down = Arc::new(Notify::new());
    let server = Server::start(&testnet, Arc::clone(&down))?;
    let result = tokio::select! {
        result = serve(&testnet, &down) => result,
        _ = &mut interrupted => Ok(()),
    };
    eprintln!("ending the network");
    testnet.stop_all().await;
    drop(server);
    finish(testnet).await.and(result)
}

/// Parameters and charter of a board with these openers; `None` without any.
fn app_state(openers: &[String]) -> Result<Option<AppState>, Error> {
    if openers.is_empty() {
        return Ok(None);
    }
    let mut app_state = default_app_state()?;
    let charter = &mut app_state.charter;
    for opener in openers {
        let key = Hash::from_hex(opener).ok_or_else(|| {
            Error::Node(NodeError::Option {
                what: "--opener",
                got: opener.clone(),
                expected: "an identity's public key, 64 hexadecimal digits".into(),
            })
        })?;
        charter.openers.push(OpenerQuota {
            key,
            max_live: OPENER_MAX_LIVE,
            max_bytes: charter.anyone_max_bytes,
        });
    }
    Ok(Some(app_state))
}

async fn serve(testnet: &Testnet, down: &Notify) -> Result<(), Error> {
    tokio::select! {
        started = testnet.start_most() => for (index, error) in started? {
            eprintln!("replica {index} isn't started, the others are: {error}");
        },
        () = down.notified() => return Ok(()),
    }
    let status = request(testnet.dir(), Request::Status).await?;
    let text = format!(
        "{} on {}\n{}network file: {}\n",
        testnet.chain_id(),
        testnet.dir().display(),
        table(&status),
        testnet.network_file().display()
    );
    if let Err(error) = print(&text) {
        // The network is there all the same.
        tracing::warn!(%error);
    }
    down.notified().await;
    Ok(())
}

/// Waits until nobody else uses the network, and lets it go.
async fn finish(mut testnet: Arc<Testnet>) -> Result<(), Error> {
    for _ in 0..100 {
        match Arc::try_unwrap(testnet) {
            Ok(testnet) => return testnet.stop().await,
            Err(shared) => testnet = shared,
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}
