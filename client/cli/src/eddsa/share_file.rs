//! A share of a key on disk: what the protocol gave, and who was in the roster that made it.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use white_city_client::{
    IdentityKey, SessionId,
    files::{FileError, probe, promote, refuse_existing, remove},
    vault::{self, Unlock},
    wire::limits::ROSTER_PARTIES_MAX,
};
use white_city_eddsa::KeyShare;
use zeroize::Zeroizing;

use crate::failure::{Failure, in_file};

/// Kind of the vaults that hold shares.
const KIND: &str = "eddsa-share";
/// First byte of what is encrypted.
const VERSION: u8 = 1;

/// A share with the session that made it.
pub struct ShareFile {
    /// The session that made the share: the key generation, or the last refresh.
    pub session: SessionId,
    /// The roster that made the key: who is who, whatever the order of a signing session's.
    pub roster: Vec<IdentityKey>,
    /// The share.
    pub share: KeyShare,
}

/// A share that is on disk, but whose session hasn't finished yet.
pub struct Pending {
    path: PathBuf,
    out: PathBuf,
}

impl ShareFile {
    /// Version, session, size of the roster (u16), its keys, the share's own bytes.
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let share = self.share.to_bytes();
        let parties = self.roster.len();
        let size = 1 + 32 + 2 + 32 * parties + share.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.session.0);
        let parties = u16::try_from(parties).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&parties.to_be_bytes());
        for key in &self.roster {
            bytes.extend_from_slice(key.as_bytes());
        }
        bytes.extend_from_slice(&share);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (session, rest) = rest.split_first_chunk::<32>()?;
        let (parties, rest) = rest.split_first_chunk::<2>()?;
        let parties = u16::from_be_bytes(*parties);
        if parties > ROSTER_PARTIES_MAX {
            return None;
        }
        let (keys, share) = rest.split_at_checked(usize::from(parties) * 32)?;
        let (keys, _) = keys.as_chunks::<32>();
        let roster = keys.iter().map(|key| IdentityKey::from_bytes(key));
        let read = Self {
            session: SessionId(*session),
            roster: roster.collect::<Result<_, _>>().ok()?,
            share: KeyShare::from_bytes(share).ok()?,
        };
        (read.share.parties() == parties).then_some(read)
    }

    /// Reads a share.
    pub fn load(path: &Path, unlock: &Unlock) -> Result<Self, Failure> {
        let bytes = vault::load(path, KIND, unlock).map_err(in_file(path))?;
        Self::decode(&bytes).ok_or_else(|| {
            Failure::usage(format!("{}: not a share of this version", path.display()))
        })
    }

    /// The party with this identity in the roster that made the key.
    pub fn index_of(&self, key: &IdentityKey) -> Option<u16> {
        let position = self.roster.iter().position(|member| member == key)?;
        u16::try_from(position).ok()
    }

    /// Writes the share beside its final name. It has to be on disk before this party says that it is done: a key that
    /// everybody finished and of which a share is lost would be worth less than no key. After a crash it may be there already.
    pub fn store_pending(&self, out: &Path, unlock: &Unlock) -> Result<Pending, Failure> {
        let path = pending_name(out);
        if path.exists() {
            if Self::load(&path, unlock)?.encode() != self.encode() {
                return Err(Failure::other(format!(
                    "{} holds another share of this session",
                    path.display()
                )));
            }
        } else {
            vault::store(&path, KIND, &self.encode(), unlock).map_err(in_file(&path))?;
        }
        Ok(Pending {
            path,
            out: out.to_owned(),
        })
    }
}

impl Pending {
    /// The file in which the share is until the session has finished.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the share its final name.
    pub fn confirm(self) -> Result<(), Failure> {
        Ok(promote(&self.path, &self.out)?)
    }
}

fn pending_name(out: &Path) -> PathBuf {
    let mut name: OsString = out.as_os_str().to_owned();
    name.push(".unconfirmed");
    name.into()
}

/// Looks where the share will be, before a session is joined: gives what this session has made there in an earlier run, lets it
/// go on with what it has left unconfirmed, and refuses names that are taken and folders that take no file.
pub fn made(out: &Path, unlock: &Unlock, session: SessionId) -> Result<Option<ShareFile>, Failure> {
    let pending = pending_name(out);
    if let Err(taken) = refuse_existing(out) {
        let made = ShareFile::load(out, unlock).ok();
        let made = made.filter(|made| made.session == session).ok_or(taken)?;
        // The process that gave the share its name was killed before it took the other one away.
        if pending.exists() && ShareFile::load(&pending, unlock)?.encode() == made.encode() {
            remove(&pending)?;
        }
        return Ok(Some(made));
    }
    match refuse_existing(&pending) {
        Err(FileError::Exists { .. }) if ShareFile::load(&pending, unlock)?.session == session => {}
        other => other?,
    }
    probe(&pending).map_err(|error| {
        let out = out.display();
        let reason = match error {
            // Of a name that nobody has given.
            FileError::Io { source, .. } => source.to_string(),
            other => other.to_string(),
        };
        Failure::usage(format!("--out {out}: no file can be made there: {reason}"))
    })?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use white_city_client::{LocalKey, Signer};
    use white_city_eddsa::{Randomness, Session, keygen};

    use super::*;

    /// The first of two parties after a key generation.
    fn share() -> ShareFile {
        let keys = [1, 2].map(|seed| LocalKey::from_seed(&[seed; 32]).unwrap().identity());
        let roster = keys.map(|key| *key.as_bytes());
        let start = |index: u16| {
            let session = Session::new([9; 32], &roster, index).unwrap();
            keygen::start(session, 1, 2, Randomness::from_seed([index as u8 + 1; 32])).unwrap()
        };
        let (first, out_first) = start(0);
        let (second, out_second) = start(1);
        let commitments = BTreeMap::from([(0, out_first.broadcast), (1, out_second.broadcast)]);
        let (first, out_first) = first.close(&commitments).unwrap();
        let (_, out_second) = second.close(&commitments).unwrap();
        let openings = BTreeMap::from([(0, out_first.broadcast), (1, out_second.broadcast)]);
        let shares = BTreeMap::from([(1, out_second.p2p[&0].clone())]);
        let shares: BTreeMap<u16, Vec<u8>> =
            shares.into_iter().map(|(i, s)| (i, s.to_vec())).collect();
        ShareFile {
            session: SessionId([9; 32]),
            roster: keys.to_vec(),
            share: first.close(&openings, &shares).unwrap(),
        }
    }

    #[test]
    fn a_share_file_gives_back_session_roster_and_share() {
        let share = share();
        let read = ShareFile::decode(&share.encode()).unwrap();
        assert_eq!(read.session, share.session);
        assert_eq!(read.roster, share.roster);
        assert_eq!(read.share.public_key(), share.share.public_key());
        assert_eq!(read.index_of(&share.roster[1]), Some(1));
    }

    #[test]
    fn a_share_file_that_is_cut_or_longer_is_refused() {
        let bytes = share().encode();
        for cut in 0..bytes.len() {
            assert!(ShareFile::decode(&bytes[..cut]).is_none(), "cut at {cut}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(ShareFile::decode(&longer).is_none());
    }

    #[test]
    fn a_share_has_its_final_name_only_once_it_is_confirmed() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("share");
        let unlock = Unlock::Key(Zeroizing::new([3; 32]));
        let pending = share().store_pending(&out, &unlock).unwrap();
        assert!(!out.exists());
        assert!(pending.path().exists());
        let same_session = made(&out, &unlock, SessionId([9; 32]));
        assert!(
            matches!(same_session, Ok(None)),
            "the session that left it goes on"
        );
        assert!(share().store_pending(&out, &unlock).is_ok());
        let mut other = share();
        other.session = SessionId([8; 32]);
        assert!(
            made(&out, &unlock, other.session).is_err()
                && other.store_pending(&out, &unlock).is_err(),
            "an unconfirmed share isn't overwritten"
        );
        let unconfirmed = pending.path().to_owned();
        pending.confirm().unwrap();
        assert!(!unconfirmed.exists());
        let read = ShareFile::load(&out, &unlock).unwrap();
        assert_eq!(read.share.index(), 0);
    }

    #[test]
    fn a_share_that_the_session_has_made_is_found_again_and_another_one_is_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("share");
        let unlock = Unlock::Key(Zeroizing::new([3; 32]));
        share().store_pending(&out, &unlock).unwrap();
        // Killed between the two names.
        std::fs::copy(pending_name(&out), &out).unwrap();
        let found = made(&out, &unlock, SessionId([9; 32])).unwrap().unwrap();
        assert_eq!(found.encode(), share().encode());
        assert!(!pending_name(&out).exists());
        assert!(made(&out, &unlock, SessionId([9; 32])).unwrap().is_some());
        let other_key = Unlock::Key(Zeroizing::new([4; 32]));
        for (unlock, session) in [(&unlock, [8; 32]), (&other_key, [9; 32])] {
            let failure = made(&out, unlock, SessionId(session)).err().unwrap();
            assert!(
                failure.text.contains("is not overwritten"),
                "{}",
                failure.text
            );
        }
    }

    #[test]
    fn a_folder_that_takes_no_file_is_noticed_before() {
        let dir = tempfile::tempdir().unwrap();
        let unlock = Unlock::Key(Zeroizing::new([3; 32]));
        let at = |out: &str| made(&dir.path().join(out), &unlock, SessionId([9; 32]));
        assert!(at("share").unwrap().is_none());
        // The name is free, but too long for the one that the share has at first.
        for out in ["nowhere/share".to_owned(), "s".repeat(250)] {
            let failure = at(&out).err().unwrap();
            assert_eq!(failure.code, 2, "{}", failure.text);
            assert!(!failure.text.contains("probe"), "{}", failure.text);
        }
        let left: Vec<_> = dir.path().read_dir().unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
