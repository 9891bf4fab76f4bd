//! The sizes of posts, and up to how many parties they fit into one transaction.

use white_city_client::{
    Kem,
    wire::limits::{ROSTER_PARTIES_MAX, TX_BYTES_MAX},
};
use white_city_eddsa::Dalek;
use white_city_kit::{Board, Party, PostBytes, largest_posts};
use white_city_protocols::{Failure, eddsa, frost, givre};

/// Bytes that a transaction has beside its payloads, at most: header and signature, and of each payload its length.
const AROUND: (u64, u64) = (512, 16);

/// Bytes of one protocol's largest post, measured: broadcast of `n` parties of whom `t` sign, and sealed for one recipient.
struct Measured {
    broadcast: Vec<(u16, u16, u32)>,
    recipient: u32,
}

async fn measure<T>(
    (board, kem): (&Board, Kem),
    keygen: impl AsyncFn(&mut Party, u16) -> Result<T, Failure>,
) -> Measured {
    let mut measured = Measured {
        broadcast: Vec::new(),
        recipient: 0,
    };
    for (n, t) in [(3, 2), (4, 2), (4, 3)] {
        let posts = board.run(
            board.spec("sizes", n).kem(kem),
            async |party: &mut Party| {
                keygen(party, t).await?;
                Ok::<_, Failure>(largest_posts(&party.session))
            },
        );
        let posts: Vec<PostBytes> = posts.await.unwrap().remove(0).unwrap();
        let broadcast = posts.iter().map(|post| post.broadcast).max().unwrap();
        measured.broadcast.push((n, t, broadcast));
        let p2p = posts.iter().map(|post| post.p2p).max().unwrap();
        measured.recipient = p2p.div_ceil(u32::from(n) - 1);
    }
    measured
}

impl Measured {
    /// What it would be if payloads were sealed to X-Wing keys instead of X25519 ones.
    fn with_x_wing(self) -> Self {
        let more = Kem::XWing.sealing_bytes() - Kem::X25519.sealing_bytes();
        Self {
            recipient: self.recipient + more,
            ..self
        }
    }

    /// The largest post among `n` parties who all have to sign, bytes: a straight line through what was measured.
    fn post(&self, n: u16) -> u64 {
        let [(_, _, least), (_, _, one_more), (_, _, one_higher)] = self.broadcast[..] else {
            panic!("three measurements");
        };
        let (party, signer) = (one_more - least, one_higher - one_more);
        let (n, others) = (u64::from(n), u64::from(n) - 1);
        let broadcast = u64::from(least) + u64::from(party) * (n - 3) + u64::from(signer) * (n - 2);
        let p2p = (u64::from(self.recipient) + AROUND.1) * others;
        AROUND.0 + broadcast + p2p
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn key_generations_of_1024_parties_fit_into_one_transaction_each_and_of_512_with_x_wing() {
    let board = Board::solo().await.unwrap();
    let x25519 = (&board, Kem::X25519);
    let all = [
        (
            "givre",
            measure(x25519, async |party, t| {
                givre::keygen(&mut party.session, t).await
            })
            .await,
        ),
        (
            "frost-ed25519",
            measure(x25519, async |party, t| {
                frost::keygen(&mut party.session, t).await
            })
            .await,
        ),
        (
            "white-city-eddsa",
            measure(x25519, async |party, t| {
                eddsa::keygen::<Dalek>(&mut party.session, t).await
            })
            .await,
        ),
    ];
    for (name, measured) in all {
        let (recipient, broadcast) = (measured.recipient, &measured.broadcast);
        let [some, most] = [512, ROSTER_PARTIES_MAX].map(|n| measured.post(n));
        println!(
            "{name}: {recipient} bytes a recipient, broadcasts {broadcast:?}, n = t = 512: {some}, 1024: {most}"
        );
        assert!(most < u64::from(TX_BYTES_MAX), "{name}: {most}");
        // Otherwise nothing was measured.
        assert!(recipient > 48 + 32 && some > 512 * (48 + 32 + 32), "{name}");
        let x_wing = measured.with_x_wing().post(512);
        println!("{name}, sealed to X-Wing keys, n = t = 512: {x_wing}");
        assert!(x_wing < u64::from(TX_BYTES_MAX), "{name}: {x_wing}");
    }
    let eddsa = async |kem| {
        let measured = measure((&board, kem), async |party: &mut Party, t| {
            eddsa::keygen::<Dalek>(&mut party.session, t).await
        });
        measured.await.recipient
    };
    let x25519 = eddsa(Kem::X25519).await;
    assert_eq!(eddsa(Kem::XWing).await, x25519 + 1_088);
    board.stop().await.unwrap();
}
