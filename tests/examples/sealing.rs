//! Cost of the two kinds of encryption keys, in one run: microseconds to make, check, seal to and open with them, and bytes.
//!
//! ```console
//! $ cargo run --release -p white-city-tests --example sealing
//! ```
//!
//! Times are medians, of one thread; the kinds take turns, so that what else the machine does falls on both. A party seals with
//! AWS-LC's X25519, who judges a dispute with the library's; X-Wing is the library's for both.

use std::{array, hint::black_box, time::Instant};

use white_city_client::kem::PartyKem;
use white_city_tests::{network::network, network::rules, party::Party};
use white_city_wire::{
    EncryptionKey, Hash, Kem, SessionId,
    payload::{DecryptionKey, LibraryKem, PayloadContext, SessionSeed, seal_with},
    tx::{Action, Join},
};

/// Bytes of the plaintext.
const PLAINTEXT: usize = 80;
/// Number of times that each thing is measured.
const TIMES: usize = 2_001;
const SESSION: SessionId = SessionId([1; 32]);

fn main() {
    let parties = Party::several(2);
    let network = network(1, rules(&[]));
    let sides = Kem::ALL.map(Side::new);
    let context = PayloadContext {
        network: network.id,
        session: SESSION,
        transcript: Hash([4; 32]),
        round: 1,
        from: 0,
        to: 1,
        from_key: parties[0].key(),
        to_key: parties[1].key(),
        to_join: Hash([5; 32]),
    };
    let join = |side: &Side| {
        let join = Action::Join(Join {
            session: SESSION,
            index: 1,
            key: side.key.clone(),
        });
        parties[1].tx(join, &network.id).bytes() as usize
    };
    println!("| of a payload of {PLAINTEXT} bytes | X25519 | X-Wing | ratio |");
    println!("|---|---|---|---|");
    let times: [(&str, Measured<'_>); 5] = [
        ("making a key, us", &|side| {
            drop(black_box(side.seed.encryption_key(side.kem, &SESSION, 1)));
        }),
        ("checking a join's key, us", &|side| {
            let key = EncryptionKey::from_bytes(side.kem, side.key.as_bytes());
            drop(black_box(key));
        }),
        ("sealing, us", &|side| {
            let sealed = side
                .seed
                .seal::<PartyKem>(&context, &side.key, &[7; PLAINTEXT]);
            drop(black_box(sealed));
        }),
        ("opening, us", &|side| {
            let sealed = side.sealed(&context);
            assert!(black_box(side.private.open(&context, sealed)).is_ok());
        }),
        ("judging what was revealed, us", &|side| {
            let sealed = seal_with(&[3; 32], &context, &side.key, &[7; PLAINTEXT]);
            drop(black_box(sealed));
        }),
    ];
    for side in &sides {
        side.sealed(&context);
    }
    for (what, measured) in times {
        row(what, medians_us(&sides, measured));
    }
    let bytes = |of: &dyn Fn(&Side) -> usize| array::from_fn(|side| of(&sides[side]) as f64);
    row("a payload, bytes", bytes(&|s| s.sealed(&context).len()));
    row("a join, bytes", bytes(&join));
}

fn row(what: &str, [x25519, x_wing]: [f64; 2]) {
    println!(
        "| {what} | {x25519:.1} | {x_wing:.1} | {:.1} |",
        x_wing / x25519
    );
}

/// What is measured.
type Measured<'a> = &'a dyn Fn(&Side);

/// A recipient with a key of one kind.
struct Side {
    kem: Kem,
    seed: SessionSeed,
    key: EncryptionKey,
    private: DecryptionKey<PartyKem>,
    sealed: std::sync::OnceLock<Vec<u8>>,
}

impl Side {
    fn new(kem: Kem) -> Self {
        let seed = SessionSeed::new([3; 32]);
        Self {
            kem,
            key: seed.encryption_key(kem, &SESSION, 1).unwrap(),
            private: seed.decryption_key(kem, &SESSION, 1),
            seed,
            sealed: std::sync::OnceLock::new(),
        }
    }

    /// A payload for it.
    fn sealed(&self, context: &PayloadContext<'_>) -> &[u8] {
        self.sealed.get_or_init(|| {
            let sealed = self
                .seed
                .seal::<LibraryKem>(context, &self.key, &[7; PLAINTEXT]);
            sealed.unwrap()
        })
    }
}

/// The median of what `measured` takes for each kind, microseconds.
fn medians_us(sides: &[Side; 2], measured: Measured<'_>) -> [f64; 2] {
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..TIMES {
        for (side, times) in sides.iter().zip(&mut times) {
            let began = Instant::now();
            measured(side);
            times.push(began.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[TIMES / 2].as_secs_f64() * 1e6
    })
}
