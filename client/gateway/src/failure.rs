//! Failures as answers: a number and a name that stay, a text that says what was expected, and a status.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use white_city_client::{Error, Kind, Progress};

use crate::{api, shown::Waiting};

const fn kind(number: u16, name: &'static str) -> Kind {
    Kind { number, name }
}

const ENDING: Kind = kind(1_100, "ending");
const REQUEST: Kind = kind(2_100, "request");
const UNAUTHORIZED: Kind = kind(2_101, "unauthorized");
const FORBIDDEN: Kind = kind(2_102, "forbidden");
const NO_ROUTE: Kind = kind(2_103, "no_route");
const NO_METHOD: Kind = kind(2_104, "no_method");
const BODY_TOO_LARGE: Kind = kind(2_105, "body_too_large");
const TOO_MANY: Kind = kind(2_106, "too_many");
const NOT_JOINED: Kind = kind(2_107, "not_joined");
const NOT_REMEMBERED: Kind = kind(2_108, "not_remembered");
const NOT_SHOWN: Kind = kind(3_100, "not_shown");

/// All kinds that are the gateway's own.
#[cfg(test)]
pub(crate) const OWN: [Kind; 11] = [
    ENDING,
    REQUEST,
    UNAUTHORIZED,
    FORBIDDEN,
    NO_ROUTE,
    NO_METHOD,
    BODY_TOO_LARGE,
    TOO_MANY,
    NOT_JOINED,
    NOT_REMEMBERED,
    NOT_SHOWN,
];

/// Why a request isn't answered with what it asked for.
#[derive(Debug)]
pub(crate) struct Failure(Box<Why>);

#[derive(Debug)]
struct Why {
    status: StatusCode,
    kind: Kind,
    text: String,
    /// The number of the board's refusal, if it is one.
    refusal: Option<u32>,
    waiting: Option<Waiting>,
}

impl Failure {
    fn new(status: StatusCode, kind: Kind, text: impl Into<String>) -> Self {
        Self(Box::new(Why {
            status,
            kind,
            text: text.into(),
            refusal: None,
            waiting: None,
        }))
    }

    pub(crate) fn request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, REQUEST, text)
    }

    pub(crate) fn unauthorized() -> Self {
        let expected = "expected the header Authorization: Bearer TOKEN, with the token of this gateway's file";
        Self::new(StatusCode::UNAUTHORIZED, UNAUTHORIZED, expected)
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, FORBIDDEN, text)
    }

    pub(crate) fn no_route() -> Self {
        let expected = "no such path: /openapi.json lists them";
        Self::new(StatusCode::NOT_FOUND, NO_ROUTE, expected)
    }

    pub(crate) fn no_method() -> Self {
        let expected = "the path has no such method: /openapi.json lists them";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, NO_METHOD, expected)
    }

    pub(crate) fn body_too_large(max: usize) -> Self {
        let text =
            format!("the body is too large, or comes too slowly: expected at most {max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, BODY_TOO_LARGE, text)
    }

    pub(crate) fn too_many(text: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, TOO_MANY, text)
    }

    pub(crate) fn not_joined() -> Self {
        let expected = "this party has no journal of the session: expected to join it first";
        Self::new(StatusCode::CONFLICT, NOT_JOINED, expected)
    }

    pub(crate) fn not_remembered(name: &str) -> Self {
        let text = format!("nothing was remembered as {name:?} in this session");
        Self::new(StatusCode::NOT_FOUND, NOT_REMEMBERED, text)
    }

    pub(crate) fn ending() -> Self {
        let text = "the gateway is ending: ask again when it is back";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ENDING, text)
    }

    pub(crate) fn not_shown() -> Self {
        let text = "it isn't done yet: what was signed is kept, and asking again goes on with it";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, NOT_SHOWN, text)
    }

    pub(crate) fn io(error: &dyn std::fmt::Display) -> Self {
        let kind = kind(1_000, "other");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, kind, error.to_string())
    }

    /// Another spec than was asked for under the same name.
    pub(crate) fn differs(text: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind(6_004, "differs"), text)
    }

    /// The time that a request waits is over.
    pub(crate) fn waiting(now: Option<&Progress>) -> Self {
        Self::from(Error::Waiting {
            round: now.map_or(0, |now| now.round),
            missing: now.map_or_else(Vec::new, |now| now.waiting_for.clone()),
            deadline_ms: now.map_or(0, |now| now.deadline_ms),
            board_ms: now.map_or(0, |now| now.board_ms),
        })
    }

    pub(crate) fn number(&self) -> u16 {
        self.0.kind.number
    }

    /// Whether the session is erased.
    pub(crate) fn is_erased(&self) -> bool {
        self.0.kind == Error::Erased.kind()
    }

    /// The same as an object.
    pub(crate) fn said(&self) -> Said {
        Said {
            error: self.0.text.clone(),
            exit_code: self.0.kind.exit_code(),
            failure: self.0.kind.number,
            failure_name: self.0.kind.name,
            refusal: self.0.refusal,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let status = match (kind.exit_code(), &error) {
            (_, Error::UnknownSession(_)) => StatusCode::NOT_FOUND,
            (_, Error::WrongRound { .. } | Error::Receipt(_)) | (6, _) => StatusCode::CONFLICT,
            (_, Error::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            (2, _) => StatusCode::BAD_REQUEST,
            (3, _) => StatusCode::SERVICE_UNAVAILABLE,
            (4 | 8, _) => StatusCode::UNPROCESSABLE_ENTITY,
            (5, _) => StatusCode::GONE,
            (7, _) => StatusCode::BAD_GATEWAY,
            (9, _) => StatusCode::ACCEPTED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let refusal = match &error {
            Error::Refused { code, .. } | Error::QuotaExceeded { code, .. } => Some(*code),
            _ => None,
        };
        let mut failure = Self::new(status, kind, error.to_string());
        failure.0.refusal = refusal;
        failure.0.waiting = Waiting::of(&error);
        failure
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match &self.0.waiting {
            Some(waiting) => api::reply(
                self.0.status,
                &Later {
                    result: "waiting",
                    text: &self.0.text,
                    exit_code: self.0.kind.exit_code(),
                    waiting,
                },
            ),
            None => api::reply(self.0.status, &self.said()),
        }
    }
}

/// A failure.
#[derive(Serialize)]
pub(crate) struct Said {
    error: String,
    exit_code: u8,
    failure: u16,
    failure_name: &'static str,
    refusal: Option<u32>,
}

/// Others have to act first, which is no failure.
#[derive(Serialize)]
struct Later<'a> {
    result: &'static str,
    text: &'a str,
    exit_code: u8,
    #[serde(flatten)]
    waiting: &'a Waiting,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_gateways_own_kinds_are_none_of_the_librarys() {
        let all = OWN.iter().chain(&Kind::ALL);
        let numbers: BTreeSet<u16> = all.clone().map(|kind| kind.number).collect();
        let names: BTreeSet<&str> = all.map(|kind| kind.name).collect();
        let count = OWN.len() + Kind::ALL.len();
        assert_eq!((numbers.len(), names.len()), (count, count));
    }
}
