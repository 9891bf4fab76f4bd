//! Monitoring with the real Prometheus: the shipped rules and dashboard, and a board that breaks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::time::sleep;
use white_city_client::{End, Session};

use crate::world::{PATIENCE, Setup, World, finish, join, keys, post, world};

/// Pause between two looks at Prometheus.
const LOOK: Duration = Duration::from_millis(250);

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(shipped(path)).unwrap()
}

/// A command of Debian's package `prometheus`; `None`, loudly, where it isn't installed.
fn installed(program: &str) -> Option<Command> {
    let version = Command::new(program).arg("--version").output();
    if version.is_ok_and(|version| version.status.success()) {
        return Some(Command::new(program));
    }
    assert!(
        std::env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
        "{program} is required here: apt-get install prometheus"
    );
    eprintln!("NOT RUN: this test needs {program}");
    None
}

/// What promtool says, which has to be that all is well.
fn promtool(arguments: &[&str], file: &Path) -> Option<String> {
    let ran = installed("promtool")?.args(arguments).arg(file).output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(ran.status.success(), "{said}");
    Some(said)
}

/// Names of the alerts in the shipped rules.
fn alerts() -> Vec<String> {
    let text = read("config/alerts.yml");
    let lines = text.lines().map(str::trim);
    let names = lines.filter_map(|line| line.strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn the_shipped_rules_are_rules_and_every_alert_fires_and_clears_in_its_unit_test() {
    let alerts = alerts();
    let rules = shipped("config/alerts.yml");
    let Some(said) = promtool(&["check", "rules"], &rules) else {
        return;
    };
    let count = format!("{} rules found", alerts.len());
    assert!(said.contains(&count), "expected {count}: {said}");
    let tests = "tests/monitoring/alerts_test.yml";
    promtool(&["test", "rules"], &shipped(tests));
    let text = read(tests);
    for alert in alerts {
        let mut seen = Vec::new();
        for case in text.split("      - alertname: ").skip(1) {
            let (name, expected) = case.split_once('\n').unwrap();
            if name == alert {
                seen.push(!expected.contains("exp_alerts: []"));
            }
        }
        // In this order: not at first, then, and not any more.
        assert_eq!(seen, [false, true, false], "{alert}");
    }
}

/// The dashboard's queries, with the variables that Grafana would put in.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("config/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array());
    let queries = targets.flatten().map(|target| {
        let query = target["expr"].as_str().unwrap();
        let query = query.replace("$__rate_interval", "1m");
        query.replace("$job", "white-city")
    });
    queries.collect()
}

#[test]
fn the_dashboard_asks_what_prometheus_understands_and_begins_with_ceremonies() {
    let dashboard: Value = serde_json::from_str(&read("config/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<&str> = rows.map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(rows, ["Ceremonies", "Board", "Replicas"]);
    let queries = queries();
    assert!(queries.len() > 40, "{queries:?}");
    assert!(
        queries.iter().all(|query| !query.contains('$')),
        "{queries:?}"
    );
    // As rules, which are YAML, as JSON is.
    let rules: Vec<Value> = (0..)
        .zip(&queries)
        .map(|(number, query)| serde_json::json!({"record": format!("q{number}"), "expr": query}))
        .collect();
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dashboard.yml");
    fs::write(&file, groups.to_string()).unwrap();
    promtool(&["check", "rules"], &file);
}

/// Names of series in the rules, in the dashboard and in what is said of them.
fn names() -> BTreeSet<String> {
    let rules = read("config/alerts.yml");
    let rules = rules.lines().map(str::trim);
    let rules = rules.filter(|line| !line.starts_with(['#']) && !line.starts_with("- alert"));
    let all = rules.map(str::to_owned).chain(queries());
    let all: Vec<String> = all.chain([read("docs/monitoring.md")]).collect();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = all.iter().flat_map(|text| text.split(|c| !is_of_name(c)));
    let names =
        words.filter(|word| word.starts_with("white_city_") || word.starts_with("process_"));
    // That one is a label's value.
    let names = names.filter(|name| *name != "process_proposal");
    names.map(str::to_owned).collect()
}

/// The shipped rules, with nothing but their durations shortened.
fn shortened() -> String {
    let mut text = String::new();
    for line in read("config/alerts.yml").lines() {
        let begin = line.len() - line.trim_start().len();
        let line = match line.trim_start().starts_with("for: ") {
            true => format!("{}for: 1s", &line[..begin]),
            false => line.to_owned(),
        };
        text += &(line + "\n");
    }
    for (from, to) in [
        ("[10m]", "[10s]"),
        ("[15m]", "[15s]"),
        ("> 3600\n", "> 3\n"),
        ("> 600\n", "> 6\n"),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

struct Prometheus {
    process: Child,
    url: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address of a replica's health port, as its configuration says.
fn health_address(world: &World, replica: usize) -> String {
    let file = world.net.home(replica).join("app/replica.toml");
    let config: toml::Table = fs::read_to_string(file).unwrap().parse().unwrap();
    config["health_address"].as_str().unwrap().to_owned()
}

impl Prometheus {
    /// Starts it for a world's replicas; `None`, loudly, where it isn't installed.
    fn start(world: &World, dir: &Path) -> Option<Self> {
        let mut program = installed("prometheus")?;
        let targets: Vec<String> = (0..4).map(|k| health_address(world, k)).collect();
        let config = serde_json::json!({
            // A scrape may take no longer than the pause between two of them.
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "250ms"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [{"job_name": "white-city", "static_configs": [{"targets": targets}]}],
        });
        fs::write(dir.join("alerts.yml"), shortened()).unwrap();
        fs::write(dir.join("prometheus.yml"), config.to_string()).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = program
            .arg(format!(
                "--config.file={}",
                dir.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self {
            process,
            url: format!("http://{address}/api/v1"),
        })
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let url = reqwest::Url::parse_with_params(&format!("{}/{path}", self.url), query);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(url.unwrap()).send().await.ok()?;
        let mut answer: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        Some(answer["data"].take())
    }

    /// The alerts that fire, each with the instances that it fires for.
    async fn firing(&self) -> Option<BTreeMap<String, BTreeSet<String>>> {
        let answer = self.ask("alerts", &[]).await?;
        let mut firing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for alert in answer["alerts"].as_array()? {
            if alert["state"] == "firing" {
                let label = |name: &str| {
                    alert["labels"][name]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned()
                };
                firing
                    .entry(label("alertname"))
                    .or_default()
                    .insert(label("instance"));
            }
        }
        Some(firing)
    }

    /// Waits until all of these alerts fire, or none of them does: for this instance, or at all.
    async fn wait(&mut self, alerts: &[(&str, &str)], fire: bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let firing = self.firing().await;
            let does = |(alert, instance): &(&str, &str)| {
                let of = firing.as_ref().and_then(|firing| firing.get(*alert));
                of.is_some_and(|of| instance.is_empty() || of.contains(*instance))
            };
            if firing.is_some() && alerts.iter().all(|alert| does(alert) == fire) {
                return;
            }
            assert!(self.process.try_wait().unwrap().is_none(), "it has ended");
            assert!(Instant::now() < until, "{alerts:?} {fire}: {firing:?}");
            sleep(LOOK).await;
        }
    }

    /// The values that a query has now.
    async fn values(&self, query: &str) -> Vec<f64> {
        let answer = self.ask("query", &[("query", query)]).await;
        let answer = answer.unwrap_or_default();
        let results = answer["result"].as_array().cloned().unwrap_or_default();
        let values = results
            .iter()
            .filter_map(|one| one["value"][1].as_str()?.parse().ok());
        values.collect()
    }

    /// Waits until a query has exactly these values, in any order.
    async fn wait_values(&self, query: &str, expected: &[f64]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut values = self.values(query).await;
            values.sort_by(f64::total_cmp);
            if values == expected {
                return;
            }
            assert!(
                Instant::now() < until,
                "{query}: {values:?}, not {expected:?}"
            );
            sleep(LOOK).await;
        }
    }
}

/// Two parties in round 1, of which the first one has posted.
async fn half_a_round(world: &World) -> [Session; 2] {
    let keys = keys(2);
    let times = (Duration::from_secs(120), Duration::from_secs(900));
    let id = world
        .open(&keys, |spec| spec.times(times.0, times.1, times.0))
        .await;
    let mut one = world.session(&keys[0], id).await;
    let mut other = world.session(&keys[1], id).await;
    let (first, second) = tokio::join!(join(&mut one), join(&mut other));
    first.and(second).unwrap();
    post(&mut one, 1).await.unwrap();
    [one, other]
}

/// The rest of such a party's session.
async fn end(mut session: Session) -> End {
    session.inbox(1).await.unwrap();
    finish(&mut session).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_on_a_real_board_is_seen_by_a_real_prometheus_until_it_is_mended() {
    let setup = Setup {
        heartbeat_ms: Some(500),
        tmpfs: true,
        blocks: Some((10, 0)),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let Some(mut prometheus) = Prometheus::start(&world, dir.path()) else {
        return world.stop().await;
    };
    let instances: Vec<String> = (0..4).map(|k| health_address(&world, k)).collect();
    prometheus.wait_values("white_city_ready", &[1.0; 4]).await;
    prometheus.wait_values("white_city_peers", &[3.0; 4]).await;
    let waits = [("WhiteCityRoundWaits", "")];
    prometheus.wait(&waits, false).await;

    // A party that others wait for.
    let [one, mut other] = half_a_round(&world).await;
    let awaited = "white_city_parties_awaited{status=\"running\"}";
    prometheus.wait_values(awaited, &[1.0; 4]).await;
    prometheus.wait(&waits, true).await;
    post(&mut other, 1).await.unwrap();
    let (first, second) = tokio::join!(end(one), end(other));
    assert!(
        [first, second]
            .iter()
            .all(|end| matches!(end, End::Finished { .. }))
    );
    prometheus.wait(&waits, false).await;
    let finished = "white_city_sessions_ended_total{cause=\"none\"}";
    prometheus.wait_values(finished, &[1.0; 4]).await;

    // One replica is gone: it doesn't answer, and the others miss it.
    let gone = [
        ("WhiteCityReplicaDown", instances[3].as_str()),
        ("WhiteCityPeersMissing", instances[0].as_str()),
    ];
    let stands = [
        ("WhiteCityNoBlock", ""),
        ("WhiteCityReplicaNotReady", instances[0].as_str()),
    ];
    world.net.kill(3).await.unwrap();
    prometheus.wait(&gone, true).await;

    // With a second one gone there are no blocks any more.
    world.net.kill(2).await.unwrap();
    prometheus.wait(&stands, true).await;
    world.net.start(2).await.unwrap();
    prometheus.wait(&stands, false).await;
    world.net.start(3).await.unwrap();
    prometheus.wait(&gone, false).await;
    prometheus.wait_values("white_city_ready", &[1.0; 4]).await;

    let known = prometheus.ask("label/__name__/values", &[]).await.unwrap();
    let known = known.as_array().unwrap().iter();
    let known: BTreeSet<&str> = known.filter_map(Value::as_str).collect();
    let names = names();
    let unknown: Vec<&String> = names
        .iter()
        .filter(|name| !known.contains(name.as_str()))
        .collect();
    assert!(
        unknown.is_empty() && names.len() > 30,
        "no replica exports {unknown:?}"
    );
    drop(prometheus);
    world.stop().await;
}
