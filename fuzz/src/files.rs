//! RDB files: what is loaded can be written and loaded again.

use minibroker::internal::config::Config;
use minibroker::internal::data::Time;
use minibroker::internal::data::dump::file::FileError;
use minibroker::internal::keyspace::Dataset;

use super::values::read_out;

/// The checksum of a file that has none.
const NO_CHECKSUM: [u8; 8] = [0; 8];

fn now() -> Time {
    Time::from_millis(1_700_000_000_000)
}

/// All keys with their values and expiries, and the libraries, as text.
fn contents(data: &Dataset) -> Vec<String> {
    let keys = data.databases.iter().flat_map(|(number, database)| {
        database.iter().map(move |(key, entry)| {
            let (value, expires) = (read_out(&entry.value), entry.expires());
            format!("{number} {} {expires:?} {value:?}", key.escape_ascii())
        })
    });
    keys.chain(data.libraries.iter().map(|text| text.escape_ascii().to_string())).collect()
}

fn check_file(file: &[u8]) -> Result<(), FileError> {
    let config = Config::default();
    let data = Dataset::read(file, &config, now()).inspect_err(|error| {
        assert!(error.at <= file.len() && !error.problem.is_empty());
    })?;
    let again = Dataset::read(&data.file(&config, now()), &config, now()).expect("what was written is read");
    assert_eq!(contents(&data), contents(&again));
    let mut copy = data.copied();
    copy.remove_expired(now());
    assert!(copy.keys() <= data.keys());
    Ok(())
}

/// Checks one input: a file without its checksum, and the same bytes as a whole file.
pub fn check(data: &[u8]) {
    let _ = check_file(&[data, &NO_CHECKSUM].concat());
    let _ = check_file(data);
}

/// Checks a seed, which is a whole file.
pub fn check_seed(file: &[u8]) {
    check_file(file).expect("a server has written it");
    let without = file.get(..file.len() - NO_CHECKSUM.len()).unwrap_or_default();
    check_file(&[without, &NO_CHECKSUM].concat()).expect("the checksum may be left out");
}

/// Checks a seed without its checksum in which some bytes are changed: an offset and the new byte.
pub fn check_changed(seed: &[u8], changes: &[(usize, u8)]) {
    let mut data = seed[..seed.len() - NO_CHECKSUM.len()].to_vec();
    for (offset, byte) in changes {
        let len = data.len();
        data[offset % len] = *byte;
    }
    check(&data);
}
