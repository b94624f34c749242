//! The limits in SECURITY.md are those of the code.

use std::fs;
use std::path::Path;
use std::time::Duration;

use minibroker::internal::config::{Config, OutputLimit};

const SECURITY: &str = include_str!("../../SECURITY.md");

const KB: u128 = 1024;
const MB: u128 = 1024 * KB;

/// A row of the table: the figure, the file and the name of the constant or setting.
struct Row<'a> {
    figure: &'a str,
    file: &'a str,
    name: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ").skip(1);
        let figure = cells.next()?;
        let (file, name) = cells.next()?.split_once(' ')?;
        let unquoted = |cell: &'static str| cell.strip_prefix('`')?.strip_suffix('`');
        Some(Row { figure, file: unquoted(file)?, name: unquoted(name)? })
    };
    SECURITY.lines().filter_map(row).collect()
}

/// The longest units that leave a whole number, as the table writes them.
fn bytes(bytes: u128) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1024 * MB) => format!("{} GB", bytes / (1024 * MB)),
        _ if bytes.is_multiple_of(MB) => format!("{} MB", bytes / MB),
        _ if bytes.is_multiple_of(KB) => format!("{} KB", bytes / KB),
        _ => bytes.to_string(),
    }
}

fn limit(limit: OutputLimit) -> String {
    let OutputLimit { hard, soft, soft_seconds } = limit;
    if (hard, soft) == (0, 0) {
        return "none".to_owned();
    }
    format!("{}, or {} for {soft_seconds} s", bytes(hard as u128), bytes(soft as u128))
}

fn setting(name: &str) -> Option<String> {
    let config = Config::default();
    Some(match name {
        "client_query_buffer_limit" => bytes(config.client_query_buffer_limit as u128),
        "maxclients" => config.maxclients.to_string(),
        "output_limit_normal" => limit(config.output_limit_normal),
        "output_limit_pubsub" => limit(config.output_limit_pubsub),
        _ => return None,
    })
}

/// The value of a constant in a file of `src`: a product of numbers, or a duration.
fn constant(file: &str, name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let text = fs::read_to_string(path).ok()?;
    let (_, rest) = text.split_once(&format!("const {name}: "))?;
    let (kind, rest) = rest.split_once(" = ")?;
    let (value, _) = rest.split_once(';')?;
    let number = |text: &str| text.replace('_', "").parse::<u128>().ok();
    if let Some(millis) = value.strip_prefix("Duration::from_millis(") {
        let millis = u64::try_from(number(millis.strip_suffix(')')?)?).ok()?;
        return Some(format!("{} ms", Duration::from_millis(millis).as_millis()));
    }
    if let Some(seconds) = value.strip_prefix("Duration::from_secs(") {
        return Some(format!("{} s", number(seconds.strip_suffix(')')?)?));
    }
    if value == "i32::MAX as i64" {
        return Some(i32::MAX.to_string());
    }
    assert!(["usize", "u64", "i64"].contains(&kind), "{file}: {name}: {kind}");
    let product = value.split(" * ").map(number).try_fold(1, |product, factor| Some(product * factor?))?;
    // A single number is not a number of bytes.
    Some(if value.contains('*') { bytes(product) } else { product.to_string() })
}

#[test]
fn the_limits_in_the_document_are_those_of_the_code() {
    let rows = rows();
    assert!(rows.len() > 15, "the table is read: {}", rows.len());
    let mut wrong = Vec::new();
    for Row { figure, file, name } in rows {
        let found = if file == "config/mod.rs" { setting(name) } else { constant(file, name) };
        if found.as_deref() != Some(figure) {
            wrong.push(format!("{file} {name}: {figure} in SECURITY.md, {found:?} in the code"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
