//! TLS in front of something on this machine: a certificate, and nginx' configuration.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Name of a certificate in its folder.
pub const CERTIFICATE: &str = "certificate.pem";
/// Name of its key.
pub const KEY: &str = "key.pem";

/// Makes a certificate for an address that nobody but itself vouches for, and its key.
pub fn certificate(dir: &Path, address: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=replica"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-addext", &format!("subjectAltName=IP:{address}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", KEY, "-out", CERTIFICATE])
        .current_dir(dir)
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{made:?}");
}

/// Writes a configuration for nginx into a folder, and has it keep its own files there, too: whoever runs a test may not write where
/// it would.
pub fn nginx_file(dir: &Path, text: &str) -> PathBuf {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders = kinds.map(|kind| format!("{kind}_temp_path {}/{kind};\n", dir.display()));
    let text = text.replace("http {\n", &format!("http {{\n{}", folders.concat()));
    let file = dir.join("nginx.conf");
    fs::write(&file, text).unwrap();
    file
}
