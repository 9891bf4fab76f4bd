//! Hosts of their own on one machine: network namespaces behind switches, each with an address

use std::{
    ffi::OsStr,
    process::{Command, Output},
};

/// Address of the host with this number.
pub fn address(host: usize) -> String {
    format!("10.77.0.{}", host + 1)
}

/// A network of hosts, which goes when it is dropped.
pub struct Net {
    prefix: String,
    hosts: usize,
}

/// Whether this process may make hosts; says loudly why not, and fails where CometBFT is required, too.
pub fn is_possible() -> bool {
    let root = nix::unistd::geteuid().is_root();
    let ip = Command::new("ip").arg("-V").output().is_ok();
    if root && ip {
        return true;
    }
    let why = "hosts need root and `ip` (Debian's iproute2)";
    assert!(
        std::env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
        "{why}"
    );
    eprintln!("NOT RUN: {why}");
    false
}

impl Net {
    /// So many hosts, all at one switch.
    pub fn new(hosts: usize) -> Self {
        let net = Self {
            prefix: format!("wc{}", std::process::id()),
            hosts,
        };
        let switches = net.switches();
        ip(&["netns", "add", &switches]);
        for switch in ["one", "two"] {
            ip(&["-n", &switches, "link", "add", switch, "type", "bridge"]);
            ip(&["-n", &switches, "link", "set", switch, "up"]);
        }
        for host in 0..hosts {
            let name = net.name(host);
            let port = format!("port{host}");
            ip(&["netns", "add", &name]);
            ip(&[
                "-n", &switches, "link", "add", &port, "type", "veth", "peer", "name", "eth0",
                "netns", &name,
            ]);
            ip(&["-n", &switches, "link", "set", &port, "master", "one", "up"]);
            let own = format!("{}/24", address(host));
            ip(&["-n", &name, "address", "add", &own, "dev", "eth0"]);
            for device in ["lo", "eth0"] {
                ip(&["-n", &name, "link", "set", device, "up"]);
            }
        }
        net
    }

    fn switches(&self) -> String {
        format!("{}-switches", self.prefix)
    }

    fn name(&self, host: usize) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// Puts hosts at another switch: they reach one another, and nobody else.
    pub fn apart(&self, hosts: &[usize]) {
        self.plug(hosts, "two");
    }

    /// Puts hosts back where they began.
    pub fn together(&self, hosts: &[usize]) {
        self.plug(hosts, "one");
    }

    fn plug(&self, hosts: &[usize], switch: &str) {
        for host in hosts {
            let port = format!("port{host}");
            ip(&[
                "-n",
                &self.switches(),
                "link",
                "set",
                &port,
                "master",
                switch,
            ]);
        }
    }

    /// A command on a host.
    pub fn on(&self, host: usize, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(host)]);
        command.arg(program);
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let names = (0..self.hosts).map(|host| self.name(host));
        for name in names.chain([self.switches()]) {
            // What is left is told by the next run, at worst.
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "ip {arguments:?}: {}",
        said(&output)
    );
}

/// What a command printed.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
