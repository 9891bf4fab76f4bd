//! Transactions.

use white_city_client::Opening;
use white_city_tests::{party::Party, scene::spec};
use white_city_wire::{
    NetworkId, SignedTx,
    seal::Seal,
    tx::{Action, Open},
};

use crate::{Target, golden::column};

/// The network that the openings are of.
const NETWORK: NetworkId = NetworkId([9; 32]);

/// Transactions of whatever network.
pub const TRANSACTIONS: Target = Target::new("transactions", seeds, take);

/// Openings of sessions, as clients keep them.
pub const OPENINGS: Target = Target::new("openings", openings, take_opening);

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = column("transactions", "/out/tx");
    seeds.extend(
        column("refused", "/in/tx")
            .into_iter()
            .filter(|tx| tx.len() < 4_096),
    );
    seeds
}

fn take(input: &[u8]) -> bool {
    match SignedTx::decode(input) {
        Ok(tx) => {
            assert_eq!(tx.encode(), input);
            assert_eq!(tx.bytes() as usize, input.len());
            assert!(!Seal::is_seal(input));
            // A stranger's key: whatever it says, the signature isn't this party's, if what it names fits together.
            let refused = tx.verify(Party::new(0).key(), 3, &NETWORK).unwrap_err();
            // Or a complaint's path doesn't lead to its post.
            assert!([33, 34, 115].contains(&refused.code()), "{refused}");
            true
        }
        Err(refusal) => {
            assert!((16..48).contains(&refusal.code()), "{refusal}");
            assert!(!refusal.to_string().is_empty());
            false
        }
    }
}

fn openings() -> Vec<Vec<u8>> {
    let parties = Party::several(3);
    let open = |nonce| Open {
        spec: spec(&parties, 2),
        opener: *parties[0].key(),
        nonce: [nonce; 32],
        open_by_ms: 5,
        stamp: 0,
    };
    let openings = [1, 2].map(|nonce| parties[0].tx(Action::Open(open(nonce)), &NETWORK).encode());
    openings.to_vec()
}

fn take_opening(input: &[u8]) -> bool {
    let opening = Opening::from_bytes(input, &NETWORK);
    if let Some(opening) = &opening {
        assert_eq!(opening.to_bytes(), input);
        assert_eq!(opening.id(), opening.open().session_id(&NETWORK));
        // Nobody else's signature is at hand, and of what an opening says only its stamp isn't signed.
        let known = |bytes: &Vec<u8>| Opening::from_bytes(bytes, &NETWORK).map(|known| known.id());
        assert!(
            openings()
                .iter()
                .any(|bytes| known(bytes) == Some(opening.id())),
            "a forged opening"
        );
    }
    opening.is_some()
}
