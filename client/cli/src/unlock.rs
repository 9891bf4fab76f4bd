//! What opens the files of a party.

use std::path::PathBuf;

use white_city_client::{LocalKey, vault::Unlock};

use crate::{
    args::{IdentityArgs, MaybeUnlockArgs, SignerArgs, UnlockArgs},
    failure::Failure,
};

/// What encrypts a share and a journal.
pub fn vault(args: &UnlockArgs) -> Result<Unlock, Failure> {
    let unlock = read(args.passphrase_file.as_ref(), args.key_file.as_ref())?;
    unlock.ok_or_else(|| Failure::usage("expected --passphrase-file or --key-file"))
}

/// The same, if it was given.
pub fn given(args: &MaybeUnlockArgs) -> Result<Option<Unlock>, Failure> {
    read(args.passphrase_file.as_ref(), args.key_file.as_ref())
}

/// An identity, opened by its own unlock or, where there is none, by that of the rest.
pub fn identity(args: &IdentityArgs, rest: Option<&Unlock>) -> Result<LocalKey, Failure> {
    let own = read(
        args.identity_passphrase_file.as_ref(),
        args.identity_key_file.as_ref(),
    )?;
    Ok(LocalKey::load(&args.identity, own.as_ref().or(rest))?)
}

/// An identity of which nothing else is opened.
pub fn signer(args: &SignerArgs) -> Result<LocalKey, Failure> {
    Ok(LocalKey::load(
        &args.identity,
        given(&args.unlock)?.as_ref(),
    )?)
}

fn read(
    passphrase_file: Option<&PathBuf>,
    key_file: Option<&PathBuf>,
) -> Result<Option<Unlock>, Failure> {
    Ok(match (passphrase_file, key_file) {
        (Some(file), _) => Some(Unlock::passphrase_file(file)?),
        (None, Some(file)) => Some(Unlock::key_file(file)?),
        (None, None) => None,
    })
}
