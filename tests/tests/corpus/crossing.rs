//! Each feature of compose with each other one, in one pod of two services.

use crate::stack::Stack;

/// Features: what a service says, and what the file says beside it. `NAME` stands for the service.
const FEATURES: &[(&str, &str)] = &[
    ("environment: [A=1, B, C=x=y]", ""),
    ("env_file: {path: ./none.env, required: false}", ""),
    ("env_file: [{path: ./none.env, required: false, format: raw}]", ""),
    ("ports: ['127.0.0.1::80', 5000-5002, {target: 53, protocol: udp, name: dns}]", ""),
    ("expose: [8080, '9000-9001/tcp']", ""),
    ("volumes: ['data:/data', '/scratch', {type: tmpfs, target: /fast, tmpfs: {size: 10m}}]", "volumes: {data: }"),
    (
        "volumes: [{type: volume, source: data, target: /data, read_only: true, volume: {subpath: a/b}}]",
        "volumes: {data: }",
    ),
    ("volumes: ['../config/app/a.conf:/etc/a.conf:ro']", ""),
    ("command: run --text 'a b' \"c $$d\"", ""),
    ("entrypoint: [a, 1, true]", ""),
    ("user: '1000:2000'", ""),
    ("working_dir: /srv", ""),
    ("network_mode: host", ""),
    ("deploy: {replicas: 2, resources: {limits: {cpus: '0.5', memory: 2G}}}", ""),
    ("labels: {team: core, text: 'any text, with spaces', 'example.com/a': b}", ""),
    ("annotations: ['example.com/note=any text']", ""),
    ("healthcheck: {test: [CMD, 'true'], interval: 1m30s, timeout: 1s, retries: 5}", ""),
    ("healthcheck: {test: 'exit 0', start_period: 10s, start_interval: 500ms}", ""),
    ("healthcheck: {disable: true}", ""),
    ("depends_on: [other]", ""),
    ("depends_on: {other: {condition: service_healthy}}", ""),
    ("depends_on: {other: {condition: service_completed_successfully}}", ""),
    ("links: ['other:elsewhere']", ""),
    ("hostname: machine", ""),
    ("extra_hosts: {a.example.com: 10.0.0.1, b: '::1'}", ""),
    ("dns: [9.9.9.9]\n    dns_search: example.com\n    dns_opt: ['ndots:3']", ""),
    ("cap_add: [NET_ADMIN]\n    cap_drop: [ALL]", ""),
    ("privileged: true", ""),
    ("read_only: true", ""),
    ("group_add: [1, '2']", ""),
    ("security_opt: ['no-new-privileges:true', 'seccomp:unconfined', 'apparmor=unconfined']", ""),
    ("tmpfs: ['/run:size=1m', /tmp]", ""),
    ("shm_size: 128m", ""),
    ("sysctls: [net.ipv4.tcp_syncookies=1, kernel.shm_rmid_forced=1]", ""),
    ("stop_grace_period: 1m", ""),
    ("restart: unless-stopped", ""),
    ("scale: 2", ""),
    ("mem_limit: 1g\n    mem_reservation: 512m\n    cpus: 0.25", ""),
    ("pull_policy: always", ""),
    ("platform: linux/amd64", ""),
    ("pid: host", ""),
    ("ipc: host", ""),
    ("stdin_open: true\n    tty: true", ""),
    ("profiles: [on]", ""),
    ("extends: {service: other}", ""),
    ("secrets: [key, {source: key, target: /etc/key, mode: 0400}]", "secrets: {key: {file: /etc/key}}"),
    ("configs: [text, {source: text, target: /etc/text, mode: 0640}]", "configs: {text: {content: 'a ${MODE} b'}}"),
    ("networks: {default: {aliases: [alias-a]}}", ""),
];

/// A stack for each pair; two services of it say one feature each, and a third one says both.
pub fn stacks() -> Vec<Stack> {
    let mut stacks = Vec::new();
    for (index, left) in FEATURES.iter().enumerate() {
        for right in FEATURES.iter().skip(index + 1) {
            stacks.push(stack(&format!("pair-{}", stacks.len()), *left, *right));
        }
    }
    stacks
}

fn stack(name: &str, left: (&str, &str), right: (&str, &str)) -> Stack {
    let keys = |feature: &str| -> Vec<String> {
        feature.lines().map(|line| line.trim().split(':').next().unwrap_or_default().to_owned()).collect()
    };
    let is_apart = keys(left.0).iter().all(|key| !keys(right.0).contains(key));
    let (left_line, right_line) = (left.0, right.0);
    let mut compose = format!(
        "services:\n  other:\n    image: example/other:1\n    healthcheck: {{test: 'true'}}\n  one:\n    image: example/one:1\n    \
         {left_line}\n  two:\n    image: example/two:1\n    {right_line}\n"
    );
    if is_apart {
        compose.push_str(&format!("  both:\n    image: example/both:1\n    {left_line}\n    {right_line}\n"));
    }
    for (index, more) in [left.1, right.1].iter().enumerate() {
        if !more.is_empty() && (index == 0 || left.1 != *more) {
            compose.push_str(more);
            compose.push('\n');
        }
    }
    let volumes = if compose.contains("volumes: {data: }") { "volumes: {data: }\n" } else { "" };
    let spec = format!(
        "stack: stacks/{name}\ndeploy-to: k8s-kind\nkind-cluster-name: corpus\nprofiles: [on]\nconfig: {{MODE: fast}}\n{volumes}"
    );
    let files = [
        ("spec.yml", spec.as_str()),
        ("stack.yml", "pods: [app]\n"),
        ("compose/docker-compose-app.yml", compose.as_str()),
        ("config/app/a.conf", "on\n"),
    ];
    Stack::of(name, files)
}
