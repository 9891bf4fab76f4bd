//! Parts of the page without a board: how much of a large one is there at once

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use white_city_explorer::Explorer;

use super::browser::{self, Browser};

/// An explorer whose only replica is nobody.
async fn of_nobody() -> (String, JoinHandle<()>) {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let nobody = "http://127.0.0.1:1".parse().unwrap();
    let explorer = Explorer::new(vec![nobody], b"\0asm".to_vec()).unwrap();
    let listener = TcpListener::bind(anywhere).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (url, tokio::spawn(explorer.serve(listener)))
}

/// What is large costs no more elements and questions than can be seen.
#[tokio::test]
async fn thousands_of_parties_and_sessions_cost_no_more_than_can_be_seen() {
    if !browser::is_possible() {
        return;
    }
    let (url, serving) = of_nobody().await;
    let told = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::start();
        browser.tell(&json!(["goto", url]));
        browser.sees("h1", "Genesis");
        a_grid_of_a_thousand_parties(&mut browser);
        a_list_of_thousands_of_sessions(&mut browser);
        assert_eq!(browser.tell(&json!(["troubles"])), json!([]));
    });
    told.await.unwrap();
    serving.abort();
}

/// Its ends are reached.
fn a_grid_of_a_thousand_parties(browser: &mut Browser) {
    browser.eval(
        "(async () => {
            const { Grid } = await import('./grid.js');
            const grid = new Grid((party, round) => { window.chosen = [party, round]; });
            document.querySelector('main').replaceChildren(grid.node);
            const range = (count) => Array.from({ length: count }, (_, at) => at);
            grid.show({
                parties: range(1024), rounds: range(64), open: 63,
                cell: (party, round) => ({ text: 'P', cls: 'signed', words: `party ${party}, round ${round}: post` }),
                label: (party) => ({ text: String(party), cls: 'key', words: `party ${party}` }),
            });
        })()",
    );
    let cells = "document.querySelectorAll('[role=gridcell]').length";
    let few = |cells: Value| (640..5_000).contains(&cells.as_u64().unwrap());
    assert!(few(browser.eval(cells)));
    browser.tab_to("[role=gridcell]");
    browser.press("Control+End");
    assert_eq!(
        browser.until("window.chosen?.[0] === 1023 && window.chosen"),
        json!([1023, 63])
    );
    assert_eq!(
        browser.eval("document.activeElement.ariaLabel"),
        "party 1023, round 63: post"
    );
    assert!(few(browser.eval(cells)));
    browser.shot("large");
    browser.press("PageUp");
    let party = browser.eval("window.chosen[0]").as_u64().unwrap();
    assert!((900..1023).contains(&party), "{party}");
    let width = browser.eval("document.documentElement.scrollWidth <= innerWidth");
    assert_eq!(width, true);
}

/// Sessions of a board with as many as there can be, of which every third one is aborted, as a replica that answers at once gives them.
const LIST: &str = "(async () => {
    const { Sessions } = await import('./sessions.js');
    window.total = 4_000_000_000;
    window.asked = [];
    const status = (number) => (number % 3 === 0 ? 'aborted' : 'finished');
    const id = (number) => number.toString(16).padStart(64, '0');
    const answers = {
        sessions: ({ from_number }) => ({ by: 0, said: { sessions: Array.from({ length: 100 }, (_, at) => from_number + at)
            .filter((number) => number < total)
            .map((number) => ({ number, session: id(number), status: status(number), protocol: 'p' })) } }),
        numbered: ({ number }) => ({ height: 9, value: { number, session: id(number), status: status(number), end: {}, cause_text: 'for a reason' } }),
        spec: () => ({ value: { protocol: 'p' } }),
    };
    const call = async (_, question) => { asked.push(question.of); return answers[question.of](question); };
    window.view = new Sessions({ reader: { call }, rerender: () => {} });
    document.querySelector('main').replaceChildren(view.node);
    let root = 0;
    window.look = async () => { asked.length = 0; await view.refresh({ board: { height: 9, value: { session_count: total, root: String(root++) } } }); return asked.length; };
})()";

/// Of as many sessions as a board can have, a page is shown and a part is read at each look, and the oldest is reached.
fn a_list_of_thousands_of_sessions(browser: &mut Browser) {
    browser.eval(LIST);
    let first = "document.querySelector('tbody a').innerText";
    let rows = "document.querySelectorAll('tbody tr').length";
    // Five pages of lines, and a leaf and a spec of each line on the page.
    assert_eq!(browser.eval("look()"), 5 + 2 * 25);
    assert_eq!(browser.eval(rows), 25);
    assert_eq!(browser.eval(first), "3999999999");
    browser.sees("[role=status]", "4,000,000,000 sessions were opened");
    browser.sees("[role=status]", "states of 500 sessions were read");
    // In the end so many lines are known, and nothing more is read but the newest.
    browser.eval("(async () => { for (let at = 0; at < 60; at += 1) await look(); })()");
    browser.sees("[role=status]", "states of 20,000 sessions were read");
    assert_eq!(browser.eval("look()"), 1);
    let elements = "document.querySelectorAll('main *').length";
    assert!(browser.eval(elements).as_u64().unwrap() < 1_000);
    // One state: of those that are known, the newest first.
    browser.eval("document.querySelector('input[value=aborted]').click()");
    browser.eval("look()");
    assert_eq!(
        (browser.eval(rows), browser.eval(first)),
        (json!(25), json!("3999999999"))
    );
    browser.sees(".pages", "1 to 25 of 6667");
    browser.eval("document.querySelector('input[value=running]').click()");
    browser.eval("look()");
    browser.sees(".empty", "No session is running");
    // The oldest, which no list of a replica's was read for.
    browser.eval("document.querySelector('input[value=all]').click()");
    browser.eval("view.page = 1e9, look()");
    assert_eq!(
        browser.eval("[...document.querySelectorAll('tbody a')].at(-1).innerText"),
        "0"
    );
    assert_eq!(browser.eval(rows), 25);
    browser.sees("tbody tr", "✓ verified");
    browser.shot("many");
}
