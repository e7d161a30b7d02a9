//! Classes against vocabularies: the first name of a class that every word model has.

use std::collections::{BTreeMap, HashMap};

use super::classes::Class;
use crate::vectors::Spelling;

/// Which of a class's names may stand for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lemmas {
    /// The first only.
    #[default]
    First,
    /// Any, in their order.
    Any,
}

impl Lemmas {
    /// The names that may stand for `class`.
    pub(super) fn of(self, class: &Class) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::First => 1,
            Self::Any => class.names.len(),
        };
        class.names.iter().take(names).map(String::as_str)
    }
}

/// The names that a word model has.
pub(super) struct Vocabulary {
    pub name: String,
    /// Words of its file.
    pub words: u64,
    /// The token of each name found.
    pub tokens: BTreeMap<String, String>,
}

/// What became of a class's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// Every model has this name.
    Found {
        /// The name.
        name: String,
        /// Its token in each model.
        tokens: Vec<String>,
    },
    /// No name is in every model; the name that is in most of them, and those that lack it.
    Missing { name: String, models: Vec<String> },
    /// The name belongs to an earlier class.
    Taken { name: String, class: String },
    /// Several words, and the rule joins none.
    SeveralWords { name: String },
}

/// Matches every class, in order. Of two classes with one name the earlier keeps it, if it is `shown` by enough images.
pub(super) fn match_classes(
    classes: &[Class],
    lemmas: Lemmas,
    spelling: &Spelling,
    vocabularies: &[Vocabulary],
    shown: impl Fn(&Class) -> bool,
) -> Vec<Match> {
    let mut taken: HashMap<(usize, &str), &str> = HashMap::new();
    let mut matches = Vec::new();
    for class in classes {
        let mut best: Option<Match> = None;
        for name in lemmas.of(class) {
            let tokens: Vec<Option<&str>> =
                vocabularies.iter().map(|model| model.tokens.get(name).map(String::as_str)).collect();
            let owner = tokens.iter().enumerate().find_map(|(model, token)| taken.get(&(model, (*token)?)));
            let lacking = vocabularies.iter().zip(&tokens).filter(|(_, token)| token.is_none());
            let models: Vec<String> = lacking.map(|(model, _)| model.name.clone()).collect();
            let name = name.to_string();
            let this = if spelling.tokens(&name).is_empty() {
                Match::SeveralWords { name }
            } else if !models.is_empty() {
                Match::Missing { name, models }
            } else if let Some(class) = owner {
                Match::Taken { name, class: class.to_string() }
            } else {
                let tokens: Vec<&str> = tokens.into_iter().flatten().collect();
                if shown(class) {
                    taken.extend(tokens.iter().enumerate().map(|(model, token)| ((model, *token), class.key.as_str())));
                }
                Match::Found { name, tokens: tokens.into_iter().map(str::to_string).collect() }
            };
            let better = best.as_ref().is_none_or(|best| rank(&this) < rank(best));
            let found = matches!(this, Match::Found { .. });
            if better {
                best = Some(this);
            }
            if found {
                break;
            }
        }
        matches.push(best.unwrap_or(Match::SeveralWords { name: class.key.clone() }));
    }
    matches
}

/// How far a name came, least first: what is told of a class is the best of its names.
fn rank(matched: &Match) -> usize {
    match matched {
        Match::Found { .. } => 0,
        Match::Taken { .. } => 1,
        Match::Missing { models, .. } => 1 + models.len(),
        Match::SeveralWords { .. } => usize::MAX,
    }
}

/// Classes none of whose names the model has, by their first names.
pub(super) fn lacking(classes: &[Class], lemmas: Lemmas, model: &Vocabulary) -> Vec<String> {
    let lacking = classes.iter().filter(|class| !lemmas.of(class).any(|name| model.tokens.contains_key(name)));
    lacking.map(|class| class.names.first().unwrap_or(&class.key).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(key: &str, names: &[&str]) -> Class {
        Class { key: key.to_string(), names: names.iter().map(|name| name.to_string()).collect(), index: None }
    }

    fn vocabulary(name: &str, tokens: &[(&str, &str)]) -> Vocabulary {
        let tokens = tokens.iter().map(|(name, token)| (name.to_string(), token.to_string())).collect();
        Vocabulary { name: name.to_string(), words: 9, tokens }
    }

    #[test]
    fn a_class_takes_the_first_name_that_every_model_has() {
        let classes = [
            class("a", &["tabby", "tabby cat"]),
            class("b", &["crane"]),
            class("c", &["crane", "heron"]),
            class("d", &["Sus scrofa", "boar"]),
            class("e", &["tench"]),
        ];
        let models = [
            vocabulary("W", &[("tabby", "tabby"), ("tabby cat", "tabby_cat"), ("crane", "crane"), ("boar", "Boar")]),
            vocabulary("G", &[("tabby cat", "tabby-cat"), ("crane", "crane"), ("boar", "boar"), ("tench", "tench")]),
        ];
        let found = |name: &str, tokens: [&str; 2]| Match::Found {
            name: name.to_string(),
            tokens: tokens.map(str::to_string).to_vec(),
        };
        let missing = |name: &str, models: &[&str]| Match::Missing {
            name: name.to_string(),
            models: models.iter().map(|model| model.to_string()).collect(),
        };
        let taken = Match::Taken { name: "crane".into(), class: "b".into() };
        let spelling = Spelling::default();
        assert_eq!(
            match_classes(&classes, Lemmas::Any, &spelling, &models, |_| true),
            [
                found("tabby cat", ["tabby_cat", "tabby-cat"]),
                found("crane", ["crane", "crane"]),
                taken.clone(),
                found("boar", ["Boar", "boar"]),
                missing("tench", &["W"])
            ]
        );
        assert_eq!(
            match_classes(&classes, Lemmas::First, &spelling, &models, |_| true),
            [
                missing("tabby", &["G"]),
                found("crane", ["crane", "crane"]),
                taken,
                missing("Sus scrofa", &["W", "G"]),
                missing("tench", &["W"])
            ]
        );
        assert_eq!(lacking(&classes, Lemmas::First, &models[0]), ["Sus scrofa", "tench"]);
        assert_eq!(lacking(&classes, Lemmas::Any, &models[0]), ["tench"]);
        let without_b = match_classes(&classes, Lemmas::First, &spelling, &models, |class| class.key != "b");
        assert_eq!(without_b[2], found("crane", ["crane", "crane"]));
        let single = Spelling { join: vec![], ..Spelling::default() };
        let several = Match::SeveralWords { name: "Sus scrofa".into() };
        assert_eq!(match_classes(&classes, Lemmas::First, &single, &models, |_| true)[3], several);
    }
}
