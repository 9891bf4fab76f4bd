//! Reading a file: everything in it is verified again, and what doesn't hold is refused by its number and its reason.

use std::sync::LazyLock;

use white_city_client::{
    trust::{
        ADDRESS_BYTES_MAX, ADDRESSES_MAX, BadEra, BadHeader, BadLink, BadTrustFile, LINKS_MAX,
        TRUST_FILE_BYTES_MAX, TrustFile,
    },
    wire::pb,
};
use white_city_tests::tampering::Council;

use super::{Board, Mark, read, summed};
use crate::eras::{encoded, header, keys, link};

static BOARD: LazyLock<Board> = LazyLock::new(Board::new);

/// Why these links aren't taken, with a state that is what it should be.
fn bad_link(links: Vec<pb::Link>) -> (u32, BadLink) {
    let mark = BOARD.mark(30, (&BOARD.c, 3), (2, 19));
    match BOARD.read(links, Some(mark)).err() {
        Some(BadTrustFile::Link { era, reason }) => (era, reason),
        other => panic!("{other:?}"),
    }
}

/// What is changed in a file, and how.
type Change<'a> = (&'a str, &'a dyn Fn(&mut pb::TrustFile));

#[test]
fn a_file_gives_back_what_was_verified_and_each_content_has_one_encoding() {
    let whole = BOARD.whole();
    let file = read(&whole).unwrap();
    let trust = file.trust();
    assert_eq!((trust.newest_era(), trust.confirmed_era()), (2, 2));
    assert_eq!(trust.links_from(0), BOARD.links());
    assert_eq!(trust.network(), BOARD.trust.network());
    let mark = file.mark().unwrap();
    assert_eq!((mark.height(), mark.term()), (30, 2));
    assert!(file.addresses().eq(["http://a:1", "http://b:1"]));
    assert_eq!(file.to_bytes().unwrap(), summed(&whole));
    // What is learned later isn't in it before it is merged.
    let next = link(40, &BOARD.c, &BOARD.a, 3);
    trust.learn(&[next]).unwrap();
    assert_eq!(file.trust().newest_era(), 2);
    // Somebody who has asked nobody has a file, too.
    let new = BOARD.file(Vec::new(), None);
    assert!(read(&new).unwrap().mark().is_none());
    let changes: [Change<'_>; 6] = [
        ("version", &|file| file.version = 2),
        ("addresses", &|file| file.addresses.reverse()),
        ("address twice", &|file| {
            file.addresses[1] = "http://a:1".into()
        }),
        ("header alone", &|file| file.state = None),
        ("a header with more", &|file| {
            file.signed_header.extend([0x78, 1])
        }),
        ("a link with more", &|file| {
            file.links[0].signed_header.extend([0x78, 1]);
        }),
    ];
    for (what, change) in changes {
        let mut file = BOARD.whole();
        change(&mut file);
        let refused = read(&file).err();
        let fits = match what {
            "version" => matches!(refused, Some(BadTrustFile::Version { got: 2 })),
            _ => matches!(refused, Some(BadTrustFile::Encoding(_))),
        };
        assert!(fits, "{what}: {refused:?}");
    }
}

#[test]
fn a_forged_link_in_a_file_is_refused_by_its_number_and_reason() {
    let Board { a, b, c, .. } = &*BOARD;
    let [first, second] = BOARD.links().try_into().unwrap();
    let too_few = bad_link(vec![first.clone(), link(20, b, c, 2)]);
    assert!(
        matches!(too_few, (2, BadLink::Header(BadHeader::Commit(_)))),
        "{too_few:?}"
    );
    let strangers = bad_link(vec![link(10, c, b, 4), second.clone()]);
    let skipped = bad_link(vec![second.clone()]);
    for refused in [strangers, skipped] {
        assert!(
            matches!(refused, (1, BadLink::Header(BadHeader::Ahead { .. }))),
            "{refused:?}"
        );
    }
    // Out of order: the first one leads to an era that isn't there yet.
    assert_eq!(bad_link(vec![second.clone(), first.clone()]).0, 1);
    // The header names the hash of the same keys with another power.
    let mut odd_power = header(20, b, c);
    odd_power.next_validators_hash = powered(c, 11);
    let odd_power = pb::Link {
        signed_header: encoded(b.sign(odd_power, 4)),
        validators: keys(c),
    };
    assert_eq!(
        bad_link(vec![first.clone(), odd_power]),
        (2, BadLink::NotTo)
    );
    let mut odd_keys = second.clone();
    odd_keys.validators.truncate(127);
    assert_eq!(bad_link(vec![first.clone(), odd_keys]), (2, BadLink::Keys));
    // Another link of the first era, behind the one that pins it.
    let (era, fork) = bad_link(vec![first.clone(), link(10, a, c, 4)]);
    assert!(matches!((era, fork), (2, BadLink::Fork(fork)) if fork.era == 1));
    let twice = BOARD.read(vec![first.clone(), first], None).err();
    assert!(
        matches!(twice, Some(BadTrustFile::Encoding(_))),
        "{twice:?}"
    );
}

/// Hash of a set whose members have another power than all have.
fn powered(council: &Council, power: u32) -> tendermint::Hash {
    use tendermint::{PublicKey, validator, vote};
    let infos = council.keys().into_iter().map(|key| {
        let key = PublicKey::from_raw_ed25519(&key).unwrap();
        validator::Info::new(key, vote::Power::from(power))
    });
    validator::Set::without_proposer(infos.collect()).hash()
}

#[test]
fn the_highest_state_of_a_file_is_of_the_era_that_has_signed_it() {
    let Board { a, b, c, .. } = &*BOARD;
    let refused = |mark: Mark| BOARD.read(BOARD.links(), Some(mark)).err().unwrap();
    // Above its link the old set signs nothing, whatever it says of its era.
    for eras in [(0, 0), (2, 19)] {
        for by in [a, b] {
            let bad = refused(BOARD.mark(30, (by, 4), eras));
            assert!(
                matches!(bad, BadTrustFile::Header(BadHeader::Ahead { .. })),
                "{bad}"
            );
        }
        let bad = refused(BOARD.mark(15, (a, 4), eras));
        assert!(
            matches!(bad, BadTrustFile::Header(BadHeader::Validators { .. })),
            "{bad}"
        );
    }
    let bad = refused(BOARD.mark(30, (c, 2), (2, 19)));
    assert!(
        matches!(bad, BadTrustFile::Header(BadHeader::Commit(_))),
        "{bad}"
    );
    for eras in [(1, 9), (2, 18), (2, 20), (0, 0)] {
        let bad = refused(BOARD.mark(30, (c, 4), eras));
        assert!(matches!(bad, BadTrustFile::Era(BadEra::Other)), "{bad}");
    }
    let later = refused(BOARD.mark(30, (c, 4), (3, 25)));
    assert!(matches!(later, BadTrustFile::Era(BadEra::Ahead(3))));
    // A state that another block seals.
    let (header, _) = BOARD.mark(30, (c, 4), (2, 19));
    let (_, state) = BOARD.mark(30, (c, 4), (2, 18));
    let other = refused((header, state));
    assert!(matches!(other, BadTrustFile::State(_)), "{other}");
}

/// Sets come back, so links alone don't show that an era was left out; the state does, which counts them.
#[test]
fn links_that_leave_out_eras_or_that_no_state_confirms_are_refused() {
    let Board { a, b, c, .. } = &*BOARD;
    let true_links = vec![link(10, a, c, 3), link(20, c, a, 3), link(30, a, b, 3)];
    let mark = || BOARD.mark(40, (b, 3), (3, 29));
    assert!(BOARD.read(true_links.clone(), Some(mark())).is_ok());
    let skipped = BOARD.read(vec![link(30, a, b, 3)], Some(mark())).err();
    assert!(
        matches!(skipped, Some(BadTrustFile::Era(BadEra::Ahead(3)))),
        "{skipped:?}"
    );
    for (mark, known) in [
        (None, 0),
        (Some(BOARD.mark(5, (a, 3), (0, 0))), 0),
        (Some(BOARD.mark(15, (c, 3), (1, 9))), 1),
        // In the two blocks after the change the state knows the next era already.
        (Some(BOARD.mark(29, (a, 3), (2, 19))), 2),
    ] {
        let unconfirmed = BOARD.read(true_links.clone(), mark).err();
        assert!(
            matches!(unconfirmed, Some(BadTrustFile::Unconfirmed { links: 3, known: k }) if k == known),
            "{unconfirmed:?}"
        );
    }
}

#[test]
fn an_endless_chain_is_refused_before_any_link_is_looked_at() {
    let sets = [Council::new([[60; 32]]), Council::new([[61; 32]])];
    let board = Board::of(Council::new([[60; 32]]));
    let links = |count: usize| -> Vec<pb::Link> {
        let heights = (10_u64..).zip(0..count);
        heights
            .map(|(height, at)| link(height, &sets[at % 2], &sets[(at + 1) % 2], 1))
            .collect()
    };
    let mark = |count: u32| {
        let newest = &sets[count as usize % 2];
        let last = u64::from(count) + 9;
        Some(board.mark(last + 5, (newest, 1), (count, last - 1)))
    };
    for count in [LINKS_MAX - 1, LINKS_MAX] {
        let file = board.read(links(count), mark(count as u32)).unwrap();
        assert_eq!(file.trust().newest_era() as usize, count);
    }
    let mut endless = board.file(links(LINKS_MAX + 1), mark(LINKS_MAX as u32 + 1));
    let refused = read(&endless).err();
    assert!(
        matches!(
            refused,
            Some(BadTrustFile::Encoding("a field that comes too often"))
        ),
        "{refused:?}"
    );
    // No signature is checked before.
    endless
        .links
        .iter_mut()
        .for_each(|link| link.validators[0] ^= 1);
    assert!(matches!(
        read(&endless).err(),
        Some(BadTrustFile::Encoding(_))
    ));
}

#[test]
fn the_sizes_of_a_file_and_of_its_parts_are_looked_at_before_it_is_decoded() {
    for bytes in [TRUST_FILE_BYTES_MAX, TRUST_FILE_BYTES_MAX + 1] {
        let refused = TrustFile::from_bytes(&vec![0; bytes]).err();
        let fits = match bytes > TRUST_FILE_BYTES_MAX {
            true => matches!(refused, Some(BadTrustFile::TooLarge { got }) if got == bytes),
            false => matches!(refused, Some(BadTrustFile::Checksum)),
        };
        assert!(fits, "{refused:?}");
    }
    let with = |change: &dyn Fn(&mut pb::TrustFile)| {
        let mut file = BOARD.whole();
        change(&mut file);
        read(&file)
    };
    let address = |length: usize| "x".repeat(length);
    let many = |count: usize| (0..count).map(|number| format!("{number:04}")).collect();
    assert!(with(&|file| file.addresses = vec![address(ADDRESS_BYTES_MAX)]).is_ok());
    assert!(with(&|file| file.addresses = many(ADDRESSES_MAX)).is_ok());
    let large = with(&|file| file.addresses = vec![address(ADDRESS_BYTES_MAX + 1)]);
    assert!(matches!(large, Err(BadTrustFile::TooLarge { .. })));
    for refused in [
        with(&|file| file.addresses = many(ADDRESSES_MAX + 1)),
        with(&|file| file.addresses = vec![String::new()]),
        with(&|file| file.links[0] = pb::Link::default()),
    ] {
        assert!(matches!(refused, Err(BadTrustFile::Encoding(_))));
    }
    let large = with(&|file| file.links[0].validators = vec![0; 257 * 32]);
    assert!(matches!(large, Err(BadTrustFile::TooLarge { .. })));
    let large = with(&|file| file.signed_header = vec![0; (1 << 18) + 1]);
    assert!(matches!(large, Err(BadTrustFile::TooLarge { .. })));
}

#[test]
fn a_file_that_was_cut_or_changed_anywhere_is_refused_or_says_the_same() {
    let whole = summed(&BOARD.whole());
    for end in 0..whole.len() {
        let cut = TrustFile::from_bytes(&whole[..end]).err();
        assert!(matches!(cut, Some(BadTrustFile::Checksum)), "{end}");
    }
    let message = whole.len() - 32;
    let says = |file: &TrustFile| {
        let mark = file.mark().map(|mark| mark.header().hash());
        (
            file.trust().network().id,
            file.trust().links_from(0).len(),
            mark,
        )
    };
    let expected = says(&TrustFile::from_bytes(&whole).unwrap());
    let mut taken = 0_usize;
    for at in 0..message {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(matches!(
            TrustFile::from_bytes(&changed).err(),
            Some(BadTrustFile::Checksum)
        ));
        // Whoever changes it can make the checksum right again, and what is signed is signed all the same. The genesis is
        // what a file is believed for, and addresses are hints.
        let sum = white_city_client::trust::trust_file_checksum(&changed[..message]);
        changed[message..].copy_from_slice(&sum.0);
        if let Ok(file) = TrustFile::from_bytes(&changed) {
            assert_eq!(says(&file), expected, "byte {at}");
            taken += 1;
        }
    }
    assert!(taken < BOARD.genesis.len() + 64, "{taken}");
}
