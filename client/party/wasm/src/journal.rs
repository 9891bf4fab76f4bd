//! A journal that somebody else keeps: the bytes of one in a file (`docs/spec/files.md`), which the identity alone opens.

use std::path::PathBuf;

use white_city_party::{
    OwnKey,
    journal::{
        HEADER_BYTES, Header, JournalError, JournalId, LOCK_BYTES, NONCE_BYTES, PREFIX_BYTES,
        RECORD_BYTES_MAX, Record, Sealer,
    },
};

use crate::failure::Failure;

/// What seals the next records.
pub struct Journal(Sealer);

/// A journal that was opened.
pub struct Opened {
    pub journal: Journal,
    pub records: Vec<Record>,
    /// What has to be kept before anything else: the head of a new one.
    pub keep: Vec<u8>,
}

impl Journal {
    /// Opens a journal, or begins one with this salt where there are no bytes.
    pub fn open(
        bytes: &[u8],
        id: JournalId,
        key: &OwnKey,
        salt: [u8; 32],
    ) -> Result<Opened, Failure> {
        let storage = key.storage_key().map_err(white_city_party::Error::from)?;
        let lock = [0; LOCK_BYTES];
        let Some((head, mut rest)) = bytes.split_at_checked(HEADER_BYTES) else {
            if !bytes.is_empty() {
                return Err(other().into());
            }
            let header = Header { id, lock, salt };
            return Ok(Opened {
                journal: Self(Sealer::new(&header, &*storage)),
                records: Vec::new(),
                keep: header.encode(),
            });
        };
        let header = Header::decode(head).filter(|header| header.id == id && header.lock == lock);
        let header = header.ok_or_else(other)?;
        let mut journal = Self(Sealer::new(&header, &*storage));
        let mut records = Vec::new();
        while !rest.is_empty() {
            let read = journal.read(rest);
            let offset = bytes.len().saturating_sub(rest.len());
            let (record, behind) = read.ok_or_else(|| JournalError::Corrupt {
                path: PathBuf::new(),
                offset: u64::try_from(offset).unwrap_or(u64::MAX),
            })?;
            records.push(record);
            rest = behind;
        }
        Ok(Opened {
            journal,
            records,
            keep: Vec::new(),
        })
    }

    /// The next record, and what is behind it. Whoever keeps a journal here writes whole records or none, so none is torn.
    fn read<'a>(&mut self, bytes: &'a [u8]) -> Option<(Record, &'a [u8])> {
        let (prefix, rest) = bytes.split_first_chunk::<PREFIX_BYTES>()?;
        let (body, behind) = rest.split_at_checked(self.0.body_bytes(prefix)?)?;
        let plaintext = self.0.open(prefix, body).ok()?;
        Some((Record::from_bytes(&plaintext)?, behind))
    }

    /// The bytes that are to be kept of a record.
    pub fn seal(&mut self, record: &Record, nonce: [u8; NONCE_BYTES]) -> Result<Vec<u8>, Failure> {
        let plaintext = record.to_bytes();
        let sealed = self.0.seal(&plaintext, nonce);
        Ok(sealed.ok_or_else(|| JournalError::TooLarge {
            path: PathBuf::new(),
            got: plaintext.len(),
            max: RECORD_BYTES_MAX,
        })?)
    }
}

fn other() -> JournalError {
    JournalError::Other {
        path: PathBuf::new(),
        expected: "a journal, version 2, of this session, network and identity",
    }
}
