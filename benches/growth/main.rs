//! How the cost of an operation grows with the size of the collection, or the number of clients and subscriptions.
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
// The load bench uses the rest of the module.
#[allow(dead_code, unused_imports)]
#[path = "../servers/mod.rs"]
mod servers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let smoke = arguments.iter().any(|argument| argument == "--smoke" || argument == "--test");
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_selected = |part: &str, name: &str| {
        filters.is_empty() || filters.iter().any(|filter| *filter == part || name.contains(filter.as_str()))
    };
    let ran = server_side::run(|name| is_selected("servers", name), smoke);
    let is_flat = engine::run(|name| is_selected("engine", name), smoke);
    if let Err(error) = &ran {
        eprintln!("growth: {error}");
    }
    // A short run only shows that every command works: its times are too short to judge.
    if ran.is_err() || (!is_flat && !smoke) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
