//! Clients that disconnect in the middle of something.

use minibroker::{Broker, Value};

use super::peer::{OtherClient, Peer, encode, repeat_without_growing};

#[test]
fn a_thousand_waiting_clients_that_vanish_lose_no_message() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    repeat_without_growing(|| {
        let mut peers: Vec<_> = (0..1000).map(|_| Peer::connect(&broker)).collect();
        for peer in &mut peers {
            peer.send(encode(&["BLPOP", "chat_queue", "other_queue", "0"]));
        }
        broker.wait_for_blocked("chat_queue", 1000).blocking().unwrap();
        other_client.is_served();
        drop(peers);
        broker.wait_for_blocked("chat_queue", 0).blocking().unwrap();
        assert_eq!(broker.command(["RPUSH", "chat_queue", "hello"]).unwrap(), 1);
        assert_eq!(broker.command(["LPOP", "chat_queue"]).unwrap(), Value::Bulk(b"hello".to_vec()));
    });
    other_client.disconnect_as_last(&broker);
}

#[test]
fn subscribers_that_vanish_are_no_longer_counted() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    repeat_without_growing(|| {
        let mut peers: Vec<_> = (0..200).map(|_| Peer::connect(&broker)).collect();
        for peer in &mut peers {
            peer.send("SUBSCRIBE chat\r\nPSUBSCRIBE ch*\r\nSSUBSCRIBE shard\r\n");
        }
        broker.wait_for_subscribers("chat", 200).blocking().unwrap();
        broker.wait_for_pattern_subscribers("ch*", 200).blocking().unwrap();
        drop(peers);
        broker.wait_for_subscribers("chat", 0).blocking().unwrap();
        broker.wait_for_pattern_subscribers("ch*", 0).blocking().unwrap();
        other_client.is_served();
    });
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_transaction_without_exec_is_dropped_with_its_client() {
    let broker = Broker::start().unwrap();
    let other_client = OtherClient::connect(&broker);
    let mut peer = Peer::connect(&broker);
    peer.send("WATCH name other\r\nMULTI\r\nSET name hello\r\n");
    peer.expect(b"+OK\r\n+OK\r\n+QUEUED\r\n");
    peer.leave();
    assert_eq!(broker.command(["EXISTS", "name"]).unwrap(), 0);
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_waiting_client_for_which_its_key_holds_nothing_yet_waits_on() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    let mut readers: Vec<_> = (0..3).map(|_| Peer::connect(&broker)).collect();
    for reader in &mut readers {
        reader.send(encode(&["XREAD", "BLOCK", "0", "STREAMS", "chat_stream", "5-0"]));
    }
    broker.wait_for_blocked("chat_stream", 3).blocking().unwrap();
    broker.command(["XADD", "chat_stream", "1-0", "text", "too old"]).unwrap();
    other_client.is_served();
    broker.command(["XADD", "chat_stream", "6-0", "text", "hello"]).unwrap();
    for mut reader in readers {
        assert_eq!(reader.reply().to_string(), r#"[["chat_stream", [["6-0", ["text", "hello"]]]]]"#);
        reader.leave();
    }
    other_client.disconnect_as_last(&broker);
}

#[test]
fn twenty_thousand_waits_in_one_pipeline_are_served_one_after_the_other() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    let mut peer = Peer::connect(&broker);
    let mut writer = peer.try_clone();
    let waits = encode(&["BLPOP", "chat_queue", "0"]).repeat(20_000);
    let sender = std::thread::spawn(move || writer.send(waits));
    let pushes = std::thread::spawn({
        let mut pusher = Peer::connect(&broker);
        move || {
            for _ in 0..20_000 {
                pusher.command(["RPUSH", "chat_queue", "x"]);
            }
            pusher.leave();
        }
    });
    peer.expect(&b"*2\r\n$10\r\nchat_queue\r\n$1\r\nx\r\n".repeat(20_000));
    other_client.is_served();
    sender.join().unwrap();
    pushes.join().unwrap();
    peer.leave();
    other_client.disconnect_as_last(&broker);
}
