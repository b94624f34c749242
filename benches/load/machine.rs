//! When and on which machine something was measured.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

/// `21 November 2026, 2 cores of AMD EPYC, Linux 6.1.0`.
pub fn description() -> String {
    let date = Command::new("date").args(["-u", "+%F %H:%M UTC"]).output().map(|output| output.stdout);
    let date = date.map(|date| String::from_utf8_lossy(&date).trim().to_owned()).unwrap_or_default();
    let cores = available_parallelism().map_or(0, std::num::NonZero::get);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor without a name", |(_, model)| model.trim());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{date}, {cores} cores of {model}, Linux {}", kernel.trim())
}
