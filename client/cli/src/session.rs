//! `white-city session …`

use std::path::Path;

use serde_json::json;
use white_city_client::{
    Client, End, Session, SessionId, read::SessionRef, vault::Unlock, wire::board::Status,
};

use crate::{
    args::{NetworkArgs, SessionCommand, SignerArgs},
    failure::Failure,
    journal, network,
    output::{NOT_JOINED, Output, shown},
    presets, progress, receipt, unlock,
};

mod list;
pub mod open;
mod rounds;
mod show;

pub use show::{consent, meaning, roster_text};

/// Runs a command.
pub async fn run(
    command: SessionCommand,
    args: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        SessionCommand::Open(open_args) => open::run(&open_args, args, output).await,
        SessionCommand::List(list_args) => list::run(&list_args, args, output).await,
        SessionCommand::Show { session } => {
            show::run(&network::reader(args)?, session.0, output).await
        }
        SessionCommand::Join {
            session,
            identity,
            unlock,
            yes,
            journal,
        } => {
            let unlock = unlock::given(&unlock)?;
            let key = unlock::identity(&identity, unlock.as_ref(), output)?;
            let client = network::signing(args, &identity.identity, key)?;
            let journal = journal::path(journal.as_ref(), &identity.identity, session)?;
            let keys = (&*journal, unlock.as_ref());
            join(&client, session, keys, yes, output).await
        }
        SessionCommand::Post(post) => rounds::post(&post, args, output).await,
        SessionCommand::Inbox(inbox) => rounds::inbox(&inbox, args, output).await,
        SessionCommand::Finish(finish) => rounds::finish(&finish, args, output).await,
        SessionCommand::Complain(about) => rounds::complain(&about, args, output).await,
        SessionCommand::Randomness(drawn) => rounds::randomness(&drawn, args, output).await,
        SessionCommand::Remember(state) => rounds::remember(&state, args, output).await,
        SessionCommand::Recall(state) => rounds::recall(&state, args, output).await,
        SessionCommand::Decline {
            session,
            identity,
            reason,
        } => {
            let client = signing(args, &identity, output)?;
            let mut session = client.session(session).await?;
            output.speak_of(&session.spec().roster);
            check_live(&session)?;
            progress::during(output, &client, session.progress(), session.decline(reason)).await?;
            check_left(&session)?;
            left(&session.id(), "declined", output)
        }
        SessionCommand::Abort {
            session,
            identity,
            cause,
        } => {
            let client = signing(args, &identity, output)?;
            let mut session = client.session(session).await?;
            output.speak_of(&session.spec().roster);
            check_live(&session)?;
            let leave = session.abort(cause, None, white_city_client::Hash::ZERO);
            leave.await?;
            check_left(&session)?;
            left(&session.id(), "left", output)
        }
        SessionCommand::Receipt(receipt) => {
            receipt::write(&network::reader(args)?, &receipt, output).await
        }
        SessionCommand::Evidence { session, out } => {
            receipt::write_evidence(&network::reader(args)?, session, &out, output).await
        }
        SessionCommand::Watch { session } => watch(&network::reader(args)?, session, output).await,
    }
}

fn signing(network: &NetworkArgs, args: &SignerArgs, output: &Output) -> Result<Client, Failure> {
    network::signing(network, &args.identity, unlock::signer(args, output)?)
}

/// An ended session can't be left.
fn check_live(session: &Session) -> Result<(), Failure> {
    match session.end() {
        None => Ok(()),
        Some(End::Finished { outcome }) => Err(Failure::late(format!(
            "the session has finished already, with the outcome {outcome}"
        ))),
        Some(End::Aborted(record) | End::Unknown(record)) => Err(Failure::aborted(format!(
            "the session has aborted already: {record}"
        ))),
    }
}

/// It may have ended in between, or because this party left.
fn check_left(session: &Session) -> Result<(), Failure> {
    match session.end() {
        Some(End::Aborted(record))
            if record
                .left
                .iter()
                .any(|leaver| leaver.index == session.index()) =>
        {
            Ok(())
        }
        _ => check_live(session),
    }
}

fn left(id: &SessionId, how: &str, output: &Output) -> Result<(), Failure> {
    output.result(&json!({ "session": id, "result": how }), how)
}

async fn join(
    client: &Client,
    id: SessionId,
    (journal, unlock): (&Path, Option<&Unlock>),
    yes: bool,
    output: &Output,
) -> Result<(), Failure> {
    let mut session = match unlock {
        Some(unlock) => client.resume_locked(id, journal, unlock).await?,
        None => {
            // What runs the rounds of these keeps its share in a vault, and hence the journal under what opens that.
            let protocol = client.open_of(id).await?.spec.protocol;
            if presets::ALL.contains(&&*protocol) {
                return Err(Failure::usage(format!(
                    "the session runs {protocol:?}: expected --passphrase-file or --key-file, the one that this party's share \
                     is encrypted with"
                )));
            }
            client.resume(id, journal).await?
        }
    };
    consent(&session, output);
    if let Err(unsaid) = consented(&session, yes, output).await {
        // Nothing was signed, so it holds nothing.
        let _ = session.forget();
        return Err(unsaid);
    }
    let news = session.progress();
    if let Err(error) = progress::during(output, client, news, session.join()).await {
        if !session.has_signed() {
            let _ = session.forget();
        }
        return Err(error.into());
    }
    let index = session.index();
    let text = format!("joined as party {index}, journal {}", journal.display());
    let result = json!({ "session": id, "index": index, "journal": shown(journal) });
    output.result(&result, &text)
}

/// Whether whoever runs this has said yes to the session; a party that has joined has.
async fn consented(session: &Session, yes: bool, output: &Output) -> Result<(), Failure> {
    if yes || session.has_signed() {
        return Ok(());
    }
    let nobody = "this session: expected --yes";
    output
        .consent("join? yes or no: ".into(), nobody, NOT_JOINED)
        .await
}

async fn watch(client: &Client, id: SessionId, output: &Output) -> Result<(), Failure> {
    let mut observer = client.observe(id).await?;
    output.speak_of(&observer.spec().roster);
    let news = observer.progress();
    let end = tokio::select! {
        end = progress::during(output, client, news, observer.wait_end()) => end?,
        () = output.closed() => return Err(Failure::closed()),
    };
    match end {
        End::Finished { outcome } => {
            let value = json!({ "session": id, "status": Status::Finished, "outcome": outcome });
            output.result(&value, &format!("finished with the outcome {outcome}"))
        }
        End::Aborted(record) | End::Unknown(record) => {
            let session = SessionRef::Id(id);
            Err(Failure::aborted(format!(
                "session {session} aborted: {record}"
            )))
        }
    }
}
