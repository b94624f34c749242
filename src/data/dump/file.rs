//! RDB files: all databases and libraries of functions, as redis-server saves them.
//!
//! A file begins with its magic and the version of the format. Then there are items, each after a byte that says what it
//! is: which database the keys after it belong to, when the next key expires, facts about the server, a library. A byte
//! that is none of these is the form of a value; the key and the value follow. At the end is a checksum.
//!
//! A file is not trusted: what is said of payloads in [`dump`](super) holds for files.

use std::borrow::Cow;
use std::fmt;

use super::functions::{LIBRARY, LIBRARY_EARLY};
use super::reader::Reader;
use super::writer::Writer;
use super::{CRC64, Form, Version, form_of, read, write};
use crate::config::Config;
use crate::data::{Quoted, Value, present};

/// The bytes before the items, unless they are keys.
struct Opcode;

impl Opcode {
    /// How many keys of a slot of a cluster follow.
    const SLOT: u8 = 244;
    const LIBRARY: u8 = LIBRARY;
    /// Before functions were released.
    const LIBRARY_EARLY: u8 = LIBRARY_EARLY;
    const MODULE: u8 = 247;
    /// For how many seconds the next key has not been used.
    const IDLE: u8 = 248;
    /// How often the next key is used.
    const FREQUENCY: u8 = 249;
    /// A fact about the server: its name and its value.
    const FACT: u8 = 250;
    /// How many keys the database has, and how many of them expire.
    const SIZES: u8 = 251;
    /// When the next key expires, in milliseconds.
    const EXPIRY: u8 = 252;
    /// The same in seconds.
    const EXPIRY_SECONDS: u8 = 253;
    const DATABASE: u8 = 254;
    const END: u8 = 255;
}

/// The magic of a file, and of one of Valkey with a version that Redis has not.
const MAGIC: &[u8; 5] = b"REDIS";
const MAGIC_OF_VALKEY: &[u8; 6] = b"VALKEY";

/// Magic and version.
const HEADER: usize = 9;

/// The version from which on a file ends with a checksum.
const WITH_CHECKSUM: u16 = 5;

/// A key takes no fewer bytes: the form, the key, the value.
const KEY_MIN: usize = 3;

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The position of the byte at which reading has stopped, counted from 0.
    pub at: usize,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.problem)
    }
}

impl std::error::Error for FileError {}

/// A key of a file, with its value.
#[derive(Debug)]
pub struct Key<'a> {
    /// Its name.
    pub name: Cow<'a, [u8]>,
    /// Its value.
    pub value: Value,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires: Option<i64>,
    /// For how many seconds it was not used.
    pub idle: Option<i64>,
    /// How often it is used, as OBJECT FREQ shows it.
    pub frequency: Option<u8>,
}

impl Key<'_> {
    /// Its name for people.
    #[must_use]
    pub fn shown_name(&self) -> String {
        Quoted(&self.name).to_string()
    }
}

/// What a file consists of.
#[derive(Debug)]
pub enum Item<'a> {
    /// The keys after it belong to the database with this number.
    Database(usize),
    /// How many keys the database has, as the file says; for all databases together no more than the file has room for.
    Size(usize),
    /// A key.
    Key(Key<'a>),
    /// The text of a library of functions.
    Library(Vec<u8>),
}

/// Reads a file item by item. Nothing may be kept of a file whose last item is an error.
#[derive(Debug)]
pub struct FileReader<'a> {
    whole: &'a [u8],
    rest: Reader<'a>,
    version: u16,
    config: &'a Config,
    /// The sum of [`Item::Size`].
    announced: usize,
    /// The end was reached, or an error.
    ended: bool,
}

impl<'a> FileReader<'a> {
    /// Reads the header. Values get the encodings that the settings give.
    ///
    /// # Errors
    ///
    /// The file is none of Redis or Valkey, or it is too new.
    pub fn new(file: &'a [u8], config: &'a Config) -> Result<Self, FileError> {
        let stop = |problem: String| FileError { at: 0, problem };
        let (header, rest) = file
            .split_at_checked(HEADER)
            .ok_or_else(|| stop("the file is shorter than the header of an RDB file".to_owned()))?;
        let (is_of_valkey, digits) = match (header.strip_prefix(MAGIC), header.strip_prefix(MAGIC_OF_VALKEY))
        {
            (Some(digits), _) => (false, digits),
            (_, Some(digits)) => (true, digits),
            _ => return Err(stop("this is no RDB file: it does not begin with REDIS or VALKEY".to_owned())),
        };
        let digits =
            std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let version = digits.and_then(|digits| digits.parse().ok());
        let versions = if is_of_valkey { Version::VALKEY..=Version::VALKEY } else { 1..=Version::NEWEST };
        let known = version.filter(|version| versions.contains(version));
        let Some(version) = known else {
            let shown = Quoted(header);
            return Err(stop(format!("version {shown} of the format is not known")));
        };
        Ok(Self { whole: file, rest: Reader::new(rest), version, config, announced: 0, ended: false })
    }

    /// How many bytes have been read.
    fn at(&self) -> usize {
        self.whole.len() - self.rest.left()
    }

    /// An error at the byte that has been reached.
    #[must_use]
    pub fn error(&self, problem: impl Into<String>) -> FileError {
        FileError { at: self.at(), problem: problem.into() }
    }

    fn stop<T>(&self, problem: impl Into<String>) -> Result<T, FileError> {
        Err(self.error(problem))
    }

    /// Reads up to the next item; none at the end.
    fn advance(&mut self) -> Result<Option<Item<'a>>, FileError> {
        let (mut expires, mut idle, mut frequency) = (None, None, None);
        loop {
            let Some(opcode) = self.rest.byte() else {
                return self.stop("the file ends too early");
            };
            match opcode {
                Opcode::EXPIRY => expires = Some(self.part(Reader::i64, "an expiry")?),
                Opcode::EXPIRY_SECONDS => {
                    let seconds = self.part(Reader::u32, "an expiry")?.cast_signed();
                    expires = Some(i64::from(seconds) * 1000);
                }
                Opcode::IDLE => {
                    let seconds = self.part(Reader::number, "an idle time")?;
                    idle = Some(i64::try_from(seconds).unwrap_or(i64::MAX));
                }
                Opcode::FREQUENCY => frequency = Some(self.part(Reader::byte, "a frequency of use")?),
                Opcode::FACT => {
                    // Where the file comes from; nothing follows from it.
                    self.part(|rest| rest.text().and(rest.text()), "a fact about the server")?;
                }
                Opcode::SLOT => {
                    self.part(|rest| rest.number().and(rest.number()).and(rest.number()), "a slot")?;
                }
                Opcode::SIZES => {
                    let keys =
                        self.part(|rest| rest.number().zip(rest.number()), "the size of a database")?.0;
                    // All databases together can have no more.
                    let room = (self.whole.len() / KEY_MIN).saturating_sub(self.announced);
                    let keys = usize::try_from(keys).unwrap_or(room).min(room);
                    self.announced += keys;
                    return Ok(Some(Item::Size(keys)));
                }
                Opcode::DATABASE => {
                    let number = self.part(Reader::length, "the number of a database")?;
                    return Ok(Some(Item::Database(number)));
                }
                Opcode::LIBRARY => {
                    let text = self.part(Reader::text, "a library")?;
                    return Ok(Some(Item::Library(text.into_owned())));
                }
                Opcode::LIBRARY_EARLY => {
                    return self.stop("it has libraries in a form that was never released");
                }
                Opcode::MODULE => return self.stop("it has data of a module"),
                Opcode::END => return self.check_end().map(|()| None),
                form => {
                    let name = self.part(Reader::text, "the name of a key")?;
                    let value = self.value(form, &name)?;
                    return Ok(Some(Item::Key(Key { name, value, expires, idle, frequency })));
                }
            }
        }
    }

    /// A part of the file that `read` reads.
    fn part<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
        what: &str,
    ) -> Result<T, FileError> {
        match read(&mut self.rest) {
            Some(part) => Ok(part),
            None => self.stop(format!("{what} is not well formed, or the file ends too early")),
        }
    }

    fn value(&mut self, form: u8, name: &[u8]) -> Result<Value, FileError> {
        if let Some(value) = read(form, self.version, &mut self.rest, self.config) {
            return Ok(value);
        }
        let shown = Quoted(name);
        if Form::is_known(form) {
            self.stop(format!("the value of key {shown} is not well formed, or the file ends too early"))
        } else {
            self.stop(format!("the value of key {shown} is of the unknown type {form}"))
        }
    }

    fn check_end(&mut self) -> Result<(), FileError> {
        if self.version < WITH_CHECKSUM {
            return Ok(());
        }
        let signed = present(self.whole.get(..self.at())).unwrap_or_default();
        let checksum = u64::from_le_bytes(self.part(Reader::array, "the checksum")?);
        // redis-server writes 0 if `rdbchecksum` is off.
        if checksum != 0 && checksum != CRC64.checksum(signed) {
            return self.stop("the checksum is wrong: the file was damaged or changed");
        }
        Ok(())
    }
}

impl<'a> Iterator for FileReader<'a> {
    type Item = Result<Item<'a>, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.advance().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Writes a file item by item.
#[derive(Debug)]
pub struct FileWriter {
    writer: Writer,
    /// The version of the format that the values need at least.
    version: u16,
    newest: bool,
}

impl FileWriter {
    /// The beginning of a file as this version of Redis writes it, with facts about the server.
    #[must_use]
    pub fn new<'f>(
        version: crate::config::Version,
        facts: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Self {
        let newest = version >= crate::config::Version::Redis7_4;
        let version = if newest { Version::NEWEST } else { Version::COMMON };
        let mut file = Self { writer: Writer::default(), version, newest };
        file.writer.raw(&[0; HEADER]);
        for (name, value) in facts {
            file.writer.byte(Opcode::FACT);
            file.writer.text(name.as_bytes());
            file.writer.text(value);
        }
        file
    }

    /// Adds a library of functions.
    pub fn library(&mut self, text: &[u8]) {
        self.writer.byte(Opcode::LIBRARY);
        self.writer.text(text);
    }

    /// The keys after this belong to a database with this many keys, of which `expiring` expire.
    pub fn database(&mut self, number: usize, keys: usize, expiring: usize) {
        self.writer.byte(Opcode::DATABASE);
        self.writer.length(number);
        self.writer.byte(Opcode::SIZES);
        self.writer.length(keys);
        self.writer.length(expiring);
    }

    /// Adds a key. `idle` and `frequency` are as in [`Key`].
    pub fn key(
        &mut self,
        name: &[u8],
        value: &Value,
        expires: Option<i64>,
        (idle, frequency): (Option<u32>, Option<u8>),
    ) {
        if let Some(at) = expires {
            self.writer.byte(Opcode::EXPIRY);
            self.writer.raw(&at.to_le_bytes());
        }
        if let Some(seconds) = idle {
            self.writer.byte(Opcode::IDLE);
            self.writer.number(seconds.into());
        }
        if let Some(frequency) = frequency {
            self.writer.byte(Opcode::FREQUENCY);
            self.writer.byte(frequency);
        }
        let form = form_of(value, self.newest);
        // RESTORE may have brought a value that the emulated version has not.
        self.version = self.version.max(Form::since(form));
        self.writer.byte(form);
        self.writer.text(name);
        write(&mut self.writer, value, form);
    }

    /// The whole file.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.writer.byte(Opcode::END);
        let mut file = self.writer.finish();
        let header = format!("REDIS{:04}", self.version);
        if let Some(place) = file.get_mut(..HEADER) {
            place.copy_from_slice(header.as_bytes());
        }
        super::signed(file)
    }
}
