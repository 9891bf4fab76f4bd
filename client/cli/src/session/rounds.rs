//! A party of any protocol, round by round: what it posts comes from files, what it gets goes to files, and all else is in its journal.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::json;
use white_city_client::{
    Client, End, Error, Hash, Inbox, Session,
    files::{create_secret, make_private_folder, read_secret},
    wire::{board::Status, hash::sha256},
};
use white_city_gateway::shown::Round;
use zeroize::Zeroizing;

use crate::{
    args::{
        ComplainArgs, FinishArgs, InboxArgs, JoinedArgs, NetworkArgs, PostArgs, RandomnessArgs,
        RecallArgs, RememberArgs,
    },
    failure::Failure,
    journal, network,
    output::{Output, shown, to_json},
    progress, unlock,
};

/// Largest file that is read for a post or as a result, bytes: more than any board takes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// The name that means standard input.
const STDIN: &str = "-";

/// A party that goes on from its journal.
async fn enter(
    args: &JoinedArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(Client, Session), Failure> {
    let unlock = unlock::given(&args.unlock)?;
    let key = unlock::identity(&args.identity, unlock.as_ref(), output)?;
    let identity = &args.identity.identity;
    let journal = journal::name(args.journal.as_ref(), identity, args.session);
    if !journal.exists() {
        return Err(Failure::usage(format!(
            "{}: no journal: expected `session join` first, with the same --identity and --journal",
            journal.display()
        )));
    }
    let client = network::signing(network, identity, key)?;
    let mut session = match &unlock {
        Some(unlock) => client.resume_locked(args.session, &journal, unlock).await?,
        None => client.resume(args.session, &journal).await?,
    };
    if args.once {
        session.never_wait();
    }
    Ok((client, session))
}

/// Posts.
pub async fn post(args: &PostArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let (broadcast, p2p) = payloads(args)?;
    let (client, mut session) = enter(&args.party, network, output).await?;
    let (news, round) = (session.progress(), args.round);
    let posted = async {
        session.wait_round_open(round).await?;
        session.post(round, broadcast.to_vec(), p2p).await
    };
    progress::during(output, &client, news, posted).await?;
    let result = json!({ "session": session.id(), "round": round, "result": "posted" });
    output.result(&result, &format!("posted in round {round}"))
}

type Bytes = Zeroizing<Vec<u8>>;

/// The broadcast, and what goes to single parties. Standard input is for one of them.
fn payloads(args: &PostArgs) -> Result<(Bytes, Vec<(u16, Bytes)>), Failure> {
    let files = args.to.iter().map(|payload| &payload.file);
    let all = args.broadcast.iter().chain(files);
    if all.filter(|file| file.as_os_str() == STDIN).count() > 1 {
        return Err(Failure::usage("expected at most one - for standard input"));
    }
    let broadcast = match &args.broadcast {
        Some(file) => read(file)?,
        None => Bytes::default(),
    };
    let mut p2p = Vec::new();
    for payload in &args.to {
        p2p.push((payload.to, read(&payload.file)?));
    }
    if let Some(folder) = &args.p2p {
        let of_folder = |error: io::Error| Failure::usage(format!("{}: {error}", folder.display()));
        for file in fs::read_dir(folder).map_err(of_folder)? {
            let file = file.map_err(of_folder)?;
            let to = file.file_name().to_str().and_then(|name| name.parse().ok());
            let to = to.ok_or_else(|| {
                let file = file.path();
                Failure::usage(format!(
                    "{}: expected a party's index as its name",
                    file.display()
                ))
            })?;
            p2p.push((to, read(&file.path())?));
        }
    }
    // One order for whatever order a folder has.
    p2p.sort_by_key(|(to, _)| *to);
    Ok((broadcast, p2p))
}

fn read(file: &Path) -> Result<Bytes, Failure> {
    let of_file = |error: io::Error| Failure::usage(format!("{}: {error}", file.display()));
    let mut bytes = Bytes::default();
    let limit = FILE_BYTES_MAX.saturating_add(1);
    if file.as_os_str() == STDIN {
        io::stdin()
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(of_file)?;
    } else {
        let open = fs::File::open(file).map_err(of_file)?;
        open.take(limit).read_to_end(&mut bytes).map_err(of_file)?;
    }
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= FILE_BYTES_MAX => Ok(bytes),
        _ => {
            let text = format!(
                "{}: expected at most {FILE_BYTES_MAX} bytes",
                file.display()
            );
            Err(Failure::usage(text))
        }
    }
}

/// Waits for a round's end, and writes what it holds.
pub async fn inbox(
    args: &InboxArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    if args.out.is_none() && !output.is_json() {
        return Err(Failure::usage("expected --out DIR, or --json"));
    }
    let (client, mut session) = enter(&args.party, network, output).await?;
    let news = session.progress();
    let inbox = progress::during(output, &client, news, session.inbox(args.round)).await?;
    let posted = progress::parties(&inbox.posted);
    let text = format!("round {} has closed; posted: {posted}", inbox.round);
    let id = session.id();
    let Some(out) = &args.out else {
        let mut value = to_json(&Round::from(inbox));
        if let Some(fields) = value.as_object_mut() {
            fields.insert("session".into(), json!(id));
        }
        return output.result(&value, &text);
    };
    write(&inbox, out)?;
    let result =
        json!({ "session": id, "round": inbox.round, "posted": inbox.posted, "out": shown(out) });
    output.result(&result, &text)
}

/// Writes what a round holds, for its owner alone. What is there already is replaced, as after an interruption.
fn write(inbox: &Inbox, out: &Path) -> Result<(), Failure> {
    let (broadcast, p2p) = (out.join("broadcast"), out.join("p2p"));
    for folder in [&broadcast, &p2p] {
        make_private_folder(folder)?;
    }
    for (from, bytes) in &inbox.broadcasts {
        write_whole(&broadcast.join(from.to_string()), bytes)?;
    }
    for (from, bytes) in &inbox.p2p {
        write_whole(&p2p.join(from.to_string()), bytes)?;
    }
    Ok(())
}

/// Writes a file of which a reader sees all or nothing.
fn write_whole(path: &PathBuf, bytes: &[u8]) -> Result<(), Failure> {
    let unnamed = path.with_extension("new");
    let written = || {
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o600);
        file.open(&unnamed)?.write_all(bytes)?;
        fs::rename(&unnamed, path)
    };
    written().map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// Says that this party is done, and waits for the others.
pub async fn finish(
    args: &FinishArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let outcome = match (args.outcome, &args.outcome_of) {
        (Some(outcome), _) => Hash(outcome),
        (None, Some(file)) => sha256(&read(file)?),
        (None, None) => return Err(Failure::usage("expected --outcome or --outcome-of")),
    };
    let (client, mut session) = enter(&args.party, network, output).await?;
    let news = session.progress();
    let finished = async {
        match session.finish(outcome).await {
            // A quorum was faster.
            Ok(()) | Err(Error::Finished { .. }) => session.wait_end().await,
            Err(error) => Err(error),
        }
    };
    match progress::during(output, &client, news, finished).await? {
        End::Finished { outcome: agreed } if agreed == outcome => {
            let status = Status::Finished;
            let result = json!({ "session": session.id(), "status": status, "outcome": outcome });
            output.result(&result, &format!("finished with the outcome {outcome}"))
        }
        End::Finished { outcome: agreed } => Err(Failure::verification(format!(
            "the others finished with the outcome {agreed}, this party has {outcome}"
        ))),
        End::Aborted(record) | End::Unknown(record) => Err(Error::Unknown(record).into()),
    }
}

/// Complains about a payload, and waits for the end of the session.
pub async fn complain(
    args: &ComplainArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let (client, mut session) = enter(&args.party, network, output).await?;
    let news = session.progress();
    let judged = async {
        session.complain(args.round, args.from).await?;
        session.wait_end().await
    };
    let text = match progress::during(output, &client, news, judged).await? {
        End::Finished { outcome } => format!("finished with the outcome {outcome}"),
        End::Aborted(record) | End::Unknown(record) => record.to_string(),
    };
    let result = json!({ "session": session.id(), "result": "complained", "text": text });
    output.result(&result, &text)
}

/// Writes what this party draws at random in this session, for one purpose.
pub async fn randomness(
    args: &RandomnessArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let (_, session) = enter(&args.party, network, output).await?;
    write_secret(
        &session,
        &*session.randomness(&args.purpose),
        &args.out,
        output,
    )
}

/// Writes a secret into a new file, or one that holds the same already.
fn write_secret(
    session: &Session,
    secret: &[u8],
    out: &Path,
    output: &Output,
) -> Result<(), Failure> {
    let is_there = out.exists();
    if is_there && read_secret(out, FILE_BYTES_MAX)?.as_slice() != secret {
        return Err(Failure::usage(format!(
            "{}: something else is there: expected a new file, or one of the same bytes",
            out.display()
        )));
    }
    if !is_there {
        create_secret(out, secret)?;
    }
    let result = json!({ "session": session.id(), "out": shown(out) });
    output.result(&result, &format!("wrote {}", out.display()))
}

/// Keeps a state in the journal.
pub async fn remember(
    args: &RememberArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let state = read(&args.state)?;
    let (_, mut session) = enter(&args.party, network, output).await?;
    session.remember(&args.name, &state)?;
    let result = json!({ "session": session.id(), "result": "remembered", "bytes": state.len() });
    output.result(&result, &format!("remembered {} bytes", state.len()))
}

/// Writes a state that was remembered.
pub async fn recall(
    args: &RecallArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let (_, session) = enter(&args.party, network, output).await?;
    match session.recall(&args.name) {
        Some(state) => {
            write_whole(&args.out, state)?;
            let result = json!({ "session": session.id(), "out": shown(&args.out) });
            output.result(&result, &format!("wrote {}", args.out.display()))
        }
        None => Err(Failure::not_remembered(&args.name)),
    }
}
