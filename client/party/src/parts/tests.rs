use super::*;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| self.below(256).to_le_bytes()[0])
            .collect()
    }
}

fn room(broadcast: usize, p2p: usize, all: usize) -> Room {
    let around = 48 + PAYLOAD_FRAME_BYTES;
    Room {
        has_number: true,
        broadcast,
        p2p,
        all,
        around,
    }
}

fn payloads(p2p: &[(u16, &[u8])]) -> Payloads {
    let secret = |(to, bytes): &(u16, &[u8])| (*to, Zeroizing::new(bytes.to_vec()));
    p2p.iter().map(secret).collect()
}

/// The post as a recipient has it after all its parts.
fn arrived(post: &Outgoing, reader: u16, most: u16) -> (Vec<u8>, Vec<u8>) {
    let mut coming = Incoming::default();
    for number in 0..post.parts() {
        assert!(!coming.is_whole(), "part {number}");
        let (broadcast, p2p) = post.part(number);
        let has_p2p = !p2p.is_empty();
        let mine = p2p.into_iter().find(|(to, _)| *to == reader);
        coming
            .take(most, &broadcast, (mine.map(|(_, bytes)| bytes), has_p2p))
            .unwrap();
    }
    assert!(coming.is_whole());
    // Whoever waits for others posts nothing meanwhile.
    assert_eq!(post.part(post.parts()), (Vec::new(), Vec::new()));
    coming.take(most, &[], (None, false)).unwrap();
    let (broadcast, p2p) = coming.into_payloads();
    (broadcast, p2p.to_vec())
}

#[test]
fn a_name_says_how_many_parts_there_may_be_in_one_way() {
    for most in [1, 2, 13, u16::MAX] {
        let name = Parts { most }.name("my protocol");
        assert_eq!(Parts::of(&name), Ok(Some(Parts { most })));
        assert_eq!(protocol_of(&name), "my protocol");
    }
    assert_eq!(
        Parts { most: 13 }.name("cggmp24-aux"),
        "cggmp24-aux+parts/1:13"
    );
    for plain in ["", "cggmp24-aux", "parts/1:13", "a+part/1:1", "a+b"] {
        assert_eq!((Parts::of(plain), protocol_of(plain)), (Ok(None), plain));
    }
    let bad = [
        "a+parts/",
        "a+parts/1",
        "a+parts/1:",
        "a+parts/1:0",
        "a+parts/1:01",
        "a+parts/1:+1",
        "a+parts/1:-1",
        "a+parts/1: 1",
        "a+parts/1:65536",
        "a+parts/2:1",
        "a+parts/1:2x",
        "+parts/1:2",
    ];
    for name in bad {
        assert!(Parts::of(name).is_err(), "{name}");
        assert_eq!(protocol_of(name), name);
    }
}

#[test]
fn a_post_of_any_size_arrives_as_it_was_and_each_part_has_room() {
    let mut numbers = Numbers(1);
    for run in 0..2_000 {
        let room = room(
            1 + numbers.below(60),
            1 + numbers.below(60),
            61 + numbers.below(400),
        );
        let length = numbers.below(300);
        let broadcast = numbers.bytes(length);
        let p2p: Vec<(u16, Vec<u8>)> = (1..=u16::try_from(numbers.below(5)).unwrap())
            .map(|to| {
                let length = 1 + numbers.below(200);
                (to, numbers.bytes(length))
            })
            .collect();
        let listed: Vec<_> = p2p
            .iter()
            .map(|(to, bytes)| (*to, bytes.as_slice()))
            .collect();
        let post = Outgoing::new(broadcast.clone(), payloads(&listed), &room, u16::MAX).unwrap();
        for number in 0..post.parts() {
            let (broadcast, p2p) = post.part(number);
            assert!(
                broadcast.len() <= room.broadcast + HEADER_BYTES,
                "run {run}"
            );
            assert!(
                p2p.iter()
                    .all(|(_, bytes)| (1..=room.p2p).contains(&bytes.len()))
            );
            let p2p = p2p
                .iter()
                .map(|(_, bytes)| bytes.len() + room.around)
                .sum::<usize>();
            assert!(
                broadcast.len() + p2p <= room.all + HEADER_BYTES,
                "run {run}"
            );
        }
        let most = u16::try_from(post.parts()).unwrap();
        let on_board = (0..post.parts()).map(|number| {
            let (broadcast, p2p) = post.part(number);
            let p2p = p2p.iter().map(|(_, bytes)| bytes.len() + 48);
            broadcast.len() + p2p.sum::<usize>()
        });
        let on_board = u64::try_from(on_board.sum::<usize>()).unwrap();
        assert_eq!(post.bytes(48), on_board, "run {run}");
        for reader in 0..6 {
            let mine = p2p.iter().find(|(to, _)| *to == reader);
            let mine = mine.map_or_else(Vec::new, |(_, bytes)| bytes.clone());
            assert_eq!(
                arrived(&post, reader, most),
                (broadcast.clone(), mine),
                "run {run}"
            );
        }
        // Exactly so many parts are enough.
        assert!(Outgoing::new(broadcast.clone(), payloads(&listed), &room, most).is_ok());
        let fewer = Outgoing::new(broadcast, payloads(&listed), &room, most - 1)
            .err()
            .unwrap();
        assert!(fewer.fit < fewer.bytes || fewer.bytes == 0, "run {run}");
    }
}

#[test]
fn a_post_is_cut_in_one_way_in_whichever_order_its_payloads_come() {
    // Room for one recipient and a half.
    let room = room(10, 100, 240);
    let [one, two, three] = [1, 2, 3].map(|to| (to, [7; 100].as_slice()));
    let cut = |p2p: &[(u16, &[u8])]| {
        let post = Outgoing::new(vec![1; 5], payloads(p2p), &room, 9).unwrap();
        (0..post.parts())
            .map(|number| post.part(number))
            .collect::<Vec<_>>()
    };
    let ascending = cut(&[one, two, three]);
    let whole = |part: &(Vec<u8>, Payloads)| part.1.iter().map(|(to, _)| *to).collect::<Vec<_>>();
    assert_eq!(
        ascending.iter().map(whole).collect::<Vec<_>>(),
        [vec![1, 2], vec![2, 3], vec![3]]
    );
    for other in [[three, two, one], [two, one, three], [three, one, two]] {
        assert_eq!(cut(&other), ascending);
    }
}

#[test]
fn smaller_posts_need_no_more_parts_than_the_largest() {
    let mut numbers = Numbers(2);
    for run in 0..500 {
        let room = room(
            1 + numbers.below(60),
            1 + numbers.below(60),
            61 + numbers.below(400),
        );
        let (broadcast, p2p, recipients) = (numbers.below(300), numbers.below(200), 4);
        let most = room.count(broadcast, p2p, recipients).unwrap();
        let post = vec![0; numbers.below(broadcast + 1)];
        let lengths: Vec<usize> = (0..recipients).map(|_| numbers.below(p2p + 1)).collect();
        let p2p = (0..).zip(lengths).filter(|(_, length)| *length > 0);
        let p2p = p2p
            .map(|(to, length)| (to, Zeroizing::new(vec![0; length])))
            .collect();
        let larger = Room {
            all: room.all + numbers.below(100),
            ..room
        };
        assert!(Outgoing::new(post, p2p, &larger, most).is_ok(), "run {run}");
    }
}

#[test]
fn a_post_is_as_large_as_its_parts_have_room_for_and_no_byte_larger() {
    let room = room(10, 7, 10_000);
    for (length, fits) in [(29, true), (30, true), (31, false)] {
        let post = Outgoing::new(vec![0; length], Vec::new(), &room, 3);
        let too_large = TooManyParts {
            bytes: length,
            fit: 30,
        };
        assert_eq!(
            post.map(|post| post.parts()).err(),
            (!fits).then_some(too_large)
        );
    }
    for (length, fits) in [(20, true), (21, true), (22, false)] {
        let post = Outgoing::new(Vec::new(), payloads(&[(1, &vec![0; length])]), &room, 3);
        let too_large = TooManyParts {
            bytes: length,
            fit: 21,
        };
        assert_eq!(
            post.map(|post| post.parts()).err(),
            (!fits).then_some(too_large)
        );
    }
    // Where there is no room at all no number of parts is enough.
    assert_eq!(super::Room::new(2, 48, 1_000, 48).count(1, 0, 1), None);
    assert_eq!(super::Room::new(2, 48, 1_000, 48).count(0, 1, 1), None);
    assert_eq!(super::Room::new(2, 48, 1_000, 48).count(0, 0, 1), Some(1));
    // Where there is none for the number a post has one part.
    assert_eq!(super::Room::new(1, 58, 1_000, 48).count(0, 10, 2), Some(1));
    assert_eq!(super::Room::new(1, 58, 1_000, 48).count(0, 11, 2), None);
    assert_eq!(super::Room::new(2, 58, 1_000, 48).count(0, 11, 2), Some(2));
    let post = payloads(&[(1, &[7; 11])]);
    let post = Outgoing::new(Vec::new(), post, &super::Room::new(1, 58, 1_000, 48), 9);
    let too_many = TooManyParts { bytes: 11, fit: 10 };
    assert_eq!(post.err(), Some(too_many));
    assert_eq!(room.count(10 * 65_535, 0, 0), Some(u16::MAX));
    assert_eq!(room.count(10 * 65_535 + 1, 0, 0), None);
}

/// Party 0's parts with these broadcasts, of at most three, and the last one's fault.
fn bad(parts: &[&[u8]]) -> BadPart {
    let mut coming = Incoming::default();
    let (last, before) = parts.split_last().unwrap();
    for part in before {
        coming.take(3, part, (None, false)).unwrap();
    }
    let (following, kept) = (coming.following, coming.broadcast.len());
    let bad = coming.take(3, last, (None, false)).unwrap_err();
    assert_eq!(
        (coming.following, coming.broadcast.len()),
        (following, kept)
    );
    bad
}

#[test]
fn what_isnt_the_next_part_is_refused_and_nothing_of_it_is_kept() {
    assert_eq!(bad(&[&[0]]), BadPart::Number);
    assert_eq!(bad(&[&[0, 0]]), BadPart::Number);
    assert_eq!(bad(&[&[0, 1], &[0, 0]]), BadPart::Number);
    // Three are allowed.
    assert_eq!(bad(&[&[0, 3]]), BadPart::TooLarge { parts: 4, most: 3 });
    let most = BadPart::TooLarge {
        parts: 65_536,
        most: 3,
    };
    assert_eq!(bad(&[&[255, 255, 1]]), most);
    let other = |got, expected| BadPart::Following { got, expected };
    assert_eq!(bad(&[&[0, 2], &[0, 2]]), other(2, 1));
    assert_eq!(bad(&[&[0, 2], &[0, 3]]), other(3, 1));
    assert_eq!(bad(&[&[0, 2], &[0, 0, 7]]), other(0, 1));
    assert_eq!(bad(&[&[0, 2], &[]]), other(0, 1));
    assert_eq!(bad(&[&[0, 1], &[0, 1]]), other(1, 0));
    assert_eq!(bad(&[&[], &[0, 0, 7]]), BadPart::AfterLast);
    assert_eq!(bad(&[&[], &[0, 1]]), BadPart::AfterLast);
    assert_eq!(bad(&[&[0, 1], &[0, 0, 7], &[0, 0, 7]]), BadPart::AfterLast);
    // Everybody sees that it sends something to somebody.
    let mut coming = Incoming::default();
    coming.take(3, &[], (None, true)).unwrap();
    assert_eq!(coming.take(3, &[], (None, true)), Err(BadPart::AfterLast));
}

#[test]
fn a_broadcast_that_fits_is_written_with_nothing_but_zeros_before_it() {
    let room = room(10, 10, 10_000);
    let post = |broadcast: &[u8], p2p: &[(u16, &[u8])]| {
        Outgoing::new(broadcast.to_vec(), payloads(p2p), &room, 9).unwrap()
    };
    assert_eq!(post(b"", &[]).part(0), (vec![], vec![]));
    assert_eq!(post(b"a", &[]).part(0).0, b"\0\0a");
    assert_eq!(
        post(b"", &[(1, b"a")]).part(0),
        (vec![], payloads(&[(1, b"a")]))
    );
    let two = post(b"0123456789a", &[(1, b"0123456789b"), (2, b"c")]);
    assert_eq!(
        two.part(0),
        (
            b"\0\x010123456789".to_vec(),
            payloads(&[(1, b"0123456789"), (2, b"c")])
        )
    );
    assert_eq!(two.part(1), (b"\0\0a".to_vec(), payloads(&[(1, b"b")])));
}
