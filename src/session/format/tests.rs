//! What is written can be read back.

use proptest::prelude::*;

use super::*;

const ALL: &str = concat!(
    "ann connect\n",
    "ann > SET k \"a b\\x00\" \"<id:1>\"\n",
    "ann < +OK\n",
    "ann < -\"ERR no\"\n",
    "ann < [:1 $-1 [] ~[\"a\"] %[\"k\" ,1.5] >[#t] _ (123 =\"txt:x\" *-1 <any>]\n",
    "ann < <id:1>\n",
    "ann > XACK s g <id:1> (<int:1>\n",
    "ann > AUTH <password>\n",
    "ann >> \"PING\\r\\n\"\n",
    "ann << \"\\xff\"\n",
    "ann wait\n",
    "pause 10\n",
    "idle 20\n",
    "ann close\n",
    "ann closed\n",
);

#[test]
fn what_is_read_is_written_again() {
    let text = ALL.replace("(<int:1>", "\"(\"<id:1>");
    assert_eq!(Session::read(&text).expect("a session").to_string(), text);
}

#[test]
fn lines_may_be_wrapped_and_have_comments_between() {
    let session = Session::read(
        "# hello\na > SET k\n  v\n\n  # not part of it\na > SET k 'it''s' \"1 \\\n   2\\x20\\\n   3\"\r\na <\n [:1\n\t:2]\n",
    );
    let session = session.expect("a session");
    let lines: Vec<usize> = session.events.iter().map(|event| event.line).collect();
    assert_eq!(lines, [2, 6, 9]);
    assert_eq!(session.to_string(), "a > SET k v\na > SET k its \"1 2 3\"\na < [:1 :2]\n");
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let session = Session::read("\u{feff}# hello\na > PING\n").expect("a session");
    assert_eq!(session.to_string(), "a > PING\n");
    assert_eq!(Session::read("\u{feff}a > PING\na < PONG\n").expect_err("no answer").line, 2);
}

#[test]
fn a_name_that_one_line_has_may_be_misspelt() {
    let once = |text: &str| -> Vec<(usize, String)> {
        let session = Session::read(text).expect("a session");
        session.names_used_once().map(|(line, name)| (line, name.to_owned())).collect()
    };
    assert_eq!(once("ann > PING\nann < +PONG\nanm > PING\n"), [(3, "anm".to_owned())]);
    assert_eq!(once("ann > PING\nbob > PING\n").len(), 2);
    assert_eq!(once("ann > PING\nann < +PONG\nbob connect\n"), []);
    assert_eq!(once("ann > PING\nann < +PONG\nbob connect\nbob > PING\n"), []);
    assert_eq!(once("ann > PING\npause 1\n"), []);
}

#[test]
fn errors_name_the_line() {
    for (text, line, part) in [
        ("a > GET k\na < OK\n", 2, "an answer is expected"),
        ("a > GET \"k\n", 1, "not closed"),
        ("a < [:1\n", 1, "not closed"),
        ("a < :x\n", 1, "no integer"),
        ("a < %[:1]\n", 1, "as many values"),
        ("\n\na GET\n", 3, "is none of"),
        ("a!\n", 1, "is no name"),
        ("  a > GET\n", 1, "begins with a space"),
        ("a > XACK s g <id:1>\n", 1, "no answer before"),
        ("a > XACK s g <id>\n", 1, "wants the name"),
        ("a < :1 :2\n", 1, "more behind"),
        ("pause soon\n", 1, "milliseconds"),
        ("a >\n", 1, "no command"),
        ("a > SET \"\\xg1\" 1\n", 1, "two hexadecimal"),
    ] {
        let error = Session::read(text).expect_err(text);
        assert_eq!(error.line, line, "{text:?}");
        assert!(error.text.contains(part), "{text:?}: {error}");
    }
}

fn frames() -> impl Strategy<Value = Frame> {
    let leaf = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Frame::bulk),
        (proptest::sample::select(&b"+-,#(=!"[..]), "[ -~é]{0,200}")
            .prop_map(|(kind, text)| Frame::Text { kind, text: text.into_bytes() }),
        any::<i64>().prop_map(|number| Frame::Text { kind: b':', text: number.to_string().into_bytes() }),
        Just(Frame::Null { kind: b'*' }),
        Just(Frame::Text { kind: b'_', text: Vec::new() }),
    ];
    leaf.prop_recursive(4, 60, 8, |inner| {
        (proptest::sample::select(&b"*~>"[..]), proptest::collection::vec(inner, 0..8))
            .prop_map(|(kind, items)| Frame::Nest { kind, items })
    })
}

proptest! {
    #[test]
    fn every_session_is_read_as_it_was_written(
        frames in proptest::collection::vec(frames(), 1..4),
        arguments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20),
        texts in proptest::collection::vec("[ \\\\\"'<>a-c\u{e9}\u{2028}\n]{0,300}", 1..5),
    ) {
        let mut session = Session::default();
        let ann = session.connection("ann");
        let arguments = arguments.into_iter().chain(texts.into_iter().map(String::into_bytes));
        let arguments: Vec<Argument> = arguments.map(Argument::from).collect();
        session.push(Action::Send(ann, arguments));
        for frame in frames {
            session.push(Action::Answer(ann, frame));
        }
        let text = session.to_string();
        let read = Session::read(&text).expect(&text);
        let actions = |session: &Session| session.events.iter().map(|event| event.action.clone()).collect::<Vec<_>>();
        prop_assert_eq!(actions(&read), actions(&session));
    }
}
