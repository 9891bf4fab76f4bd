//! Numbers of the rules: those that charters ask for, beside those that programs know
//!
//! A replica whose program lacks the number that is enacted stops at that block. What the board asks for is verified; what another node's
//! replica says about its own program is its word.

use white_city_client::read::CharterNow;
use white_city_wire::json::{Answer, Program};
use white_city_wire::protocol::Known;

/// Longest version that is shown.
const VERSION_MAX: usize = 64;

/// The numbers that a board asks of its programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The one of the charter in force.
    pub in_force: u32,
    /// The newest one of a charter that may still be approved, if it is another.
    pub asked: Option<Asked>,
}

/// A charter that brings another number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The number.
    pub protocol: u32,
    /// Operators who approve it.
    pub approvals: usize,
    /// Operators who have to.
    pub needed: usize,
}

impl Rules {
    /// Those of a board at a time.
    #[must_use]
    pub fn of(now: &CharterNow, board_ms: u64) -> Self {
        let in_force = now.charter.protocol;
        let proposed = now.proposed.iter();
        let others = proposed.filter(|next| next.protocol != in_force && next.until_ms >= board_ms);
        let asked = others.map(|next| Asked {
            protocol: next.protocol,
            approvals: now.approvals(&next.hash()),
            needed: now.needed(),
        });
        Self {
            in_force,
            asked: asked.max_by_key(|asked| (asked.protocol, asked.approvals)),
        }
    }

    /// What the board asks for, in words.
    #[must_use]
    pub fn told(&self) -> String {
        let in_force = self.in_force;
        match &self.asked {
            None => format!("protocol {in_force} is in force"),
            Some(asked) => format!(
                "protocol {in_force} is in force, and {} of the {} operators who have to approve a charter with protocol {}",
                asked.approvals, asked.needed, asked.protocol
            ),
        }
    }

    /// What there is to be said of a program that knows some numbers: whether it goes on.
    ///
    /// # Errors
    /// What will become of it, in words.
    pub fn judged(&self, program: &str, known: &Program) -> Result<String, String> {
        let numbers = match known.oldest_protocol == known.newest_protocol {
            true => format!("protocol {}", known.newest_protocol),
            false => format!(
                "protocols {} to {}",
                known.oldest_protocol, known.newest_protocol
            ),
        };
        let version = plain(&known.version);
        let knows = |number: u32| (known.oldest_protocol..=known.newest_protocol).contains(&number);
        let asked = self.asked.as_ref().map(|asked| asked.protocol);
        let mut wanted = [Some(self.in_force), asked].into_iter().flatten();
        match wanted.find(|number| !knows(*number)) {
            None => Ok(format!("{program} ({version}) knows {numbers}")),
            Some(number) => Err(format!(
                "{program} ({version}) knows {numbers}, and {}: it stops at the first block under protocol {number}; install one that knows it before",
                self.told()
            )),
        }
    }
}

/// This program's own numbers: it verifies the board.
#[must_use]
pub fn own() -> Program {
    let known = Known::RELEASED.all();
    Program {
        version: env!("CARGO_PKG_VERSION").into(),
        oldest_protocol: *known.start(),
        newest_protocol: *known.end(),
    }
}

/// The program in an engine's answer to `abci_query` with the path `/json/program`; anybody's, who may answer with anything.
///
/// # Errors
/// In words.
pub fn read(answer: &serde_json::Value) -> Result<Program, String> {
    let response = answer.pointer("/result/response");
    let response = response.ok_or("it isn't a node's RPC")?;
    let info = response.get("info").and_then(serde_json::Value::as_str);
    let read = info.and_then(|info| serde_json::from_str::<Answer<Program>>(info).ok());
    let Some(program) = read.map(|read| read.answer) else {
        let log = response.get("log").and_then(serde_json::Value::as_str);
        return Err(format!(
            "its replica doesn't say: {}",
            plain(log.unwrap_or("no reason"))
        ));
    };
    if program.oldest_protocol > program.newest_protocol {
        return Err("its replica says nonsense".into());
    }
    Ok(program)
}

/// Text of somebody else's for a terminal: short, and without what a terminal obeys.
#[must_use]
pub fn plain(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(VERSION_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn program(oldest: u32, newest: u32) -> Program {
        Program {
            version: "1".into(),
            oldest_protocol: oldest,
            newest_protocol: newest,
        }
    }

    #[test]
    fn a_program_stops_at_a_number_that_it_lacks_in_force_or_asked_for() {
        for (in_force, asked, oldest, newest, goes_on) in [
            (2, None, 2, 2, true),
            (2, Some(3), 2, 3, true),
            (2, Some(3), 2, 2, false),
            (3, None, 2, 2, false),
            (2, None, 3, 3, false),
        ] {
            let asked = asked.map(|protocol| Asked {
                protocol,
                approvals: 1,
                needed: 3,
            });
            let rules = Rules { in_force, asked };
            let judged = rules.judged("it", &program(oldest, newest));
            assert_eq!(judged.is_ok(), goes_on, "{judged:?}");
        }
        let rules = Rules {
            in_force: 2,
            asked: Some(Asked {
                protocol: 3,
                approvals: 1,
                needed: 3,
            }),
        };
        let stops = rules.judged("it", &program(2, 2)).unwrap_err();
        for part in ["it (1) knows protocol 2", "1 of the 3", "protocol 3"] {
            assert!(stops.contains(part), "{part}: {stops}");
        }
    }

    #[test]
    fn whatever_a_peer_answers_is_a_program_or_words() {
        let answer = |info: &str| json!({ "result": { "response": { "info": info, "log": "\u{1b}[2Jno" } } });
        let good = r#"{"height":1,"board_ms":1,"answer":{"version":"0.1.0","oldest_protocol":2,"newest_protocol":3}}"#;
        let read_back = read(&answer(good)).unwrap();
        assert_eq!(
            (read_back.oldest_protocol, read_back.newest_protocol),
            (2, 3)
        );
        for (from, to) in [
            ("2,", "4,"),
            ("3}", "-3}"),
            ("3}", "4294967296}"),
            ("3}", "\"3\"}"),
        ] {
            let lie = good.replacen(from, to, 1);
            assert_ne!(lie, good);
            assert!(read(&answer(&lie)).is_err(), "{lie}");
        }
        for answer in [
            json!(null),
            json!([]),
            json!({ "result": { "response": 5 } }),
        ] {
            assert!(read(&answer).is_err(), "{answer}");
        }
        // An older replica, or one that would write on the terminal.
        let refused = read(&answer("")).unwrap_err();
        assert!(refused.ends_with("doesn't say: [2Jno"), "{refused:?}");
        let long = good.replace("0.1.0", &"\\u001b]0;x\\u0007".repeat(1_000));
        let shown = Rules::default().judged("it", &read(&answer(&long)).unwrap());
        let shown = shown.unwrap_err();
        assert!(shown.len() < 300 && !shown.contains('\u{1b}'), "{shown:?}");
    }
}
