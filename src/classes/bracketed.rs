//! Classes as programs write them: a dictionary by number, or a list, of JSON or Python.

use serde_json::Value;

use crate::imagenet::is_wnid;

/// Whether a text begins as one does.
pub(super) fn is_begun(text: &str) -> bool {
    let text = text.trim_start();
    let of_values = |rest: &str| rest.trim_start().starts_with(['"', '\'', '[', '{']);
    text.starts_with('{') || text.strip_prefix('[').is_some_and(of_values)
}

/// Its classes in the order of their numbers, a line each; none where it is no such text.
pub(super) fn lines(text: &str) -> Option<String> {
    let classes = of_json(text).or_else(|| of_python(text))?;
    // What stands before a tab is left out of a line.
    let is_line = |class: &String| !class.trim().is_empty() && !class.contains(['\n', '\t']);
    classes.iter().all(is_line).then(|| classes.join("\n"))
}

fn of_json(text: &str) -> Option<Vec<String>> {
    match serde_json::from_str(text).ok()? {
        Value::Array(classes) => classes.iter().map(names).collect(),
        Value::Object(classes) => {
            let class = |(number, class): (&String, &Value)| Some((number.parse().ok()?, names(class)?));
            in_order(classes.iter().map(class).collect::<Option<_>>()?)
        }
        _ => None,
    }
}

/// A class's names: a text, or a list of them, the first of which may be its WordNet id.
fn names(class: &Value) -> Option<String> {
    let Value::Array(names) = class else { return class.as_str().map(str::to_string) };
    let names = names.iter().map(Value::as_str).collect::<Option<Vec<&str>>>()?;
    match names[..] {
        [id, ref names @ ..] if is_wnid(id) => Some(format!("{id} {}", names.join(", "))),
        _ => Some(names.join(", ")),
    }
}

/// `{0: 'tench, Tinca tinca', 1: "jack-o'-lantern"}`, or the same without numbers in square brackets.
fn of_python(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    let numbered = text.starts_with('{');
    let [begin, end] = if numbered { ['{', '}'] } else { ['[', ']'] };
    let mut rest = text.strip_prefix(begin)?.strip_suffix(end)?.trim();
    let mut classes = Vec::new();
    while !rest.is_empty() {
        let (number, class) = match numbered {
            true => rest.split_once(':').and_then(|(number, class)| Some((number.trim().parse().ok()?, class)))?,
            false => (classes.len(), rest),
        };
        let (name, behind) = quoted(class.trim_start())?;
        classes.push((number, name));
        rest = behind.strip_prefix(',').or(behind.is_empty().then_some(behind))?.trim_start();
    }
    in_order(classes)
}

/// The text in the quotes that another begins with, and what stands behind them; none where a letter is written by its number.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|sign| ['\'', '"'].contains(sign))?;
    let (mut inside, mut escaped) = (String::new(), false);
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' if escaped => return None,
            _ if escaped => {
                inside.push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            _ if letter == quote => return Some((inside, text[place + 1..].trim_start())),
            _ => inside.push(letter),
        }
    }
    None
}

/// Classes by their numbers, which count from 0.
fn in_order(mut classes: Vec<(usize, String)>) -> Option<Vec<String>> {
    classes.sort_unstable();
    let all = classes.iter().map(|(number, _)| *number).eq(0..classes.len());
    all.then(|| classes.into_iter().map(|(_, class)| class).collect())
}
