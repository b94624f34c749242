use minibroker::Broker;

#[test]
fn a_message_reaches_the_chat() {
    let broker = Broker::start().unwrap();
    let client = redis::Client::open(broker.url()).unwrap();
    let mut subscriber = client.get_connection().unwrap();
    let mut chat = subscriber.as_pubsub();
    chat.subscribe("chat").unwrap();
    broker.wait_for_subscribers("chat", 1).blocking().unwrap();
    broker.command(["PUBLISH", "chat", "hello"]).unwrap();
    assert_eq!(chat.get_message().unwrap().get_payload::<String>().unwrap(), "hello");
}
