//! Commands in documents are commands of the program; the reference of options is what `--help` says.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and the pages of docs/, but for the one that is written below.
fn documents() -> Vec<PathBuf> {
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages
        .filter(|path| path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("commands.md"));
    pages.chain(["README.md", "CONTRIBUTING.md", "weights/README.md"].map(|name| root().join(name))).collect()
}

/// The lines of code blocks that call the program, with lines that go on joined; without comments and redirections.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let (mut fenced, mut open) = (false, String::new());
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") || !open.is_empty() {
            let code = line.split(" #").next().unwrap_or_default().trim();
            open += &format!("{} ", code.trim_end_matches('\\').trim());
            if !code.ends_with('\\') {
                commands.push(std::mem::take(&mut open));
            }
        }
    }
    let call = |line: String| {
        let called = line.trim().replace("cargo run --release -- ", "semgpu ");
        let called = called.split([';', '>', '|', '&']).next().unwrap_or_default().trim().to_string();
        called.starts_with("semgpu ").then_some(called)
    };
    commands.into_iter().filter_map(call).collect()
}

/// As a shell splits a line.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_in_a_document_parses() {
    let mut parsed = 0;
    for path in documents() {
        for command in commands(&fs::read_to_string(&path).unwrap()) {
            if let Err(error) = Cli::try_parse_from(words(&command)) {
                panic!("{}: {command}: {error}", path.display());
            }
            parsed += 1;
        }
    }
    assert!(parsed >= 12, "{parsed} commands found");
}

#[test]
fn every_example_of_a_help_parses() {
    let mut command = Cli::command();
    command.build();
    let mut helps: Vec<String> = command.get_subcommands_mut().map(|sub| sub.render_help().to_string()).collect();
    helps.push(command.render_help().to_string());
    let mut parsed = 0;
    for example in helps.iter().flat_map(|help| help.split_once("Examples:")).flat_map(|(_, text)| text.lines()) {
        let call = example.split("   ").find(|part| part.trim().starts_with("semgpu")).unwrap_or_default();
        let call = call.split('>').next().unwrap_or_default().trim();
        if call.is_empty() || call.contains("COMMAND") {
            continue;
        }
        if let Err(error) = Cli::try_parse_from(words(call)) {
            panic!("{call}: {error}");
        }
        parsed += 1;
    }
    assert!(parsed >= 15, "{parsed} examples found");
}

/// `--help` of every command, as a page.
fn reference() -> String {
    let mut page =
        "# Commands\n\nWhat `--help` says; written by `SEMGPU_BLESS=1 cargo test --release --lib cli`.\n".to_string();
    let mut command = Cli::command().term_width(100);
    command.build();
    page += &format!("\n```text\n{}```\n", command.render_help());
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_string()).collect();
    for name in names.iter().filter(|name| *name != "help") {
        let sub = command.find_subcommand_mut(name).unwrap();
        page += &format!("\n## semgpu {name}\n\n```text\n{}```\n", sub.render_help());
    }
    page.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_reference_of_commands_is_what_help_says() {
    let path = root().join("docs/commands.md");
    let reference = reference();
    if std::env::var_os("SEMGPU_BLESS").is_some() {
        fs::write(&path, &reference).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == reference, "docs/commands.md is out of date: SEMGPU_BLESS=1 cargo test --release --lib cli");
    for word in ["None", "Option<", "u64", "usize", "PathBuf"] {
        assert!(!reference.contains(word), "{word} is no word for people");
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}
