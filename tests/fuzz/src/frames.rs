//! Frames on the ABCI socket.

use prost::Message as _;
use tendermint_proto::v0_38::abci::{
    Request, RequestCheckTx, RequestEcho, RequestFlush, RequestInfo, RequestProcessProposal,
    RequestQuery, request::Value,
};
use white_city_replica::abci::frame::{FRAME_BYTES_MAX, FrameError, read_request};

use crate::Target;

/// Frames of CometBFT, one after the other.
pub const FRAMES: Target = Target::new("frames", seeds, take);

fn seeds() -> Vec<Vec<u8>> {
    [
        Value::Echo(RequestEcho {
            message: "echo".into(),
        }),
        Value::Flush(RequestFlush {}),
        Value::Info(RequestInfo {
            version: "1".into(),
            ..Default::default()
        }),
        Value::Query(RequestQuery {
            path: "/v1".into(),
            data: vec![8, 1, 18, 0].into(),
            ..Default::default()
        }),
        Value::CheckTx(RequestCheckTx {
            tx: vec![8, 1].into(),
            r#type: 1,
        }),
        Value::ProcessProposal(RequestProcessProposal {
            txs: vec![vec![0; 84].into(); 3],
            height: 7,
            ..Default::default()
        }),
    ]
    .map(|value| Request { value: Some(value) }.encode_length_delimited_to_vec())
    .to_vec()
}

fn take(input: &[u8]) -> bool {
    let mut rest = input;
    let mut read = 0;
    loop {
        let before = rest.len();
        match read_request(&mut rest) {
            Ok(Some(request)) => {
                read += 1;
                let again = request.encode_length_delimited_to_vec();
                assert_eq!(read_request(&mut again.as_slice()).unwrap(), Some(request));
                assert!(rest.len() < before);
            }
            Ok(None) => {
                assert_eq!(before, 0);
                return read > 0;
            }
            Err(FrameError::TooLarge(got)) => {
                assert!(got > FRAME_BYTES_MAX);
                return false;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return false;
            }
        }
    }
}
