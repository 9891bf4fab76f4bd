//! Transactions.

use white_city_tests::party::Party;
use white_city_wire::{NetworkId, Refusal, SignedTx, limits::TX_BYTES_MAX, seal::Seal};

use crate::{fuzz, golden};

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = golden("transactions", "/out/tx");
    seeds.extend(
        golden("refused", "/in/tx")
            .into_iter()
            .filter(|tx| tx.len() < 4_096),
    );
    seeds
}

#[test]
fn a_transaction_is_taken_only_in_its_one_encoding_and_refused_with_a_code_otherwise() {
    let signer = Party::new(0);
    fuzz("transactions", &seeds(), |input| {
        match SignedTx::decode(input) {
            Ok(tx) => {
                assert_eq!(tx.encode(), input);
                assert_eq!(tx.bytes() as usize, input.len());
                assert!(!Seal::is_seal(input));
                // A stranger's key: whatever it says, the signature isn't this party's, if what it names fits together.
                let refused = tx.verify(signer.key(), 3, &NetworkId([9; 32])).unwrap_err();
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
    });
}

#[test]
fn a_transaction_is_read_up_to_the_limit_and_refused_past_it_before_it_is_decoded() {
    let max = TX_BYTES_MAX as usize;
    assert_ne!(SignedTx::decode(&vec![8; max]).unwrap_err().code(), 16);
    for over in [max + 1, 64 << 20] {
        assert!(matches!(
            SignedTx::decode(&vec![8; over]),
            Err(Refusal::TooLarge { .. })
        ));
    }
}
