//! Parsing requests.

use minibroker::internal::resp::Limits;
use proptest::collection::vec;
use proptest::prelude::*;

use super::drivers::{judge, requests};
use super::for_all;

fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(prop::sample::select(b"\r\n$*\0 \"'\\x0".to_vec()), 0..20),
        "[A-Z]{3,10}".prop_map(String::into_bytes),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        vec(any::<u8>(), 0..3000),
    ]
}

fn request() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(argument(), 1..8)
}

#[test]
fn requests_split_at_any_byte_are_read_as_they_were_sent() {
    // Short requests in short pieces, of which many end within a first line; and long ones.
    let short = vec(vec(any::<u8>(), 0..3), 1..14);
    let piece = prop_oneof![1..6_usize, 20..150_usize];
    let short = (vec(short, 2..4), vec(piece, 1..20));
    let long = (vec(request(), 1..5), vec(0..200_usize, 0..20));
    for_all(2000, prop_oneof![4 => short, 1 => long], |(sent, pieces)| {
        let encoded: Vec<Vec<u8>> = sent.iter().map(|arguments| requests::encode(arguments)).collect();
        let read = requests::in_pieces(&encoded.concat(), pieces, &Limits::default());
        assert_eq!(read.end, Ok(0));
        let wanted: Vec<_> = sent.into_iter().zip(encoded.iter().map(Vec::len)).collect();
        assert_eq!(read.requests, wanted);
    });
}

#[test]
fn a_request_is_read_as_the_library_of_a_client_reads_it() {
    for_all(600, request(), |sent| {
        let encoded = requests::encode(&sent);
        let length = encoded.len();
        assert_eq!(judge::request(&encoded), Some((sent.clone(), length)));
        let read = requests::at_once(&encoded, &Limits::default());
        assert_eq!(read.requests, [(sent, length)]);
    });
}

#[test]
fn what_is_cut_off_is_not_yet_a_request() {
    for_all(200, (request(), any::<prop::sample::Index>()), |(sent, cut)| {
        let encoded = requests::encode(&sent);
        let cut = cut.index(encoded.len());
        let read = requests::at_once(&encoded[..cut], &Limits::default());
        assert_eq!(read, requests::Reading { requests: Vec::new(), end: Ok(cut) });
    });
}

#[test]
fn any_bytes_are_read_the_same_way_however_they_arrive() {
    let header = prop_oneof![Just("*"), Just("$"), Just("*3\r\n$3\r\n"), Just("*1\r\n$-1\r\n"), Just("\"")];
    let inputs = (
        header,
        vec(prop_oneof![3 => prop::sample::select(b"*$\r\n0123459-: \"'".to_vec()), 1 => any::<u8>()], 0..60),
        any::<[u8; 6]>(),
    );
    for_all(2000, inputs, |(header, bytes, pieces)| {
        let flags = pieces[0];
        requests::check(&[&[flags, 6][..], &pieces, header.as_bytes(), &bytes].concat());
    });
}

/// An argument of an inline request in one of the ways in which it can be written.
fn quoted(argument: &[u8], style: u8) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
    let mut out = Vec::new();
    match style % 3 {
        0 if !argument.is_empty() && argument.iter().all(plain) => out.extend_from_slice(argument),
        1 if !argument.iter().any(|byte| b"\n\0\\".contains(byte)) => {
            out.push(b'\'');
            for byte in argument {
                out.extend_from_slice(if *byte == b'\'' { b"\\'" } else { std::slice::from_ref(byte) });
            }
            out.push(b'\'');
        }
        _ => {
            out.push(b'"');
            for byte in argument {
                match byte {
                    b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
                    b'\n' => out.extend_from_slice(b"\\n"),
                    7 => out.extend_from_slice(b"\\a"),
                    b' '..=b'~' => out.push(*byte),
                    other => out.extend_from_slice(format!("\\x{other:02x}").as_bytes()),
                }
            }
            out.push(b'"');
        }
    }
    out
}

#[test]
fn inline_requests_come_back_from_every_way_of_quoting() {
    let gap = prop::sample::select(vec![" ", "  ", "\t", "\r", " \x0b"]);
    let argument = (argument(), any::<u8>(), gap);
    let inputs = (vec(argument, 1..6), prop::sample::select(vec!["\n", "\r\n", " \r\n"]));
    for_all(600, inputs, |(arguments, end)| {
        let mut line = Vec::new();
        for (argument, style, gap) in &arguments {
            line.extend(quoted(argument, *style));
            line.extend_from_slice(gap.as_bytes());
        }
        line.extend_from_slice(end.as_bytes());
        // An asterisk begins an array; redis-server would not read the line as inline.
        if line[0] == b'*' {
            return;
        }
        let sent: Vec<_> = arguments.into_iter().map(|(argument, ..)| argument).collect();
        assert_eq!(requests::split_inline(&line).as_ref(), Some(&sent));
        let length = line.len();
        let read = requests::in_pieces(&line, [length / 2], &Limits::default());
        assert_eq!(read.requests, [(sent, length)], "{}", line.escape_ascii());
    });
}
