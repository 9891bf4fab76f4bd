//! A party's policy: which sessions it joins by itself. The first rule that fits decides; where none does, it declines.

mod hours;
mod judge;
mod rates;
mod terms;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;
use hours::Hours;
pub use judge::Verdict;
pub use rates::Rates;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use terms::{Terms, some_time, time};
use white_city_client::{
    IdentityKey,
    files::read_public,
    groups::{Group, Name},
};

use crate::{
    args::{Preset, hex32},
    failure::Failure,
    people::People,
    presets,
};

/// Largest policy, bytes.
const BYTES_MAX: u64 = 1 << 20;
/// Most rules.
const RULES_MAX: usize = 256;
/// Most memory that a pattern may take, bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Time for an approver where the policy says none.
const APPROVER_TIME: Duration = Duration::from_secs(10);

/// A policy, every name in which is somebody's.
#[derive(Clone)]
pub struct Policy {
    /// Sessions at once; more wait for one to end.
    pub sessions_max: usize,
    /// What becomes of a session that no rule fits.
    pub otherwise: Otherwise,
    rules: Vec<Rule>,
}

/// What becomes of a session that no rule fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// The others are told at once.
    Decline,
    /// They wait until joining closes.
    Ignore,
}

/// One rule.
#[derive(Clone)]
pub struct Rule {
    /// Its name, for the audit log.
    pub name: String,
    protocols: Vec<&'static str>,
    openers: Option<Vec<IdentityKey>>,
    members: Option<Vec<IdentityKey>>,
    group: Option<Group>,
    terms: Terms,
    hours: Option<Hours>,
    rate: Option<Rate>,
    /// Most sessions that it has under way.
    pub at_once: Option<usize>,
    /// The keys that are signed with, or whose shares are changed; any if there is no list.
    keys: Option<Vec<[u8; 32]>>,
    messages: Messages,
    /// Who is asked when all the rest fits.
    pub approver: Option<Approver>,
}

/// Sessions that a rule lets in, at most so many in so long.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Most sessions.
    pub sessions: u32,
    /// In this time.
    #[serde(deserialize_with = "some_time")]
    pub per: Duration,
}

/// Messages that a rule has signed.
#[derive(Clone)]
enum Messages {
    /// A rule that signs nothing, or asks an approver.
    Any,
    These {
        exact: Vec<Vec<u8>>,
        pattern: Option<Regex>,
        /// Folder with the messages, each named by its SHA-256 in hex.
        folder: Option<PathBuf>,
    },
}

/// Who says yes or no in the end.
#[derive(Debug, Clone)]
pub struct Approver {
    /// How it is asked.
    pub how: How,
    /// How long it has.
    pub time_limit: Duration,
}

/// How an approver is asked.
#[derive(Debug, Clone)]
pub enum How {
    /// A program, with its arguments: it reads the session as JSON and says yes with its exit code 0.
    Program(Vec<String>),
    /// An address on this machine that the session is posted to as JSON.
    Url(String),
    /// A person, who looks at `white-city party pending`.
    People,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    version: u32,
    #[serde(default = "sessions_at_once")]
    sessions_max: usize,
    #[serde(default = "declining")]
    otherwise: Otherwise,
    #[serde(default)]
    rule: Vec<RuleFile>,
}

const fn sessions_at_once() -> usize {
    64
}

const fn declining() -> Otherwise {
    Otherwise::Decline
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    name: String,
    protocols: Vec<String>,
    openers: Option<OneOr>,
    members: Option<OneOr>,
    group: Option<Name>,
    #[serde(default)]
    terms: Terms,
    hours: Option<Vec<String>>,
    rate: Option<Rate>,
    at_once: Option<usize>,
    keys: Option<Vec<String>>,
    messages: Option<MessagesFile>,
    approver: Option<ApproverFile>,
}

/// `"any"`, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOr {
    One(String),
    List(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MessagesFile {
    Any(String),
    These(TheseMessages),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TheseMessages {
    #[serde(default)]
    exact: Vec<String>,
    #[serde(default)]
    hex: Vec<String>,
    pattern: Option<String>,
    folder: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApproverFile {
    program: Option<Vec<String>>,
    url: Option<String>,
    #[serde(default)]
    people: bool,
    #[serde(default, deserialize_with = "time")]
    time_limit: Option<Duration>,
}

impl Policy {
    /// Reads a policy, with the names that these people have.
    ///
    /// # Errors
    /// What is wrong with it, and in which rule.
    pub fn load(path: &Path, people: &People) -> Result<Self, Failure> {
        let bad = |what: String| Failure::usage(format!("{}: {what}", path.display()));
        let bytes = read_public(path, BYTES_MAX)?;
        let text = String::from_utf8(bytes).map_err(|_| bad("expected text in UTF-8".into()))?;
        // A folder that it names lies beside it.
        let beside = path.parent().unwrap_or(Path::new("."));
        Self::from_toml(&text, beside, people).map_err(bad)
    }

    fn from_toml(text: &str, beside: &Path, people: &People) -> Result<Self, String> {
        let file: PolicyFile = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.version != 1 {
            return Err(format!("version {}, expected 1", file.version));
        }
        if !(1..=10_000).contains(&file.sessions_max) {
            return Err(format!(
                "sessions_max: {}, expected 1 to 10000",
                file.sessions_max
            ));
        }
        if file.rule.len() > RULES_MAX {
            return Err(format!("at most {RULES_MAX} rules"));
        }
        let mut rules: Vec<Rule> = Vec::new();
        for rule in file.rule {
            let name = rule.name.clone();
            if rules.iter().any(|rule| rule.name == name) {
                return Err(format!("two rules are named {name:?}"));
            }
            let rule = Rule::of(rule, beside, people);
            rules.push(rule.map_err(|what| format!("rule {name:?}: {what}"))?);
        }
        Ok(Self {
            sessions_max: file.sessions_max,
            otherwise: file.otherwise,
            rules,
        })
    }

    /// The same policy for groups as they are now. One that has gone stays as it was.
    pub fn with(&self, people: &People) -> Self {
        let mut policy = self.clone();
        for rule in &mut policy.rules {
            let now = rule
                .group
                .as_ref()
                .and_then(|group| people.group(&group.name));
            rule.group = now.cloned().or(rule.group.take());
        }
        policy
    }

    /// The group of a rule, if it has one.
    pub fn group_of(&self, rule: &str) -> Option<&Name> {
        let rule = self.rules.iter().find(|one| one.name == rule)?;
        rule.group.as_ref().map(|group| &group.name)
    }

    /// The names of the rules, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.name)
    }

    /// The longest time that a rate looks back.
    pub fn longest_rate(&self) -> Duration {
        let rates = self.rules.iter().filter_map(|rule| rule.rate);
        rates.map(|rate| rate.per).max().unwrap_or_default()
    }
}

impl Rule {
    fn of(file: RuleFile, beside: &Path, people: &People) -> Result<Self, String> {
        let protocols = protocols(&file.protocols)?;
        let signing = [presets::SIGN, presets::SIGN_MANY, presets::AGGREGATE];
        let signs = protocols.iter().any(|name| signing.contains(name));
        let group = file.group.map(|name| {
            let group = people.group(&name).cloned();
            group.ok_or_else(|| format!("group: nobody knows {name}"))
        });
        let (group, members) = (group.transpose()?, file.members);
        if group.is_none() && members.is_none() {
            return Err(
                "with whom? expected group, or members = [names or keys], or members = \"any\""
                    .into(),
            );
        }
        if group.is_some() && protocols.contains(&presets::AGGREGATE) {
            return Err("group: what its members sign each with a key of their own is no key of the group: expected members".into());
        }
        if protocols.contains(&presets::RESHARE) {
            // A group is who made its keys, and whoever gets a share can sign.
            if group.is_some() {
                return Err(
                    "group: who holds a key may change by eddsa-reshare: expected members".into(),
                );
            }
            // Whoever may open such a session chooses whom the key goes to, and how few of them can sign.
            let is_list = |names: &Option<OneOr>| matches!(names, Some(OneOr::List(_)));
            let is_bounded = file.terms.bounds_holders() && file.keys.is_some();
            let says_all = is_list(&members) && is_list(&file.openers) && is_bounded;
            if file.approver.is_none() && !says_all {
                return Err("eddsa-reshare: whose key goes to whom? expected openers, members and keys as lists, and terms with threshold.min and \
                            holders.min, or an approver".into());
            }
        }
        if protocols.contains(&presets::SIGN_MANY) && !file.terms.bounds_messages() {
            return Err(
                "eddsa-sign-many: how many in a session? expected terms with messages.max".into(),
            );
        }
        if file.at_once == Some(0) {
            return Err("at_once: 0, expected 1 at least".into());
        }
        let public_keys = file.keys.map(|keys| {
            let key = |key: &String| hex32(key).map_err(|error| format!("keys: {key:?}: {error}"));
            keys.iter().map(key).collect::<Result<Vec<_>, _>>()
        });
        let approver = file.approver.map(approver).transpose()?;
        let messages = match file.messages {
            Some(messages) => messages_of(messages, beside)?,
            None if signs && approver.is_none() => {
                return Err(
                    "what may be signed? expected messages, an approver, or messages = \"any\""
                        .into(),
                );
            }
            None => Messages::Any,
        };
        let hours = file.hours.map(|hours| Hours::of(&hours)).transpose()?;
        Ok(Self {
            name: file.name,
            protocols,
            openers: keys("openers", file.openers, people)?,
            members: keys("members", members, people)?,
            group,
            terms: file.terms,
            hours,
            rate: file.rate,
            at_once: file.at_once,
            keys: public_keys.transpose()?,
            messages,
            approver,
        })
    }
}

fn protocols(names: &[String]) -> Result<Vec<&'static str>, String> {
    if names.is_empty() {
        return Err("protocols: expected one at least".into());
    }
    let protocol = |name: &String| {
        let preset = Preset::from_str(name, false);
        preset.map(presets::protocol).map_err(|_| {
            format!(
                "protocols: {name:?}, expected eddsa-keygen, eddsa-refresh, eddsa-reshare, eddsa-sign, eddsa-sign-many or eddsa-aggregate-sign"
            )
        })
    };
    names.iter().map(protocol).collect()
}

/// The keys of names; `None` for anybody.
fn keys(
    what: &str,
    names: Option<OneOr>,
    people: &People,
) -> Result<Option<Vec<IdentityKey>>, String> {
    let names = match names {
        None => return Ok(None),
        Some(OneOr::One(any)) if any == "any" => return Ok(None),
        Some(OneOr::One(name)) => {
            return Err(format!("{what}: {name:?}, expected a list, or \"any\""));
        }
        Some(OneOr::List(names)) => names,
    };
    let key = |name: &String| {
        let found = people.find(name);
        found.ok_or_else(|| format!("{what}: {name:?} is no contact's name, and no key"))
    };
    names.iter().map(key).collect::<Result<_, _>>().map(Some)
}

fn messages_of(file: MessagesFile, beside: &Path) -> Result<Messages, String> {
    let these = match file {
        MessagesFile::Any(any) if any == "any" => return Ok(Messages::Any),
        MessagesFile::Any(other) => {
            return Err(format!("messages: {other:?}, expected \"any\", or a table"));
        }
        MessagesFile::These(these) => these,
    };
    let mut exact: Vec<Vec<u8>> = these.exact.into_iter().map(String::into_bytes).collect();
    for text in &these.hex {
        exact.push(hex::decode(text).map_err(|_| format!("messages.hex: {text:?} isn't hex"))?);
    }
    let pattern = these.pattern.map(|pattern| {
        // Whole by itself, so that it can't end what is put around it.
        Regex::new(&pattern).map_err(|error| format!("messages.pattern: {error}"))?;
        // All of the message, whatever the pattern says of its ends.
        let whole = RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
            .size_limit(PATTERN_BYTES_MAX)
            .build();
        whole.map_err(|error| format!("messages.pattern: {error}"))
    });
    Ok(Messages::These {
        exact,
        pattern: pattern.transpose()?,
        folder: these.folder.map(|folder| beside.join(folder)),
    })
}

fn approver(file: ApproverFile) -> Result<Approver, String> {
    let how = match (file.program, file.url, file.people) {
        (Some(program), None, false) if !program.is_empty() => {
            super::approver::check_program(&program)?;
            How::Program(program)
        }
        (None, Some(url), false) => {
            super::approver::check_url(&url)?;
            How::Url(url)
        }
        (None, None, true) => How::People,
        _ => {
            return Err(
                "approver: expected one of program = [path, arguments], url, people = true".into(),
            );
        }
    };
    let people = Duration::from_secs(86_400);
    let default = if matches!(how, How::People) {
        people
    } else {
        APPROVER_TIME
    };
    Ok(Approver {
        how,
        time_limit: file.time_limit.unwrap_or(default),
    })
}

#[cfg(test)]
mod tests;
