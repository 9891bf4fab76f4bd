//! Making of inputs.

use white_city_tests::rng::Rng;

/// Byte strings that decoders stumble over: lengths and numbers at the ends of their ranges.
const NASTY: [&[u8]; 10] = [
    &[0],
    &[0xff],
    &[0x80, 0x00],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ],
    &[0x80, 0x80, 0x04],
    &[0x0b, 0x0c],
];

/// One input: made up, or one of the seeds, changed up to three times or not at all.
pub fn input(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    if rng.chance(5) {
        let len = rng.below(300);
        return rng.bytes(usize::try_from(len).unwrap());
    }
    let mut input = rng.pick(seeds).cloned().unwrap_or_default();
    for _ in 0..rng.below(4) {
        change(rng, &mut input, seeds);
    }
    input
}

fn position(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.below(len as u64 + 1)).unwrap()
}

fn change(rng: &mut Rng, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = position(rng, input.len());
    let end = (at + position(rng, 40)).min(input.len());
    match rng.below(9) {
        0 | 1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = rng.bytes(1)[0];
            }
        }
        3 => input.truncate(at),
        4 => drop(input.drain(at..end)),
        5 => {
            let nasty = *rng.pick(&NASTY).unwrap();
            let end = (at + usize::from(rng.chance(50))).min(input.len());
            input.splice(at..end, nasty.iter().copied());
        }
        6 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        7 => input.extend(rng.pick(seeds).cloned().unwrap_or_default()),
        _ => {
            let other = rng.pick(seeds).cloned().unwrap_or_default();
            let from = position(rng, other.len());
            input.splice(at.., other[from..].iter().copied());
        }
    }
}
