//! The lines of CLIENT LIST.

use crate::resp::Value;

/// A client, as in CLIENT LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: u64,
    /// Its name from CLIENT SETNAME.
    pub name: String,
    /// Its end of the connection.
    pub address: String,
    /// Its database.
    pub database: usize,
    /// The number of channels it is subscribed to.
    pub channels: usize,
    /// The number of patterns it is subscribed to.
    pub patterns: usize,
    /// Whether it waits in a blocking command.
    pub blocked: bool,
    /// Its last command, in lower case.
    pub command: String,
}

/// The clients in a reply to CLIENT LIST or CLIENT INFO.
#[must_use]
pub fn listed(answer: &Value) -> Vec<Listed> {
    let text = String::from_utf8_lossy(answer.as_bytes().unwrap_or_default());
    let lines = text.lines().filter(|line| line.starts_with("id="));
    lines
        .map(|line| {
            let mut client = Listed::default();
            for (name, value) in line.split(' ').filter_map(|field| field.split_once('=')) {
                let number = || value.parse().unwrap_or_default();
                match name {
                    "id" => client.id = value.parse().unwrap_or_default(),
                    "name" => value.clone_into(&mut client.name),
                    "addr" => value.clone_into(&mut client.address),
                    "db" => client.database = number(),
                    "sub" => client.channels = number(),
                    "psub" => client.patterns = number(),
                    "flags" => client.blocked = value.contains('b'),
                    "cmd" => value.clone_into(&mut client.command),
                    _ => {}
                }
            }
            client
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_client_list_is_read() {
        let line = "id=7 addr=127.0.0.1:5 laddr=127.0.0.1:6379 fd=8 name=ann age=1 flags=b db=3 sub=1 psub=2 ssub=0 \
                    multi=-1 cmd=blpop user=default\n";
        let wanted = Listed {
            id: 7,
            name: "ann".into(),
            address: "127.0.0.1:5".into(),
            database: 3,
            channels: 1,
            patterns: 2,
            blocked: true,
            command: "blpop".into(),
        };
        assert_eq!(listed(&Value::Bulk(line.into())), [wanted]);
        assert_eq!(listed(&Value::Verbatim("txt".into(), line.repeat(2).into())).len(), 2);
        assert!(listed(&Value::Null).is_empty());
    }
}
