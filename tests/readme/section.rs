//! Generated parts of the README. `UPDATE_README=1 cargo test --test readme` writes them again.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Asserts that the part between the marks of this name is as it should be, or makes it so.
#[track_caller]
pub fn is(name: &str, expected: &str) {
    // Tests that write run at the same time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one_at_a_time = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("it is there");
    let (begin, end) = (format!("<!-- {name}:"), format!("<!-- end of {name} -->"));
    let (before, rest) = readme.split_once(&begin).expect("the README has its beginning");
    let (mark, rest) = rest.split_once("-->\n").expect("the mark is closed");
    let (listed, after) = rest.split_once(&end).expect("the README has its end");
    if std::env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}{begin}{mark}-->\n{expected}{end}{after}");
        fs::write(path, text).expect("it can be written");
        return;
    }
    assert_eq!(listed, expected, "run `UPDATE_README=1 cargo test --test readme`");
}
