//! The proxy neither loses nor changes bytes.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use minibroker::Broker;
use minibroker::internal::conform::wire::request;
use minibroker::internal::session::{Action, Argument, Frame, Session};

use crate::Tested;
use crate::program::{Folder, Recorder, url};

const CONNECTIONS: u64 = 100;
const PIPELINE: usize = 1_000;
/// The longest argument of the random requests; most are short.
const LONGEST: usize = 200;

fn random(random: &mut fastrand::Rng) -> Vec<u8> {
    let length = random.usize(..LONGEST);
    (0..length).map(|_| random.u8(..)).collect()
}

#[test]
fn no_byte_of_a_hundred_pipelines_is_lost() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.file("pipelines.session");
    let recorder = Recorder::start(&broker.url(), &file)?;
    let addr = recorder.addr;
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|seed| {
            thread::spawn(move || -> std::io::Result<Vec<Vec<u8>>> {
                let mut rng = fastrand::Rng::with_seed(seed);
                let payloads: Vec<Vec<u8>> = (0..PIPELINE).map(|_| random(&mut rng)).collect();
                let sent: Vec<u8> =
                    payloads.iter().flat_map(|payload| request(&[b"ECHO", payload.as_slice()])).collect();
                let expected: Vec<u8> = payloads
                    .iter()
                    .flat_map(|payload| {
                        [format!("${}\r\n", payload.len()).as_bytes(), payload, b"\r\n"].concat()
                    })
                    .collect();
                let mut stream = TcpStream::connect(addr)?;
                let mut writer = stream.try_clone()?;
                let writing = thread::spawn(move || writer.write_all(&sent));
                let mut received = vec![0; expected.len()];
                stream.read_exact(&mut received)?;
                assert!(received == expected, "connection {seed}");
                writing.join().expect("it does not panic")?;
                Ok(payloads)
            })
        })
        .collect();
    let mut payloads = Vec::new();
    for client in clients {
        payloads.push(client.join().map_err(|_| "a client panics")??);
    }
    recorder.end()?;

    // The recording is complete too.
    let session = Session::read(&fs::read_to_string(&file)?)?;
    let mut sent = vec![Vec::new(); session.names.len()];
    let mut received = vec![Vec::new(); session.names.len()];
    for event in session.events {
        match event.action {
            Action::Send(number, mut arguments) => {
                if let Some(Argument::Bytes(payload)) = arguments.pop() {
                    sent[number].push(payload);
                }
            }
            Action::Answer(number, Frame::Text { text, .. }) => received[number].push(text),
            _ => {}
        }
    }
    assert!(sent == received);
    sent.sort();
    payloads.sort();
    assert!(sent == payloads);
    Ok(())
}

#[test]
fn bytes_of_other_protocols_pass_unchanged() -> Tested {
    let folder = Folder::new()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = url(listener.local_addr()?);
    let mut rng = fastrand::Rng::with_seed(7);
    let [up, down]: [Vec<u8>; 2] = std::array::from_fn(|_| (0..300_000).map(|_| rng.u8(..)).collect());
    let (expected, answer) = (up.clone(), down.clone());
    let serving = thread::spawn(move || -> std::io::Result<()> {
        // First the program checks that the server answers.
        let (mut stream, _) = listener.accept()?;
        let mut request = [0; 14];
        for _ in 0..2 {
            stream.read_exact(&mut request)?;
            assert_eq!(&request, b"*1\r\n$4\r\nPING\r\n");
            stream.write_all(b"+PONG\r\n")?;
        }
        let rest = stream.read(&mut request)?;
        if rest > 0 {
            stream.write_all(b"+PONG\r\n")?;
        }
        let (mut stream, _) = listener.accept()?;
        let mut writer = stream.try_clone()?;
        let writing = thread::spawn(move || writer.write_all(&answer));
        let mut received = vec![0; expected.len()];
        stream.read_exact(&mut received)?;
        assert!(received == expected);
        writing.join().expect("it does not panic")
    });
    let file = folder.file("raw.session");
    let recorder = Recorder::start(&server, &file)?;
    let mut stream = TcpStream::connect(recorder.addr)?;
    let mut writer = stream.try_clone()?;
    let writing = thread::spawn(move || writer.write_all(&up));
    let mut received = vec![0; down.len()];
    stream.read_exact(&mut received)?;
    assert!(received == down);
    writing.join().map_err(|_| "the writer panics")??;
    serving.join().map_err(|_| "the server panics")??;
    recorder.end()?;
    let session = Session::read(&fs::read_to_string(&file)?)?;
    let received = session.events.iter().map(|event| match &event.action {
        Action::AnswerBytes(_, bytes) => bytes.len(),
        _ => 0,
    });
    assert_eq!(received.sum::<usize>(), down.len());
    Ok(())
}
