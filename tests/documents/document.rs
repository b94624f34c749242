//! The documents: their code blocks, and the texts of programs and sessions in them.
//!
//! The tests contain no text of a document. A document is identified by the prefix of its file's name, a
//! program by its position among the code blocks, and a prompt by its position among the calls of `input`.

use std::path::Path;

/// One of the documents.
pub struct Document {
    text: String,
}

impl Document {
    /// Reads the document in `directory` whose file's name starts with `prefix`.
    pub fn read(directory: &Path, prefix: &str) -> Document {
        let file = directory
            .read_dir()
            .expect("the documents are a directory")
            .map(|entry| entry.expect("the directory can be listed").path())
            .find(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with(prefix))
            })
            .unwrap_or_else(|| panic!("no document {prefix}* in {}", directory.display()));
        let text = std::fs::read_to_string(file).expect("the document can be read");
        Document { text }
    }

    /// The `n`-th block between fences, unchanged, counted from zero.
    pub fn fenced(&self, n: usize) -> String {
        let mut blocks = Vec::new();
        let mut open: Option<String> = None;
        for line in self.text.split_inclusive('\n') {
            if line.starts_with("```") {
                match open.take() {
                    Some(block) => blocks.push(block),
                    None => open = Some(String::new()),
                }
            } else if let Some(block) = &mut open {
                block.push_str(line);
            }
        }
        nth(blocks, n)
    }

    /// The `n`-th block that is code by its indentation, without the indentation.
    pub fn indented(&self, n: usize) -> String {
        let mut blocks: Vec<String> = Vec::new();
        let mut inside = false;
        for line in self.text.lines() {
            if let Some(code) = line.strip_prefix("    ") {
                if !inside {
                    blocks.push(String::new());
                }
                inside = true;
                let block = blocks.last_mut().expect("a block was begun");
                block.push_str(code);
                block.push('\n');
            } else {
                inside &= line.trim().is_empty();
            }
        }
        nth(blocks, n)
    }
}

/// What the program asks its user: the literals given to `input`, in order.
pub fn prompts(program: &str) -> Vec<String> {
    literals(program, "input")
}

/// The literals that the program gives to `function` as the first argument, in order.
pub fn literals(program: &str, function: &str) -> Vec<String> {
    let call = format!("{function}(");
    let calls = program.split(&call).skip(1);
    calls
        .filter_map(|call| {
            let quote = call.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (literal, _) = call[1..].split_once(quote)?;
            Some(literal.to_owned())
        })
        .collect()
}

/// The lines that a user of `program` types in a recorded session of it.
pub fn typed(program: &str, session: &str) -> Vec<String> {
    let prompts = prompts(program);
    let answer =
        |line: &str| prompts.iter().find_map(|prompt| line.strip_prefix(prompt.as_str()).map(str::to_owned));
    session.lines().filter_map(answer).collect()
}

/// One exchange of a recorded session.
#[derive(Debug)]
pub struct Exchange {
    /// The text before `> `: the name of the connection, or redis-cli's prompt.
    pub speaker: String,
    /// What is typed; `None` if something is only received.
    pub command: Option<String>,
    /// The lines shown after that.
    pub shown: String,
}

/// A recorded session, as its exchanges.
pub fn exchanges(session: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in session.lines().filter(|line| !line.trim().is_empty()) {
        if let Some((speaker, command)) = line.split_once('>') {
            let command = command.trim();
            let received = command.is_empty() || command == "...";
            exchanges.push(Exchange {
                speaker: speaker.to_owned(),
                command: (!received).then(|| command.to_owned()),
                shown: String::new(),
            });
        } else if let Some(exchange) = exchanges.last_mut() {
            exchange.shown.push_str(line);
            exchange.shown.push('\n');
        }
    }
    exchanges
}

/// The words of a command as a person types it, with quotes around words with spaces.
pub fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in command.split('"').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn nth(blocks: Vec<String>, n: usize) -> String {
    let count = blocks.len();
    let block = blocks.into_iter().nth(n);
    block.unwrap_or_else(|| panic!("the document has {count} blocks, none numbered {n}"))
}
