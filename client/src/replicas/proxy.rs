//! The proxy that the environment names, if requests go through one.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use super::direct::is_loopback;

/// The proxy through which an address is reached, without its credentials. This machine's own addresses are reached without.
pub(super) fn proxy_of(url: &Url) -> Option<String> {
    proxy_by(&Matcher::from_env(), url)
}

fn proxy_by(matcher: &Matcher, url: &Url) -> Option<String> {
    if is_loopback(url) {
        return None;
    }
    let proxy = matcher.intercept(&url.as_str().parse().ok()?)?;
    Some(proxy.uri().to_string())
}

/// A fault of a replica that is reached through a proxy: it may be the proxy's.
pub(super) fn name_proxy(reason: String, proxy: Option<&str>) -> String {
    match proxy {
        Some(proxy) => format!(
            "{reason} (through the proxy {proxy} that http_proxy, https_proxy or all_proxy names; no_proxy lists who is reached without)"
        ),
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_reached_without_a_proxy_and_others_by_what_is_named() {
        let matcher = Matcher::builder()
            .http("http://user:secret@proxy:3128")
            .no("direct.example");
        let matcher = matcher.build();
        let by = |url: &str| proxy_by(&matcher, &url.parse().unwrap());
        for own in [
            "http://127.0.0.1:26657",
            "http://localhost:26657/rpc",
            "http://[::1]:26657",
            "http://direct.example:26657",
            "https://replica.example",
        ] {
            assert_eq!(by(own), None, "{own}");
        }
        let proxy = by("http://replica.example:26657").unwrap();
        assert_eq!(proxy, "http://proxy:3128/");
        let fault = name_proxy("down".into(), Some(&proxy));
        assert!(
            fault.contains(&proxy) && fault.contains("no_proxy"),
            "{fault}"
        );
    }
}
