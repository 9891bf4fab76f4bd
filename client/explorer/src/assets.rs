//! The page's own files, as they are in `page`.

/// A file: its path, its type and its content.
pub(crate) type Asset = (&'static str, &'static str, &'static [u8]);

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All of them; the first is the page itself.
pub(crate) const ASSETS: [Asset; 15] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_bytes!("../page/index.html"),
    ),
    (
        "/page.css",
        "text/css; charset=utf-8",
        include_bytes!("../page/page.css"),
    ),
    (
        "/icon.svg",
        "image/svg+xml",
        include_bytes!("../page/icon.svg"),
    ),
    ("/asking.js", SCRIPT, include_bytes!("../page/asking.js")),
    ("/app.js", SCRIPT, include_bytes!("../page/app.js")),
    ("/board.js", SCRIPT, include_bytes!("../page/board.js")),
    ("/dom.js", SCRIPT, include_bytes!("../page/dom.js")),
    ("/grid.js", SCRIPT, include_bytes!("../page/grid.js")),
    ("/reader.js", SCRIPT, include_bytes!("../page/reader.js")),
    ("/session.js", SCRIPT, include_bytes!("../page/session.js")),
    (
        "/sessions.js",
        SCRIPT,
        include_bytes!("../page/sessions.js"),
    ),
    ("/slots.js", SCRIPT, include_bytes!("../page/slots.js")),
    ("/start.js", SCRIPT, include_bytes!("../page/start.js")),
    (
        "/verifier.js",
        SCRIPT,
        include_bytes!("../page/verifier.js"),
    ),
    ("/words.js", SCRIPT, include_bytes!("../page/words.js")),
];

/// The files of a party's page, beside those.
pub(crate) const PARTY: [Asset; 4] = [
    (
        "/party.html",
        "text/html; charset=utf-8",
        include_bytes!("../page/party.html"),
    ),
    ("/keep.js", SCRIPT, include_bytes!("../page/keep.js")),
    ("/party.js", SCRIPT, include_bytes!("../page/party.js")),
    (
        "/party_page.js",
        SCRIPT,
        include_bytes!("../page/party_page.js"),
    ),
];
