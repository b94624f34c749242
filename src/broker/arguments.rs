//! Commands as a test writes them.

use std::borrow::Cow;

use crate::resp::{ByteString, OwnedRequest};

/// What [`Broker::command`](super::Broker::command) takes: the name of a command and its arguments. An array, slice or
/// vector of texts or bytes, or a tuple of up to 16 [`Argument`]s of different types, numbers among them.
///
/// ```
/// let broker = minibroker::Broker::start()?;
/// broker.command(["RPUSH", "history", "hello"])?;
/// broker.command(("SET", "session:ann", b"\x00\xff", "EX", 60))?;
///
/// let mut arguments = vec!["RPUSH".to_owned(), "history".to_owned()];
/// arguments.extend((1..=3).map(|number| number.to_string()));
/// assert_eq!(broker.command(&arguments)?, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait IntoArguments {
    /// The name and the arguments, as bytes.
    fn into_arguments(self) -> Vec<ByteString>;
}

/// One word of a command, for a tuple of them.
///
/// It can be implemented for a test's own types:
///
/// ```
/// use minibroker::{Argument, Broker, ByteString};
///
/// struct UserId(u32);
///
/// impl Argument for UserId {
///     fn to_argument(&self) -> ByteString {
///         format!("user:{}", self.0).into()
///     }
/// }
///
/// let broker = Broker::start()?;
/// broker.command(("SADD", "online", UserId(7)))?;
/// assert_eq!(broker.command(["SISMEMBER", "online", "user:7"])?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Argument {
    /// The bytes that are sent.
    fn to_argument(&self) -> ByteString;
}

impl<T: Argument + ?Sized> Argument for &T {
    fn to_argument(&self) -> ByteString {
        (**self).to_argument()
    }
}

macro_rules! bytes {
    ($($type:ty),+) => {$(
        impl Argument for $type {
            fn to_argument(&self) -> ByteString {
                let bytes: &[u8] = self.as_ref();
                bytes.into()
            }
        }
    )+};
}

bytes!(str, String, [u8], Vec<u8>, ByteString);

impl<const N: usize> Argument for [u8; N] {
    fn to_argument(&self) -> ByteString {
        self[..].into()
    }
}

impl<T: Argument + ToOwned + ?Sized> Argument for Cow<'_, T> {
    fn to_argument(&self) -> ByteString {
        (**self).to_argument()
    }
}

macro_rules! printed {
    ($($type:ty),+) => {$(
        /// Printed in decimal digits.
        impl Argument for $type {
            fn to_argument(&self) -> ByteString {
                self.to_string().into()
            }
        }
    )+};
}

printed!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64);

fn all<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<ByteString> {
    arguments.iter().map(|argument| argument.as_ref().into()).collect()
}

impl<A: AsRef<[u8]>, const N: usize> IntoArguments for [A; N] {
    fn into_arguments(self) -> Vec<ByteString> {
        all(&self)
    }
}

impl<A: AsRef<[u8]>, const N: usize> IntoArguments for &[A; N] {
    fn into_arguments(self) -> Vec<ByteString> {
        all(self)
    }
}

impl<A: AsRef<[u8]>> IntoArguments for &[A] {
    fn into_arguments(self) -> Vec<ByteString> {
        all(self)
    }
}

impl<T: AsRef<[u8]>> IntoArguments for Vec<T> {
    fn into_arguments(self) -> Vec<ByteString> {
        all(&self)
    }
}

impl<T: AsRef<[u8]>> IntoArguments for &Vec<T> {
    fn into_arguments(self) -> Vec<ByteString> {
        all(self)
    }
}

macro_rules! tuples {
    ($first:ident $first_type:ident $($rest:ident $rest_type:ident)*) => {
        impl<$first_type: Argument, $($rest_type: Argument),*> IntoArguments for ($first_type, $($rest_type,)*) {
            fn into_arguments(self) -> Vec<ByteString> {
                let ($first, $($rest,)*) = self;
                vec![$first.to_argument(), $($rest.to_argument()),*]
            }
        }

        tuples!($($rest $rest_type)*);
    };
    () => {};
}

tuples!(
    a T1 b T2 c T3 d T4 e T5 f T6 g T7 h T8
    i T9 j T10 k T11 l T12 m T13 n T14 o T15 p T16
);

/// The request for these arguments.
pub(super) fn request(arguments: impl IntoArguments) -> OwnedRequest {
    OwnedRequest::new(arguments.into_arguments())
}
