//! Payloads that one party seals to another.

use std::sync::LazyLock;

use white_city_tests::party::Party;
use white_city_wire::{
    Hash, Kem, NetworkId, SessionId,
    payload::{DecryptionKey, LibraryKem, PayloadContext, SessionSeed},
};

use crate::Target;

/// Ciphertexts for one party at one place.
pub const PAYLOADS: Target = Target::new("payloads", seeds, take);

const SESSION: SessionId = SessionId([3; 32]);
/// What has really been sealed.
const PLAINTEXTS: [&[u8]; 3] = [b"a", b"for the second party", &[7; 400]];

/// Two parties, and the seeds of their session.
static PARTIES: LazyLock<[Party; 2]> = LazyLock::new(|| [Party::new(0), Party::new(1)]);

fn context() -> PayloadContext<'static> {
    PayloadContext {
        network: NetworkId([1; 32]),
        session: SESSION,
        transcript: Hash([4; 32]),
        round: 2,
        from: 0,
        to: 1,
        from_key: PARTIES[0].key(),
        to_key: PARTIES[1].key(),
        to_join: Hash([5; 32]),
    }
}

fn recipient() -> SessionSeed {
    SessionSeed::new([8; 32])
}

fn seeds() -> Vec<Vec<u8>> {
    let sender = SessionSeed::new([6; 32]);
    let seeds = Kem::ALL.map(|kem| {
        let key = recipient().encryption_key(kem, &SESSION, 1);
        let key = key.expect("a derived key is a good one");
        let seal = |plaintext| sender.seal::<LibraryKem>(&context(), &key, plaintext);
        PLAINTEXTS.map(|plaintext| seal(plaintext).expect("it can be sealed"))
    });
    seeds.concat()
}

fn take(input: &[u8]) -> bool {
    let opened = Kem::ALL.map(|kem| opens(kem, input));
    assert_ne!(opened, [true; 2], "both keys open it");
    opened.contains(&true)
}

/// Whether the recipient's key of this kind opens it.
fn opens(kem: Kem, input: &[u8]) -> bool {
    let key: DecryptionKey<LibraryKem> = recipient().decryption_key(kem, &SESSION, 1);
    let opened = key.open(&context(), input);
    if let Ok(plaintext) = &opened {
        assert!(
            PLAINTEXTS.contains(&plaintext.as_slice()),
            "nobody sealed that"
        );
        let sealing = usize::try_from(kem.sealing_bytes()).expect("a small number");
        assert_eq!(input.len(), plaintext.len() + sealing);
    }
    opened.is_ok()
}
