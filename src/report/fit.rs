//! Texts made to fit: names without what they share, lines that wrap, an ellipsis in the middle of what is still too wide.

use std::collections::{BTreeMap, HashSet};

use crate::report::canvas::TextStyle;

/// Names end or begin their parts with these: `encoder.layer.0`, `block1_conv1`, `left V1`, `ResNet-50, random weights`.
const SEPARATORS: [char; 7] = ['.', '_', '-', '/', ':', ',', ' '];
/// More characters are shortened where every name has room of its own.
const LONG: usize = 16;
/// Of what shortened names stand for, more characters have no room beside an axis' title.
const EXAMPLE: usize = 44;

/// The smallest type of a name that shrinks.
pub const SMALL: f64 = 0.7;
/// Between the sides of a difference.
const MINUS: &str = " \u{2212} ";

/// Names without what they share.
pub struct Short {
    /// In the names' order; those that share nothing are whole.
    pub names: Vec<String>,
    /// What the others stand for: `0 to 11 = layer.0 to layer.11`, of long names `n = encoder.layer.n.output`.
    pub example: String,
}

/// Names without the beginning and the end that two thirds of them or more share, whole parts of them; of a part with a
/// number (`activation_17`, `fire2`) the number stays. None where nothing is shared, two names would be the same, or all are
/// numbers (times).
pub fn short(names: &[&str]) -> Option<Short> {
    if names.iter().all(|name| is_number(name)) {
        return None;
    }
    let mut shared: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for name in names {
        for (before, after) in ends(name) {
            *shared.entry((before, after)).or_default() += 1;
        }
    }
    let common = shared.into_iter().filter(|(_, count)| *count > 1 && 3 * count >= 2 * names.len());
    let ((before, after), _) = common.max_by_key(|((before, after), count)| (before.len() + after.len()) * count)?;
    let rest = |name: &str| name.strip_prefix(before)?.strip_suffix(after).map(str::to_string);
    let is_shared = |name: &str| ends(name).contains(&(before, after));
    let shortened = |name: &&str| rest(name).filter(|_| is_shared(name)).unwrap_or_else(|| name.to_string());
    let mut others = names.iter().filter(|name| is_shared(name));
    let (first, last) = (others.next()?, others.next_back()?);
    let from_to = format!("{} to {} = {first} to {last}", shortened(first), shortened(last));
    let is_number = |name: &&&str| !shortened(name).contains(|c: char| !c.is_ascii_digit() && !SEPARATORS.contains(&c));
    let example = match from_to.chars().count() {
        ..=EXAMPLE => from_to,
        _ if names.iter().filter(|name| is_shared(name)).all(|name| is_number(&name)) => {
            format!("n = {before}n{after}")
        }
        _ => format!("NAME = {before}NAME{after}"),
    };
    let short: Vec<String> = names.iter().map(shortened).collect();
    let distinct = short.iter().collect::<HashSet<_>>().len();
    (distinct == names.iter().collect::<HashSet<_>>().len()).then_some(Short { names: short, example })
}

/// Whether the whole name is a number.
pub fn is_number(name: &str) -> bool {
    name.replace('\u{2212}', "-").parse::<f64>().is_ok()
}

/// Whether it is digits, behind a minus or none.
pub fn is_whole_number(name: &str) -> bool {
    let digits = name.strip_prefix(['-', '\u{2212}']).unwrap_or(name);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// [`short`] where a name is long; short names stay whole.
pub fn shortened(names: &[&str]) -> Option<Short> {
    let long = names.iter().any(|name| name.chars().count() > LONG);
    short(names).filter(|_| long)
}

/// Names and the title of their axis, which says what a [`shortened`] name stands for.
pub fn titled(names: &[&str], title: &str) -> (Vec<String>, String) {
    match shortened(names) {
        Some(Short { names, example }) => (names, format!("{title} ({example})")),
        None => (names.iter().map(|name| name.to_string()).collect(), title.to_string()),
    }
}

/// The beginnings and ends that a name can do without.
fn ends(name: &str) -> Vec<(&str, &str)> {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let is_separator = |c: Option<char>| c.is_some_and(|c| SEPARATORS.contains(&c));
    let places: Vec<usize> = name.char_indices().map(|(at, _)| at).chain([name.len()]).collect();
    let before = |at: usize| name[..at].chars().next_back();
    let after = |at: usize| name[at..].chars().next();
    let starts = places
        .iter()
        .copied()
        .filter(|&at| at == 0 || is_separator(before(at)) || (is_digit(after(at)) && !is_digit(before(at))));
    let mut found = Vec::new();
    for start in starts {
        let stops = places.iter().copied().filter(|&at| {
            at == name.len() || is_separator(after(at)) || (is_digit(before(at)) && !is_digit(after(at)))
        });
        for stop in stops.filter(|&stop| start < stop && (start, stop) != (0, name.len())) {
            let rest = &name[start..stop];
            let is_part =
                (start == 0 || is_separator(before(start))) && (stop == name.len() || is_separator(after(stop)));
            if is_whole_number(rest) || (is_part && !rest.starts_with(SEPARATORS) && !rest.ends_with(SEPARATORS)) {
                found.push((&name[..start], &name[stop..]));
            }
        }
    }
    found
}

/// The text, its middle left out where it is wider.
pub fn cut(text: &str, style: TextStyle, width: f64) -> String {
    cut_around(text, &[], style, width)
}

/// The texts of one axis, each cut where it is wider. Those that would look alike keep where they first differ, too.
pub fn cut_apart(texts: &[String], style: TextStyle, width: f64) -> Vec<String> {
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (n, text) in texts.iter().enumerate() {
        alike.entry(cut(text, style, width)).or_default().push(n);
    }
    let mut all = vec![String::new(); texts.len()];
    for group in alike.into_values() {
        for &n in &group {
            let others = group.iter().map(|&other| &texts[other]).filter(|&other| *other != texts[n]);
            let differs = |other: &String| texts[n].chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
            all[n] = cut_around(&texts[n], &others.map(differs).collect::<Vec<_>>(), style, width);
        }
    }
    all
}

/// As much of the text as fits: the letters nearest to its ends and to these places in it.
fn cut_around(text: &str, places: &[usize], style: TextStyle, width: f64) -> String {
    if style.width(text) <= width {
        return text.to_string();
    }
    let letters: Vec<char> = text.chars().collect();
    let last = letters.len().saturating_sub(1);
    let far = |at: usize| places.iter().map(|&place| at.abs_diff(place)).fold(at.min(last - at), usize::min);
    let mut nearest: Vec<usize> = (0..letters.len()).collect();
    nearest.sort_by_key(|&at| far(at));
    let kept = |count: usize| -> String {
        let mut is_kept = vec![false; letters.len()];
        nearest[..count].iter().for_each(|&at| is_kept[at] = true);
        let letter = |at: usize| match is_kept[at] {
            true => Some(letters[at]),
            false => (at == 0 || is_kept[at - 1]).then_some('…'),
        };
        (0..letters.len()).filter_map(letter).collect()
    };
    let counts: Vec<usize> = (0..letters.len()).collect();
    kept(counts.partition_point(|&count| style.width(&kept(count)) <= width).saturating_sub(1))
}

/// The same of texts, each with its width, some of which are differences of two sides. The minus of these stays: each side has half
/// the room, and what the other leaves of its own. A side of several differences looks as in the narrowest in all of them.
pub fn cut_sides(texts: &[(&str, f64)], style: TextStyle) -> Vec<String> {
    let mut rooms: BTreeMap<&str, f64> = BTreeMap::new();
    for &(text, width) in texts.iter().filter(|(text, width)| style.width(text) > *width) {
        let Some((one, other)) = text.split_once(MINUS) else { continue };
        let room = width - style.width(MINUS);
        for (side, beside) in [(one, other), (other, one)] {
            let least = rooms.entry(side).or_insert(f64::INFINITY);
            *least = least.min((room / 2.0).max(room - style.width(beside)));
        }
    }
    let side = |side: &str| rooms.get(side).map_or_else(|| side.to_string(), |&room| cut(side, style, room));
    let fitted = |&(text, width): &(&str, f64)| match text.split_once(MINUS) {
        Some((one, other)) => format!("{}{MINUS}{}", side(one), side(other)),
        None => cut(text, style, width),
    };
    texts.iter().map(fitted).collect()
}

/// The text in type as large as fits, down to [`SMALL`] of it; of what is still wider the middle is left out.
pub fn shrunk(text: &str, style: TextStyle, width: f64) -> (String, TextStyle) {
    let small = TextStyle { em: SMALL * style.em, ..style };
    let em = (width / style.width(text)).clamp(SMALL, 1.0) * style.em;
    (cut(text, small, width), TextStyle { em, ..style })
}

/// Breaks a text at spaces into lines no wider than `width`, words aside that are.
pub fn wrapped(text: &str, style: TextStyle, width: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut words = text.split(' ');
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        let longer = format!("{line} {word}");
        if style.width(&longer) <= width {
            line = longer;
        } else {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::INK;

    fn shortened(names: &[&str]) -> Option<Vec<String>> {
        short(names).map(|short| short.names)
    }

    #[test]
    fn numbers_stay_whole() {
        assert_eq!(shortened(&["-0.80", "-0.78", "0.00", "0.02"]), None);
        assert_eq!(shortened(&["1e-3", "1e-2", "1e-1"]), None);
        assert_eq!(shortened(&["-100 ms", "0 ms", "100 ms"]).unwrap(), ["-100", "0", "100"]);
    }

    #[test]
    fn what_names_share_is_left_out() {
        let mlp: Vec<String> = (0..24).map(|n| format!("encoder.layers.encoder_layer_{n}.mlp")).collect();
        let mlp: Vec<&str> = std::iter::once("conv_proj").chain(mlp.iter().map(String::as_str)).collect();
        let Short { names, example } = short(&mlp).unwrap();
        assert_eq!((names[0].as_str(), names[1].as_str(), names[24].as_str()), ("conv_proj", "0", "23"));
        assert_eq!(example, "n = encoder.layers.encoder_layer_n.mlp");
        assert_eq!(
            short(&["PIX", "blocks.0.0", "blocks.1", "blocks.5"]).unwrap().example,
            "0.0 to 5 = blocks.0.0 to blocks.5"
        );
        let two = ["model.blocks.0.attn", "model.blocks.0.mlp", "model.blocks.1.attn", "model.blocks.1.mlp"];
        let Short { names, example } = short(&two).unwrap();
        assert_eq!(names, ["0.attn", "0.mlp", "1.attn", "1.mlp"]);
        assert_eq!(example, "NAME = model.blocks.NAME");
        assert_eq!(shortened(&["fire2", "fire3", "conv1"]).unwrap(), ["2", "3", "conv1"]);
        let random = ["trained", "small one, random weights", "other, random weights"];
        assert_eq!(shortened(&random).unwrap(), ["trained", "small one", "other"]);
    }

    #[test]
    fn what_tells_names_apart_stays() {
        assert_eq!(shortened(&["B1C1", "B1C2", "B2C1", "FC1"]), None);
        assert_eq!(shortened(&["left_V1", "left_V2", "right_V1", "right_V2"]), None);
        assert_eq!(shortened(&["a.1", "a.2", "1"]), None);
        assert_eq!(shortened(&["a.long.name.alone"]), None);
        assert_eq!(shortened(&[]), None);
    }

    #[test]
    fn short_names_stand_whole_on_axes_with_room() {
        assert_eq!(titled(&["fire2", "fire3"], "Layer"), (vec!["fire2".into(), "fire3".into()], "Layer".into()));
        let (names, title) = titled(&["encoder.layer.0.output", "encoder.layer.1.output"], "Layer");
        assert_eq!((names, title.as_str()), (vec!["0".into(), "1".into()], "Layer (n = encoder.layer.n.output)"));
    }

    #[test]
    fn a_difference_keeps_its_minus_and_both_ends_of_its_sides() {
        let style = TextStyle::regular(40.0, INK);
        let all = |texts: &[&str]| cut_sides(&texts.iter().map(|text| (*text, 1200.0)).collect::<Vec<_>>(), style);
        let of = |one: &str, other: &str| all(&[&format!("{one}{MINUS}{other}")]).remove(0);
        let long = "quickstart_random, GloVe 100-d";
        assert_eq!(of("a", "b"), "a \u{2212} b");
        let both = of(long, "quickstart_random, GloVe 50-d");
        let (one, other) = both.split_once(MINUS).unwrap();
        assert!(one.starts_with("quick") && one.contains('…') && one.ends_with("100-d"), "{both}");
        assert!(other.starts_with("quick") && other.contains('…') && other.ends_with("50-d"), "{both}");
        assert!(style.width(&both) <= 1200.0);
        // What a short side leaves is the other's.
        assert_eq!(of("vgg16", long), format!("vgg16{MINUS}{long}"));
        let wide = long.repeat(3);
        let (short, cut) = (of("vgg16", &wide), of(&wide, "vgg16"));
        assert!(short.starts_with("vgg16 \u{2212} quick") && short.ends_with("100-d"), "{short}");
        assert!(cut.ends_with("100-d \u{2212} vgg16") && style.width(&cut) > 1100.0, "{cut}");
        assert_eq!(all(&[&wide]), [super::cut(&wide, style, 1200.0)]);
        // A name has one look in all.
        let pairs = all(&[&format!("vgg16{MINUS}{long}"), &format!("{long}{MINUS}{wide}")]);
        let [(_, first), (second, _)] = [0, 1].map(|n: usize| pairs[n].split_once(MINUS).unwrap());
        assert!(first == second && first.contains('…'), "{pairs:?}");
    }

    #[test]
    fn a_name_shrinks_and_then_loses_its_middle() {
        let style = TextStyle::regular(30.0, INK);
        for (letters, least, whole) in [(5, 1.0, true), (13, SMALL, true), (60, SMALL, false)] {
            let name = "n".repeat(letters);
            let (text, shrunk) = shrunk(&name, style, 200.0);
            assert!((least * 30.0..=30.0).contains(&shrunk.em) && (text == name) == whole, "{text}");
            assert!(shrunk.width(&text) < 200.01 && text.contains('…') != whole, "{text}");
        }
    }

    #[test]
    fn names_that_look_alike_when_cut_keep_what_tells_them_apart() {
        let style = TextStyle::regular(40.0, INK);
        let name = |part: &str| format!("{}.{part}.{}", "encoder".repeat(6), "output".repeat(6));
        let names = ["attention.0", "attention.1", "mlp.0", "mlp.1", "mlp.1"].map(name);
        assert_eq!(cut(&names[0], style, 500.0), cut(&names[3], style, 500.0));
        let cut = cut_apart(&names, style, 500.0);
        assert_eq!(cut.iter().collect::<HashSet<_>>().len(), 4, "{cut:?}");
        for (text, number) in cut.iter().zip(["0", "1", "0", "1", "1"]) {
            assert!(text.contains(number) && text.starts_with("enc") && text.ends_with("ut"), "{text}");
            assert!(style.width(text) <= 500.0, "{text}");
        }
        let apart = ["left", "right"].map(|side| format!("{side}{}", "long".repeat(20)));
        assert_eq!(cut_apart(&apart, style, 500.0), apart.clone().map(|name| super::cut(&name, style, 500.0)));
    }

    #[test]
    fn what_is_too_wide_loses_its_middle() {
        let style = TextStyle::regular(40.0, INK);
        assert_eq!(cut("layer", style, 400.0), "layer");
        let text = "ä_very_long_name".repeat(9);
        for width in [0.0, 60.0, 200.0, 700.0] {
            let cut = cut(&text, style, width);
            assert!(cut.contains('…') && style.width(&cut) <= width.max(style.width("…")), "{cut}");
        }
    }
}
