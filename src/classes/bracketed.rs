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
    let is_line = |class: &String| !class.trim().is_empty() && !class.contains('\n');
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

/// `{0: 'tench, Tinca tinca', 1: "jack-o'-lantern"}`
fn of_python(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let mut classes = Vec::new();
    while !rest.is_empty() {
        let (number, class) = rest.split_once(':')?;
        let (name, behind) = quoted(class.trim_start())?;
        classes.push((number.trim().parse().ok()?, name));
        rest = behind.strip_prefix(',').or(behind.is_empty().then_some(behind))?.trim_start();
    }
    in_order(classes)
}

/// The text in the quotes that another begins with, and what stands behind them.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|sign| ['\'', '"'].contains(sign))?;
    let (mut inside, mut escaped) = (String::new(), false);
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
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
