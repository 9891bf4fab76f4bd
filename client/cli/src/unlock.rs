//! Passphrases and keys that open the files of a party.

use std::path::{Path, PathBuf};

use white_city_client::{LocalKey, signer::KeyFileError, vault::Unlock};

use crate::{
    args::{IdentityArgs, MaybeUnlockArgs, SignerArgs, UnlockArgs},
    failure::{Failure, in_file},
    output::Output,
};

/// The passphrase or key that encrypts a share and a journal.
pub fn vault(args: &UnlockArgs) -> Result<Unlock, Failure> {
    let unlock = read(args.passphrase_file.as_ref(), args.key_file.as_ref())?;
    unlock.ok_or_else(|| Failure::usage("expected --passphrase-file or --key-file"))
}

/// The same, if it was given.
pub fn given(args: &MaybeUnlockArgs) -> Result<Option<Unlock>, Failure> {
    read(args.passphrase_file.as_ref(), args.key_file.as_ref())
}

/// An identity, opened by its own unlock or, where there is none, by that of the rest.
pub fn identity(
    args: &IdentityArgs,
    rest: Option<&Unlock>,
    output: &Output,
) -> Result<LocalKey, Failure> {
    let (passphrase_file, key_file) = (&args.identity_passphrase_file, &args.identity_key_file);
    let Some(own) = read(passphrase_file.as_ref(), key_file.as_ref())? else {
        return Ok(load(&args.identity, rest)?.0);
    };
    let flag = match passphrase_file {
        Some(_) => "--identity-passphrase-file",
        None => "--identity-key-file",
    };
    load_own(&args.identity, Some((&own, flag)), output)
}

/// An identity of which nothing else is opened.
pub fn signer(args: &SignerArgs, output: &Output) -> Result<LocalKey, Failure> {
    only(&args.identity, &args.unlock, output)
}

/// An identity that is all that is opened.
pub fn only(path: &Path, args: &MaybeUnlockArgs, output: &Output) -> Result<LocalKey, Failure> {
    let unlock = given(args)?;
    let flag = match args.passphrase_file {
        Some(_) => "--passphrase-file",
        None => "--key-file",
    };
    load_own(path, unlock.as_ref().map(|own| (own, flag)), output)
}

/// An identity with what was given for it alone: whoever gives it thinks that the identity is encrypted.
fn load_own(
    path: &Path,
    own: Option<(&Unlock, &str)>,
    output: &Output,
) -> Result<LocalKey, Failure> {
    let (key, is_encrypted) = load(path, own.map(|(unlock, _)| unlock))?;
    if let Some((_, flag)) = own.filter(|_| !is_encrypted) {
        output.warning(&format!(
            "{} isn't encrypted, so {flag} opens nothing: whoever reads the file is this party",
            path.display()
        ));
    }
    Ok(key)
}

/// An identity, and whether it is encrypted.
fn load(path: &Path, unlock: Option<&Unlock>) -> Result<(LocalKey, bool), Failure> {
    match (LocalKey::load(path, None), unlock) {
        (Err(KeyFileError::Locked), Some(_)) => {
            let key = LocalKey::load(path, unlock).map_err(in_file(path))?;
            Ok((key, true))
        }
        (Err(KeyFileError::Locked), None) => Err(Failure::usage(format!(
            "{}: the identity is encrypted: expected --passphrase-file or --key-file, with what opens it",
            path.display()
        ))),
        (plain, _) => Ok((plain.map_err(in_file(path))?, false)),
    }
}

fn read(
    passphrase_file: Option<&PathBuf>,
    key_file: Option<&PathBuf>,
) -> Result<Option<Unlock>, Failure> {
    Ok(match (passphrase_file, key_file) {
        (Some(file), _) => Some(Unlock::passphrase_file(file).map_err(in_file(file))?),
        (None, Some(file)) => Some(Unlock::key_file(file).map_err(in_file(file))?),
        (None, None) => None,
    })
}
