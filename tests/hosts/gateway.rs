//! A gateway in front of a company's node: nginx with TLS and a path of its own for each port

use std::path::Path;

use white_city_tests::tls::{CERTIFICATE, KEY, certificate, nginx_file};

use crate::{
    Running,
    company::{Company, wait},
    net::address,
};

/// Port of the gateway.
const PORT: u16 = 8_443;

/// Address of a company's RPC behind its gateway.
pub fn rpc_url(host: usize) -> String {
    format!("https://{}:{PORT}/rpc", address(host))
}

/// Starts the gateway, with its certificate in a folder; the node's replica tells of it from its next start on.
pub fn start(company: &Company<'_>, dir: &Path) -> Running {
    let host = address(company.host);
    certificate(dir, &host);
    let folder = dir.display();
    let text = format!(
        "worker_processes 1; error_log stderr error; pid {folder}/pid; daemon off; master_process off;
events {{ worker_connections 256; }}
http {{
access_log off;
server {{
listen {host}:{PORT} ssl;
ssl_certificate {folder}/{CERTIFICATE};
ssl_certificate_key {folder}/{KEY};
client_max_body_size 8m;
location /rpc/ {{
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $http_connection;
proxy_pass http://{host}:26657/;
}}
location = /rpc {{ proxy_pass http://{host}:26657/; }}
location /direct/ {{ proxy_http_version 1.1; proxy_pass http://{host}:26660/; }}
}}
}}
"
    );
    let file = nginx_file(dir, &text);
    let nginx = ["/usr/sbin/nginx", "/usr/bin/nginx"];
    let nginx = nginx.into_iter().find(|path| Path::new(path).exists());
    let mut command = company.on_its_host(nginx.expect("nginx: apt-get install nginx-light"));
    command.arg("-c").arg(&file).arg("-p").arg(dir);
    company.set(&[("direct_url", &format!("\"https://{host}:{PORT}/direct/\""))]);
    Running(command.args(["-e", "stderr"]).spawn().unwrap())
}

/// Number of questions that a company's replica has answered at its direct port.
pub fn asked(company: &Company<'_>) -> f64 {
    wait("the replica's numbers", || {
        let text = company.fetches("http://127.0.0.1:26661/metrics");
        let lines = text.lines().filter(|line| {
            line.starts_with("white_city_direct_requests_total{") && line.contains("200")
        });
        let numbers = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let is_there = text.contains("white_city_height");
        is_there.then_some(numbers.sum()).ok_or(text)
    })
}
