//! Sizes at which things are refused unread.

use white_city_wire::{
    Refusal, SignedTx,
    limits::TX_BYTES_MAX,
    read::{QUERY_BYTES_MAX, decode_query},
};

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

#[test]
fn a_question_is_read_up_to_the_limit_and_refused_past_it() {
    let max = QUERY_BYTES_MAX as usize;
    assert!(!matches!(
        decode_query(&vec![8; max]),
        Err(Refusal::TooLarge { .. })
    ));
    assert!(matches!(
        decode_query(&vec![8; max + 1]),
        Err(Refusal::TooLarge { .. })
    ));
}
