//! Prints how fast YAML is read: many small files, as a host with many deployments has them.
//! `cargo run --profile ci --example yaml_speed`

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use laconic_engine::compose::read_compose;
use laconic_engine::spec::{Dialect, read_spec};
use laconic_engine::yaml;

fn main() {
    let mut compose = String::from("services:\n");
    for index in 0..4 {
        let _ = write!(
            compose,
            "  web{index}:\n    image: registry.example.com/org/web:1.{index}\n    environment:\n      LOG_LEVEL: info\n      \
             DATABASE_URL: postgres://user@db:5432/shop\n      WORKERS: \"4\"\n    ports:\n      - \"80\"\n      - 8080/udp\n    \
             volumes:\n      - data{index}:/var/lib/data\n      - ../config/web/nginx.conf:/etc/nginx.conf:ro\n"
        );
    }
    let spec = "stack: stacks/shop\ndeploy-to: k8s-kind\nkind-mount-root: /srv/kind\nconfig:\n  A: one\n  B: 'two'\n  C: 3\n\
                network:\n  http-proxy:\n    - host-name: shop.example.com\n      routes:\n        - path: /\n          \
                proxy-to: web:80\nvolumes:\n  data: /srv/kind/shop/data\nresources:\n  containers:\n    reservations:\n      \
                cpus: '0.5'\n      memory: 512M\n";
    let file: Arc<str> = "spec.yml".into();
    let texts: Vec<&str> = (0..700).flat_map(|_| [spec, compose.as_str()]).collect();
    let megabytes = texts.iter().map(|text| text.len()).sum::<usize>() as f64 / 1e6;
    let measure = |what: &str, work: &dyn Fn()| {
        work();
        let best = (0..10).map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        });
        let seconds = best.fold(f64::INFINITY, f64::min);
        println!("{what}: {megabytes:.2} MB in {:.1} ms, {:.1} MB/s", seconds * 1e3, megabytes / seconds);
    };
    measure("events", &|| {
        for text in &texts {
            std::hint::black_box(granit_parser::Parser::new_from_str(text).count());
        }
    });
    measure("nodes", &|| {
        for text in &texts {
            std::hint::black_box(yaml::parse(&file, text));
        }
    });
    measure("spec and compose", &|| {
        for pair in texts.chunks(2) {
            std::hint::black_box(read_spec(&file, pair[0]));
            std::hint::black_box(read_compose(&file, pair[1], Dialect::Compose));
        }
    });
}
