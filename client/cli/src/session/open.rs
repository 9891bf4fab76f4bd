//! `white-city session open`: an interrupted run is gone on with, not done once more.

use std::{
    convert::Infallible,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::watch::Receiver;
use white_city_client::{Client, Error, Hash, Opening, Spec, Stamping, wire::hash::sha256};

use crate::{
    args::{NetworkArgs, OpenArgs},
    failure::Failure,
    network,
    output::Output,
    presets::{self, KEYGEN, KeygenInput},
    progress::{self, seconds_text},
    unlock,
};

/// Longest silence of the board before people are told whom that lies with, each time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before an opening is tried again for which a quota had no room.
const ROOM: Duration = Duration::from_secs(5);
/// Largest opening that is read, bytes: more than any board takes.
const OPENING_BYTES_MAX: u64 = 1 << 20;

/// Opens the session that the arguments describe.
pub async fn run(args: &OpenArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let trust = network::trust(network)?;
    let spec = presets::spec(args, trust.network())?;
    warn(&spec, output);
    let key = unlock::signer(&args.identity, output)?;
    let identity = &args.identity.identity;
    let client = network::signing(network, identity, key)?;
    let (opening, kept) = open_waiting(&client, identity, (spec, args.wait), output).await?;
    let id = opening.id();
    output.result(&json!({ "session": id }), &id.to_string())?;
    // Now that it was seen the same command opens another one.
    if let Some(kept) = kept {
        kept.forget();
    }
    Ok(())
}

/// Warns of what whoever opens such a session should know of it.
fn warn(spec: &Spec, output: &Output) {
    if !spec.is_fork_safe() {
        output.warning(&format!(
            "not fork-safe: if more replicas than tolerated are malicious, two groups of parties may end differently; \
             that needs 2 * quorum > parties + corrupt ({} parties, quorum {}, corrupt {})",
            spec.parties(),
            spec.quorum,
            spec.corrupt,
        ));
    }
    let keygen = presets::read_input::<KeygenInput>(spec).ok();
    let keygen = keygen.filter(|_| spec.protocol == KEYGEN);
    let honest = spec.quorum.saturating_sub(spec.corrupt);
    if let Some(input) = keygen.filter(|input| honest < input.threshold) {
        output.warning(&format!(
            "the key may be of no use without the corrupt parties: {} of the {} that it is made with may be corrupt, so {honest} \
             others are sure to have a share, and it takes {} to sign",
            spec.corrupt, spec.quorum, input.threshold,
        ));
    }
}

/// Opens it, or goes on with what an interrupted run has sent. Where a quota has no room at present that is waited for, so long at most.
pub async fn open_waiting(
    client: &Client,
    identity: &Path,
    (spec, wait): (Spec, Duration),
    output: &Output,
) -> Result<(Opening, Option<KeptOpening>), Failure> {
    let until = Instant::now() + wait;
    loop {
        // The board has refused it, so nothing of it is anywhere: the next one is another opening of the same.
        let refused = match open(client, identity, spec.clone(), output).await {
            Err(refused) if refused.is_later && Instant::now() < until => refused,
            opened => return opened,
        };
        let left = until.saturating_duration_since(Instant::now());
        let value = json!({
            "event": "no_room", "text": refused.text, "remaining_ms": u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        });
        output.event(&value);
        let left = seconds_text(left.as_secs());
        output.note(&format!(
            "{}; waiting for room, {left} at most",
            refused.text
        ));
        tokio::time::sleep(ROOM.min(until.saturating_duration_since(Instant::now()))).await;
    }
}

/// Opens it, or goes on with what an interrupted run has sent.
async fn open(
    client: &Client,
    identity: &Path,
    spec: Spec,
    output: &Output,
) -> Result<(Opening, Option<KeptOpening>), Failure> {
    let network = client.network().id;
    let what = [&network.0[..], &spec.hash().0].concat();
    let (mut kept, bytes) = match KeptOpening::open(identity, &sha256(&what)) {
        Ok((kept, bytes)) => (Some(kept), bytes),
        Err(error) => {
            output.warning(&format!(
                "an interruption could not be gone on with: no file beside {}: {error}",
                identity.display()
            ));
            (None, Vec::new())
        }
    };
    let before = Opening::from_bytes(&bytes, &network).filter(|before| before.open().spec == spec);
    if let Some(mut before) = before {
        output.note(&format!("going on with the session {}", before.id()));
        match stamp_and_send(client, &mut before, kept.as_mut(), output).await {
            Ok(()) => return Ok((before, kept)),
            Err(error) if !client.is_over(&before).await => return Err(error.into()),
            // No board has shown it in time, so nobody can have joined it.
            Err(error) => output.note(&format!("that one can't be opened any more: {error}")),
        }
    }
    let mut opening = client.opening(spec).await?;
    if let Some(kept) = &mut kept {
        kept.write(&opening.to_bytes())
            .map_err(|error| Failure::usage(format!("{}: {error}", kept.path.display())))?;
    }
    output.event(&json!({ "event": "opening", "session": opening.id() }));
    let opened = stamp_and_send(client, &mut opening, kept.as_mut(), output).await;
    if let Err(error) = opened {
        // What the board has refused for good isn't gone on with.
        let is_refused = matches!(
            error,
            Error::Refused { .. } | Error::QuotaExceeded { .. } | Error::Stamp { .. }
        );
        if let Some(kept) = kept.filter(|_| is_refused) {
            kept.forget();
        }
        return Err(error.into());
    }
    Ok((opening, kept))
}

/// Has the opening stamped where the charter asks for it, keeps it with its stamp, and sends it.
async fn stamp_and_send(
    client: &Client,
    opening: &mut Opening,
    kept: Option<&mut KeptOpening>,
    output: &Output,
) -> Result<(), Error> {
    let news = opening.stamping();
    let stamped = client.stamp(opening);
    let is_new = progress::while_stamping(output, news.clone(), stamped).await?;
    if let Some(kept) = kept.filter(|_| is_new) {
        let written = kept.write(&opening.to_bytes());
        // The session is kept all the same: an interrupted run has only its stamp to compute again.
        if let Err(error) = written {
            output.warning(&format!("{}: {error}", kept.path.display()));
        }
    }
    let sent = progress::while_stamping(output, news.clone(), client.open_with(opening));
    tell_of_silence(client, &news, sent, output).await?;
    Ok(())
}

/// Does it, and says after each ten seconds whom it waits for.
async fn tell_of_silence<T>(
    client: &Client,
    stamping: &Receiver<Option<Stamping>>,
    work: impl Future<Output = T>,
    output: &Output,
) -> T {
    tokio::select! {
        done = work => done,
        never = tell_of_replicas(client, stamping, output) => match never {},
    }
}

async fn tell_of_replicas(
    client: &Client,
    stamping: &Receiver<Option<Stamping>>,
    output: &Output,
) -> Infallible {
    loop {
        tokio::time::sleep(PATIENCE).await;
        // Nobody is waited for then.
        if stamping.borrow().is_some() {
            continue;
        }
        let mut lines = vec!["the board hasn't shown the session yet".to_owned()];
        lines.extend(client.heights().await.into_iter().map(|one| {
            let replica = one.replica;
            match one.height {
                Ok(height) => format!("  {replica} is at height {height}"),
                Err(reason) => format!("  {replica} doesn't answer: {reason}"),
            }
        }));
        output.warning(&lines.join("\n"));
    }
}

/// The opening that was signed, beside the identity, until its session was seen. Locked while this process lives, so that two
/// runs of the same command at once open two sessions.
pub struct KeptOpening {
    path: PathBuf,
    file: File,
    /// Whether there is anything in it to go on with.
    is_written: bool,
}

impl KeptOpening {
    /// The file for what is opened, and what an interrupted run has left in it.
    fn open(identity: &Path, what: &Hash) -> io::Result<(Self, Vec<u8>)> {
        let name: String = what.to_string().chars().take(16).collect();
        let mut others = 0_u32;
        loop {
            let mut path = identity.as_os_str().to_owned();
            path.push(format!(".opening-{name}-{others}"));
            let path = PathBuf::from(path);
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    others = others.saturating_add(1);
                    continue;
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it before may have removed it since.
            if file.metadata()?.nlink() == 0 {
                continue;
            }
            let mut bytes = Vec::new();
            (&mut file)
                .take(OPENING_BYTES_MAX)
                .read_to_end(&mut bytes)?;
            let kept = Self {
                path,
                file,
                is_written: !bytes.is_empty(),
            };
            return Ok((kept, bytes));
        }
    }

    /// Writes what is about to be sent, and waits until it is on the disk.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_written = true;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(bytes)?;
        self.file.sync_all()
    }

    pub fn forget(mut self) {
        self.is_written = false;
    }
}

impl Drop for KeptOpening {
    fn drop(&mut self) {
        if !self.is_written {
            // Whoever finds it empty takes it for a new one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_by_the_next_run_and_not_by_one_at_the_same_time() {
        let dir = tempfile::tempdir().unwrap();
        let identity = dir.path().join("i");
        let open = || KeptOpening::open(&identity, &Hash([7; 32])).unwrap();
        let (mut first, found) = open();
        assert!(found.is_empty());
        first.write(b"opening").unwrap();
        let (second, found) = open();
        assert!(found.is_empty(), "the first one is under way");
        drop((first, second));
        let (first, found) = open();
        assert_eq!(found, b"opening");
        first.forget();
        assert_eq!(open().1, b"");
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }
}
