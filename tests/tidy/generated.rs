//! Code that is generated from the wire format's schema.

use crate::{compare_or_update, root};

/// The messages that others have many of.
const MANY: [&str; 5] = [
    "Join",
    "SignedEntry",
    "PostHeader",
    "FinishHeader",
    "InboxItem",
];

#[test]
fn the_protobuf_code_is_what_the_schema_generates() {
    let folder = root().join("docs/spec");
    let descriptors = protox::compile(["white_city.proto"], [&folder]).unwrap();
    let out = std::env::temp_dir().join(format!("white-city-tidy-{}", std::process::id()));
    std::fs::create_dir_all(&out).unwrap();
    prost_build::Config::new()
        .out_dir(&out)
        // An answer about a round has hundreds of them: what it was decoded from isn't copied.
        .bytes(MANY.map(|message| format!(".white_city.v1.{message}")))
        .compile_fds(descriptors)
        .unwrap();
    let generated = std::fs::read_to_string(out.join("white_city.v1.rs"));
    std::fs::remove_dir_all(&out).unwrap();
    compare_or_update("abci-app/wire/src/pb.rs", &generated.unwrap());
}
