//! `white-city session list`

use white_city_client::{
    IdentityKey, SessionFilter, Signer as _,
    wire::{
        board::Status,
        json::{SessionLine, Sessions},
    },
};

use crate::{
    args::{ListArgs, NetworkArgs, State},
    failure::Failure,
    network,
    output::{Output, to_json},
    unlock,
};

/// Lists sessions.
pub async fn run(list: &ListArgs, args: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let client = network::reader(args)?;
    let filter = filter(&list.state).from_number(list.from);
    let mut sessions = match party(list, output)? {
        Some(party) => client.sessions_of(&party, filter).await?,
        None => client.sessions(filter).await?,
    };
    let sessions = sessions.take(list.limit.unwrap_or(usize::MAX)).await?;
    let lines: Vec<SessionLine> = sessions.iter().map(SessionLine::from).collect();
    let text = lines.iter().map(|line| {
        let (status, protocol) = (line.status.name(), &line.protocol);
        format!(
            "{:>6}  {}  {status:<8}  {protocol}",
            line.number, line.session
        )
    });
    let text: Vec<String> = text.collect();
    if text.is_empty() {
        output.note("no sessions");
    }
    let sessions = Sessions {
        sessions: lines,
        next_number: None,
    };
    output.result(&to_json(&sessions), &text.join("\n"))
}

fn party(list: &ListArgs, output: &Output) -> Result<Option<IdentityKey>, Failure> {
    let own = list.identity.as_ref();
    let own = own.map(|identity| unlock::only(identity, &list.unlock, output));
    let own = own.transpose()?.map(|key| key.identity());
    Ok(list.party.or(own))
}

fn filter(states: &[State]) -> SessionFilter {
    if states.is_empty() {
        return SessionFilter::all();
    }
    let statuses = states.iter().flat_map(|state| match state {
        State::Live => vec![Status::Joining, Status::Running, Status::Dispute],
        State::Joining => vec![Status::Joining],
        State::Running => vec![Status::Running],
        State::Dispute => vec![Status::Dispute],
        State::Finished => vec![Status::Finished],
        State::Aborted => vec![Status::Aborted],
        State::Erased => vec![Status::Erased],
    });
    SessionFilter::with(statuses)
}
