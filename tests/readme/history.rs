use minibroker::{Broker, Snapshot};

#[test]
fn the_chat_begins_with_the_history_of_staging() {
    let history = Snapshot::from_rdb(include_bytes!("history.rdb")).unwrap();
    let broker = Broker::builder().from_snapshot(&history).start().unwrap();
    assert_eq!(
        broker.command(["LRANGE", "history", "0", "-1"]).unwrap().to_string(),
        r#"["ann: hello", "bob: hi"]"#
    );
}
