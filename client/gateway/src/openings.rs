//! Openings that were asked for, each in a file of its own before it is sent: the same request opens the same session, whoever was killed.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use tokio::sync::Mutex;
use white_city_client::{
    Client, Error, Opening, SessionId, Spec,
    files::{create_secret, make_private_folder, read_secret},
    wire::hash::sha256,
};

use crate::failure::Failure;

/// Largest opening that is read, bytes: more than any board takes.
const OPENING_BYTES_MAX: u64 = 1 << 20;
/// Longest name of a request, bytes.
const NAME_BYTES_MAX: usize = 128;

/// Whoever decides which opening is that of a request does it alone.
static DECIDING: Mutex<()> = Mutex::const_new(());

/// Opens the session that was asked for under this name, now or before.
pub(crate) async fn open(
    client: &Client,
    folder: &Path,
    name: &str,
    spec: Spec,
) -> Result<SessionId, Failure> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Failure::request(
            "request: expected a name of the request, 1 to 128 bytes: the same one opens the same session",
        ));
    }
    let file = file(client, folder, name)?;
    let mut opening = decide(client, &file, &spec, None).await?;
    match send(client, &mut opening).await {
        Ok(id) => Ok(id),
        // No board has shown it in time, so nobody can have joined it.
        Err(_) if client.is_over(&opening).await => {
            let mut another = decide(client, &file, &spec, Some(opening.id())).await?;
            Ok(send(client, &mut another).await?)
        }
        Err(error) => {
            let is_refused = matches!(
                error,
                Error::Refused { .. } | Error::QuotaExceeded { .. } | Error::Stamp { .. }
            );
            if is_refused {
                // What the board has refused for good isn't gone on with.
                let _ = fs::remove_file(&file);
            }
            Err(error.into())
        }
    }
}

/// The file of a request on this network.
fn file(client: &Client, folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    make_private_folder(folder).map_err(|error| Failure::io(&error))?;
    let what = [&client.network().id.0[..], name.as_bytes()].concat();
    Ok(folder.join(sha256(&what).to_string()))
}

/// The opening of a request: the one that was kept, unless that is `over`, or a new one, which is kept.
async fn decide(
    client: &Client,
    file: &Path,
    spec: &Spec,
    over: Option<SessionId>,
) -> Result<Opening, Failure> {
    let _alone = DECIDING.lock().await;
    if let Some(kept) = kept(client, file)?.filter(|kept| Some(kept.id()) != over) {
        return match kept.open().spec == *spec {
            true => Ok(kept),
            false => Err(Failure::differs(format!(
                "this request has opened the session {} with another spec: expected the same one, or another name in `request`",
                kept.id()
            ))),
        };
    }
    let opening = client.opening(spec.clone()).await?;
    let _ = fs::remove_file(file);
    create_secret(file, &opening.to_bytes()).map_err(|error| Failure::io(&error))?;
    Ok(opening)
}

fn kept(client: &Client, file: &Path) -> Result<Option<Opening>, Failure> {
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(&error)),
        Ok(_) => {}
    }
    let bytes = read_secret(file, OPENING_BYTES_MAX).map_err(|error| Failure::io(&error))?;
    Ok(Opening::from_bytes(&bytes, &client.network().id))
}

async fn send(client: &Client, opening: &mut Opening) -> Result<SessionId, Error> {
    client.stamp(opening).await?;
    client.open_with(opening).await
}
