//! The two of ABCI's calls that anybody's question or transaction is behind, made of what a [`Board`] answers.

use tendermint_proto::v0_38::abci::{
    CheckTxType, RequestCheckTx, RequestQuery, ResponseCheckTx, ResponseQuery,
};
use white_city_wire::Refusal;

use super::{Answer, Board, Source};

/// Name of the space that the codes are numbers of.
const CODESPACE: &str = "white-city";

/// ABCI's `Query`, answered by a board.
pub fn query(board: &impl Board, request: &RequestQuery) -> ResponseQuery {
    board.answer(&request.path, &request.data).into()
}

/// ABCI's `CheckTx`, answered by a board.
pub fn check_tx(board: &impl Board, request: &RequestCheckTx) -> ResponseCheckTx {
    let source = match request.r#type == i32::from(CheckTxType::Recheck) {
        true => Source::EngineAgain,
        false => Source::Engine,
    };
    match board.take(&request.tx, source) {
        Ok(_) => ResponseCheckTx::default(),
        Err(refusal) => refused(&refusal),
    }
}

impl From<Answer> for ResponseQuery {
    fn from(answer: Answer) -> Self {
        let height = i64::try_from(answer.height).unwrap_or(i64::MAX);
        match answer.told {
            Ok(told) => Self {
                value: told.value.into(),
                info: told.info,
                height,
                ..Default::default()
            },
            Err(refusal) => Self {
                code: refusal.code(),
                log: refusal.to_string(),
                codespace: CODESPACE.into(),
                height,
                ..Default::default()
            },
        }
    }
}

fn refused(refusal: &Refusal) -> ResponseCheckTx {
    ResponseCheckTx {
        code: refusal.code(),
        log: refusal.to_string(),
        codespace: CODESPACE.into(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::front::{Taken, Told};

    /// Notes from whom it is asked, and takes what isn't empty.
    #[derive(Clone, Default)]
    struct Note(Arc<Mutex<Vec<Source>>>);

    impl Board for Note {
        fn answer(&self, path: &str, data: &[u8]) -> Answer {
            let told = match data.is_empty() {
                true => Err(Refusal::NotFound("session")),
                false => Ok(Told {
                    value: data.to_vec(),
                    info: path.into(),
                }),
            };
            Answer { height: 7, told }
        }

        fn take(&self, tx: &[u8], source: Source) -> Result<Taken, Refusal> {
            self.0.lock().unwrap().push(source);
            match tx.is_empty() {
                true => Err(Refusal::NotReady),
                false => Ok(Taken::BlockComes),
            }
        }
    }

    #[test]
    fn a_query_is_answered_with_what_the_board_tells_or_why_it_refuses() {
        let ask = |data: &'static [u8]| {
            let request = RequestQuery {
                path: "/v1".into(),
                data: data.into(),
                ..Default::default()
            };
            query(&Note::default(), &request)
        };
        let (told, refused) = (ask(b"data"), ask(b""));
        assert_eq!((told.code, told.height), (0, 7));
        assert_eq!((&told.value[..], &told.info[..]), (&b"data"[..], "/v1"));
        assert_eq!((refused.code, refused.height), (146, 7));
        assert_eq!(refused.log, Refusal::NotFound("session").to_string());
        assert!(refused.value.is_empty() && refused.info.is_empty());
    }

    #[test]
    fn no_kind_of_check_tx_is_taken_for_a_clients_and_none_says_more_than_whether_it_was_taken() {
        let board = Note::default();
        for kind in [0, 1, 2, -1] {
            let check = |tx: &'static [u8]| {
                let request = RequestCheckTx {
                    tx: tx.into(),
                    r#type: kind,
                };
                check_tx(&board, &request)
            };
            assert_eq!(check(b"tx"), ResponseCheckTx::default());
            assert_eq!(check(b"").code, Refusal::NotReady.code());
        }
        let sources = board.0.lock().unwrap();
        let again = sources
            .iter()
            .filter(|source| **source == Source::EngineAgain);
        assert_eq!((again.count(), sources.len()), (2, 8));
        assert!(!sources.contains(&Source::Client));
    }
}
