//! Proposals that an honest replica would never make.

use tendermint_proto::v0_38::abci::RequestPrepareProposal;
use white_city_tests::{adversary::Lie, rng::Rng};
use white_city_wire::{SignedTx, seal::Seal, tx::Action};

/// One transaction of a block.
type Item = prost::bytes::Bytes;

/// Whether a transaction is of the party that is censored, in whatever session.
pub fn is_censored(bytes: &[u8]) -> bool {
    let Ok(tx) = SignedTx::decode(bytes) else {
        return false;
    };
    let action = tx.unverified_action();
    let author = action.author().map(|(_, index)| index);
    !matches!(action, Action::Evidence(_)) && author == Some(Lie::CENSORED)
}

/// Takes away what is censored; gives how many there were.
pub fn censor(request: &mut RequestPrepareProposal) -> usize {
    let before = request.txs.len();
    request.txs.retain(|tx| !is_censored(tx));
    before - request.txs.len()
}

/// Makes a lie of an honest proposal; false where this one gives no occasion for it.
pub fn distort(lie: Lie, block: &mut Vec<Item>, max_bytes: i64) -> bool {
    let mut rng = Rng::new(seed(block));
    match lie {
        Lie::Garbage => *block = garbage(&mut rng),
        Lie::SealedGarbage => block.extend(garbage(&mut rng)),
        Lie::Reorder => {
            let Some((_, transactions)) = block.split_first_mut() else {
                return false;
            };
            transactions.reverse();
            return transactions.len() > 1;
        }
        Lie::WrongRoot => return reseal(block, |seal| flip(&mut seal.root.0)),
        Lie::WrongParent => return reseal(block, |seal| flip(&mut seal.parent_hash.0)),
        Lie::NoSeal => {
            block.drain(..1.min(block.len()));
        }
        Lie::SealLast => {
            let far = block.len() > 1;
            block.rotate_left(usize::from(far));
            return far;
        }
        Lie::TwoSeals => block.extend(block.first().cloned()),
        Lie::Crumbs => {
            block.truncate(1);
            // A tag and a length each.
            block.resize(
                usize::try_from(max_bytes / 2 - 256).unwrap_or(0),
                Item::new(),
            );
        }
        Lie::Oversize => block.push(vec![1; usize::try_from(max_bytes).unwrap_or(0)].into()),
        _ => return false,
    }
    true
}

fn garbage(rng: &mut Rng) -> Vec<Item> {
    (0..3).map(|_| rng.bytes(100).into()).collect()
}

fn seed(block: &[Item]) -> u64 {
    let seal = block.first().and_then(|first| Seal::decode(first));
    seal.map_or(0, |seal| {
        u64::from_be_bytes(
            seal.parent_hash
                .0
                .first_chunk()
                .copied()
                .unwrap_or_default(),
        )
    })
}

fn reseal(block: &mut [Item], change: impl FnOnce(&mut Seal)) -> bool {
    let Some(first) = block.first_mut() else {
        return false;
    };
    let Some(mut seal) = Seal::decode(first) else {
        return false;
    };
    change(&mut seal);
    *first = seal.encode().into();
    true
}

fn flip(bytes: &mut [u8; 32]) {
    bytes[0] ^= 1;
}
