//! Replies, and how they are encoded.

/// An answer, or a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+OK` and its like.
    Simple(&'static str),
    Error(String),
    Integer(i64),
    Text(String),
    /// A score, here always a whole number: a text in RESP2, a double in RESP3.
    Score(i64),
    Null,
    /// The same as null in RESP3.
    NullArray,
    Array(Vec<Reply>),
    /// In RESP2 an array of pairs.
    Map(Vec<(Reply, Reply)>),
    /// A push. In RESP2 an array.
    Push(Vec<Reply>),
    /// One after the other, as SUBSCRIBE confirms each channel separately.
    Several(Vec<Reply>),
}

impl Reply {
    pub const OK: Self = Self::Simple("OK");

    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn count(count: usize) -> Self {
        Self::Integer(i64::try_from(count).expect("a small number"))
    }

    /// Appends the encoded reply.
    pub fn write(&self, resp3: bool, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(out, '+', text),
            Self::Error(text) => line(out, '-', text),
            Self::Integer(value) => line(out, ':', &value.to_string()),
            Self::Text(text) => {
                line(out, '$', &text.len().to_string());
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            Self::Score(score) if resp3 => line(out, ',', &score.to_string()),
            Self::Score(score) => Self::Text(score.to_string()).write(resp3, out),
            Self::Null | Self::NullArray if resp3 => line(out, '_', ""),
            Self::Null => line(out, '$', "-1"),
            Self::NullArray => line(out, '*', "-1"),
            Self::Array(parts) => {
                line(out, '*', &parts.len().to_string());
                write_all(parts, resp3, out);
            }
            Self::Map(pairs) if resp3 => {
                line(out, '%', &pairs.len().to_string());
                for (key, value) in pairs {
                    key.write(resp3, out);
                    value.write(resp3, out);
                }
            }
            Self::Map(pairs) => {
                line(out, '*', &pairs.len().to_string());
                for (key, value) in pairs {
                    line(out, '*', "2");
                    key.write(resp3, out);
                    value.write(resp3, out);
                }
            }
            Self::Push(parts) => {
                line(out, if resp3 { '>' } else { '*' }, &parts.len().to_string());
                write_all(parts, resp3, out);
            }
            Self::Several(parts) => write_all(parts, resp3, out),
        }
    }
}

fn write_all(parts: &[Reply], resp3: bool, out: &mut Vec<u8>) {
    for part in parts {
        part.write(resp3, out);
    }
}

fn line(out: &mut Vec<u8>, kind: char, text: &str) {
    out.push(kind as u8);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}
