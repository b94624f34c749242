use minibroker::Broker;
use redis::{Client, TlsCertificates};

#[test]
fn a_message_reaches_the_chat_over_tls() {
    let broker = Broker::builder().tls().start().unwrap();
    let trusted = TlsCertificates { client_tls: None, root_cert: Some(broker.ca_certificate().into()) };
    let client = Client::build_with_tls(broker.url(), trusted).unwrap();
    let mut subscriber = client.get_connection().unwrap();
    let mut chat = subscriber.as_pubsub();
    chat.subscribe("chat").unwrap();
    broker.command(["PUBLISH", "chat", "hello"]).unwrap();
    assert_eq!(chat.get_message().unwrap().get_payload::<String>().unwrap(), "hello");
}
