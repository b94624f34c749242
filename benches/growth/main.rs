//! How the price of an operation grows with the size of what it works on, or beside.
//!
//! ```text
//! cargo bench --bench growth                # everything, some minutes
//! cargo bench --bench growth -- engine      # collections, through the engine alone: time
//! cargo bench --bench growth -- servers     # crowds and collections, on real servers side by side: CPU time
//! cargo bench --bench growth -- list        # what has this in its name
//! cargo bench --bench growth -- --smoke     # smaller sizes, in a few seconds
//! ```
//!
//! benches/README.md explains the columns.

#[path = "../driven/mod.rs"]
mod driven;
mod engine;
mod server_side;
// The load bench uses more of it.
#[allow(dead_code, unused_imports)]
#[path = "../servers/mod.rs"]
mod servers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let smoke = arguments.iter().any(|argument| argument == "--smoke" || argument == "--test");
    let wanted: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wants = |part: &str, name: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| *wanted == part || name.contains(wanted.as_str()))
    };
    let ran = server_side::run(|name| wants("servers", name), smoke);
    let is_flat = engine::run(|name| wants("engine", name), smoke);
    if let Err(error) = &ran {
        eprintln!("growth: {error}");
    }
    // The short run is there to see that every command still works: no judgement rests on a moment's times.
    if ran.is_err() || (!is_flat && !smoke) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
