//! Trust files, as somebody could hand them over.

use std::{collections::BTreeSet, sync::LazyLock};

use white_city_client::{
    Hash, NetworkId,
    trust::{Mark, TrustFile, trust_file_checksum},
};

use crate::{Target, golden};

/// Trust files with the right checksum: of the frozen one's network nothing is verified but what that one has.
pub const TRUST_FILES: Target = Target::new("trust-files", seeds, take)
    .within(4 << 20)
    .costing(10);

const CHECKSUM_BYTES: usize = 32;

/// Content of a file: its network, and the hashes of its links' headers and of its state's.
struct Known {
    network: NetworkId,
    links: Vec<Hash>,
    mark: Option<Hash>,
}

impl Known {
    fn of(file: &TrustFile) -> Self {
        let trust = file.trust();
        let links = (1..=trust.newest_era()).filter_map(|era| trust.link_to(era));
        Self {
            network: trust.network().id,
            links: links.collect(),
            mark: file.mark().map(Mark::header).map(|header| header.hash()),
        }
    }
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let frozen = golden::read("golden/trust/era-2.trust");
    Known::of(&TrustFile::from_bytes(&frozen).expect("a trust file"))
});

/// The frozen file without its checksum.
fn seeds() -> Vec<Vec<u8>> {
    let mut frozen = golden::read("golden/trust/era-2.trust");
    frozen.truncate(frozen.len() - CHECKSUM_BYTES);
    vec![frozen]
}

fn take(input: &[u8]) -> bool {
    // As a whole file, too, whose checksum is hardly ever right.
    let _ = TrustFile::from_bytes(input);
    let bytes = [input, &trust_file_checksum(input).0].concat();
    let Ok(file) = TrustFile::from_bytes(&bytes) else {
        return false;
    };
    assert_eq!(file.to_bytes().unwrap(), bytes, "two encodings of one file");
    let found = Known::of(&file);
    // Whoever changes the genesis has another network.
    if found.network == KNOWN.network {
        assert!(KNOWN.links.starts_with(&found.links), "a forged link");
        assert!(
            found.mark.is_none() || found.mark == KNOWN.mark,
            "a forged state"
        );
    }
    let addresses: BTreeSet<&str> = file.addresses().collect();
    assert_eq!(addresses.len(), file.addresses().count());
    true
}
