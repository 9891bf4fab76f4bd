//! Answers that take little on their way and would take hundreds of times as much in memory.

use std::{hint::black_box, sync::Arc};

use allocation_counter::measure;
use white_city_client::{
    SessionId, Spec, Trust,
    read::{
        Read, ReadEvidence, ReadInbox, ReadLeaf, ReadOpeners, ReadRoster, ReadRound, ReadSession,
        ReadSpec, ReadStatus, ReadTranscript, check,
    },
    trust::VerifiedHeader,
};

use crate::world::{spec, world};

/// Size of the answers.
const BYTES: usize = 2 << 20;
/// Most memory that an answer may take, in its own size: it is kept, decoded, and taken apart.
const TIMES: u64 = 3;

/// The field of an answer that has its body, for each question.
fn bodies() -> [usize; 10] {
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 20]
}

fn key(field: usize) -> Vec<u8> {
    let mut key = Vec::new();
    prost::encoding::encode_varint((field << 3 | 2) as u64, &mut key);
    key
}

fn with_length(field: usize, bytes: &[u8]) -> Vec<u8> {
    let mut length = Vec::new();
    prost::encoding::encode_varint(bytes.len() as u64, &mut length);
    [key(field), length, bytes.to_vec()].concat()
}

/// Bound on the memory that a reader takes for each answer that has nothing but many of the smallest parts, in each field of this
/// body or of what is in it.
fn inflate<R: Read>(read: &R, trust: &Trust, header: &Arc<VerifiedHeader>, body: usize) {
    let version = [8, 1];
    let small = |field: usize, content: &[u8]| {
        let part = with_length(field, content);
        part.repeat(BYTES / part.len())
    };
    let mut shapes = vec![small(1, &[])];
    for field in 1..=8 {
        for content in [
            &[][..],
            &[0x0a, 0],
            &[0x12, 0],
            &[0x52, 0],
            &[0x4a, 0],
            &[0x2a, 0],
        ] {
            shapes.push(small(field, content));
            // A single part with many in it, and one more level.
            shapes.push(with_length(field, &small(field, content)));
            shapes.push(with_length(1, &small(field, content)));
            shapes.push(with_length(field, &with_length(10, &small(6, content))));
        }
    }
    for shape in shapes {
        let answer = [&version[..], &with_length(body, &shape)].concat();
        let mut is_lie = false;
        let used = measure(|| is_lie = black_box(check(read, trust, &answer, header)).is_err());
        assert!(is_lie);
        let most = TIMES * u64::try_from(answer.len()).unwrap();
        let begin = &shape[..shape.len().min(8)];
        assert!(
            used.bytes_max <= most,
            "{} bytes of memory for {} in field {body}: {begin:?}",
            used.bytes_max,
            answer.len(),
        );
    }
}

fn inflate_all(id: SessionId, spec: &Spec, trust: &Trust, header: &Arc<VerifiedHeader>) {
    let inbox = |round| ReadInbox {
        id,
        spec,
        round,
        reader: Some(0),
        from_index: 0,
    };
    for body in bodies() {
        match body {
            10 => inflate(&ReadStatus, trust, header, body),
            11 => {
                inflate(&ReadLeaf(id.into()), trust, header, body);
                inflate(&ReadSession { id, spec }, trust, header, body);
            }
            12 => inflate(&ReadSpec(id), trust, header, body),
            13 => inflate(&ReadRoster { id, spec }, trust, header, body),
            14 => inflate(&ReadRound { id, spec, round: 0 }, trust, header, body),
            15 => {
                inflate(&inbox(0), trust, header, body);
                inflate(&inbox(1), trust, header, body);
            }
            16 => inflate(&ReadTranscript(id), trust, header, body),
            17 => inflate(&ReadEvidence { id, spec }, trust, header, body),
            20 => inflate(&ReadOpeners { from: 0 }, trust, header, body),
            // What is in an answer beside what was asked for.
            _ => inflate(&ReadStatus, trust, header, body),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_takes_a_small_multiple_of_its_size() {
    let world = world().await;
    let id = world.open(spec(3)).await;
    let client = world.client(0);
    let spec = client.open_of(id).await.unwrap().spec;
    let header = Arc::clone(client.status().await.unwrap().header());
    let trust = world.trust();
    let inflated = move || inflate_all(id, &spec, &trust, &header);
    tokio::task::spawn_blocking(inflated).await.unwrap();
}
