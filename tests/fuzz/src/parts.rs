//! Parts of a post that is larger than one on the board.

use white_city_client::parts::{Incoming, Outgoing, Room};

use crate::Target;

/// What one party posts, as another one reads it: the most parts of a post, and then each part as a byte (the broadcast's
/// length, and in the highest bit whether it sends something to somebody) and the broadcast.
pub const PARTS: Target = Target::new("parts", seeds, take);

/// The bit that says that a part sends something to somebody.
const SENDS: u8 = 0x80;

fn seeds() -> Vec<Vec<u8>> {
    let room = Room::new(12, 49, 1_000, 48);
    let seeds = [
        (0, 0),
        (1, 0),
        (10, 0),
        (11, 0),
        (95, 0),
        (0, 1),
        (3, 4),
        (35, 2),
    ];
    let seeds = seeds.map(|(broadcast, p2p)| {
        let p2p = (p2p > 0).then(|| (1, vec![7; p2p].into()));
        let p2p = p2p.into_iter().collect();
        let post = Outgoing::new(vec![9; broadcast], p2p, &room, 99).expect("it has room");
        let mut input = vec![u8::try_from(post.parts()).expect("there are few")];
        // One more, while others have more to say.
        for number in 0..=post.parts() {
            let (broadcast, p2p) = post.part(number);
            let length = u8::try_from(broadcast.len()).expect("parts are small");
            input.push(length | if p2p.is_empty() { 0 } else { SENDS });
            input.extend(broadcast);
        }
        input
    });
    seeds.to_vec()
}

fn take(input: &[u8]) -> bool {
    let Some((most, mut rest)) = input.split_first() else {
        return false;
    };
    let most = u16::from(*most);
    let mut coming = Incoming::default();
    let (mut whole, mut parts) = (Vec::new(), 0);
    while let Some((head, bytes)) = rest.split_first() {
        let length = usize::from(head & !SENDS).min(bytes.len());
        let (broadcast, after) = bytes.split_at(length);
        rest = after;
        let was_whole = coming.is_whole();
        let sends = head & SENDS != 0;
        let p2p = sends.then(|| vec![*head].into());
        if let Err(bad) = coming.take(most, broadcast, (p2p, sends)) {
            assert!(!bad.to_string().is_empty());
            assert_eq!(coming.is_whole(), was_whole);
            return false;
        }
        whole.extend_from_slice(broadcast.get(2..).unwrap_or_default());
        parts += u16::from(!was_whole);
        assert!(parts <= most, "{parts} parts");
    }
    let is_whole = coming.is_whole();
    let (broadcast, p2p) = coming.into_payloads();
    assert_eq!(broadcast, whole);
    assert!(p2p.len() <= usize::from(parts));
    is_whole
}
