//! The version of Redis that the broker emulates.

use std::fmt;
use std::str::FromStr;

/// A version of Redis for [`Builder::compat`](crate::Builder::compat).
///
/// There is none between these: features of Redis 7.2 exist from [`Version::Redis7_4`] on. The answers of Redis 7.0.15,
/// 8.0.6 and 8.2.3 were compared with such servers, see [`differences`](crate::differences). There was no server of 7.4
/// to compare with: its answers are those of 8.0 without what is known to be newer, which is commands of hashes.
///
/// ```
/// use minibroker::Version;
///
/// let version: Version = "7.4".parse()?;
/// assert_eq!(version, Version::Redis7_4);
/// assert!(version < Version::default());
/// assert_eq!(Version::default().to_string(), "8.2");
/// assert_eq!("9.9".parse::<Version>().unwrap_err().to_string(), "there are 7.0, 7.4, 8.0, 8.2");
/// # Ok::<(), minibroker::UnknownVersion>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// Redis 7.0, as 7.0.15 answers.
    Redis7_0,
    /// Redis 7.4.
    Redis7_4,
    /// Redis 8.0, as 8.0.6 answers.
    Redis8_0,
    /// Redis 8.2, as 8.2.3 answers.
    #[default]
    Redis8_2,
}

impl Version {
    /// All versions, the oldest first.
    pub const ALL: [Self; 4] = [Self::Redis7_0, Self::Redis7_4, Self::Redis8_0, Self::Redis8_2];

    /// The full version number of the release that INFO and HELLO report.
    #[must_use]
    pub const fn release(self) -> &'static str {
        match self {
            Self::Redis7_0 => "7.0.15",
            Self::Redis7_4 => "7.4.7",
            Self::Redis8_0 => "8.0.6",
            Self::Redis8_2 => "8.2.3",
        }
    }

    /// The first of these versions with the features that Redis `since` (such as `7.2.0`) introduced.
    #[must_use]
    pub(crate) const fn having(since: &str) -> Self {
        let number = since.as_bytes();
        // Major and minor numbers have one digit so far.
        match (number[0], number[2]) {
            (b'0'..=b'6', _) | (b'7', b'0') => Self::Redis7_0,
            (b'7', b'1'..=b'4') => Self::Redis7_4,
            (b'8', b'0') => Self::Redis8_0,
            _ => Self::Redis8_2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Redis7_0 => "7.0",
            Self::Redis7_4 => "7.4",
            Self::Redis8_0 => "8.0",
            Self::Redis8_2 => "8.2",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        Self::ALL.into_iter().find(|version| version.name() == text).ok_or(UnknownVersion)
    }
}

/// The text does not name a [`Version`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownVersion;

impl fmt::Display for UnknownVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("there are ")?;
        for (index, version) in Version::ALL.iter().enumerate() {
            write!(out, "{}{version}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownVersion {}
