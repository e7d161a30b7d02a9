//! The order of layers that nothing states: by their names, numbers in these by their values.

/// The layers by their names: `layer2` before `layer10`, and times as numbers with signs and decimals, `-100 ms` before `-50 ms`,
/// `0.05 s` before `0.1 s`.
pub fn sorted<T>(mut layers: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
    layers.sort_by_cached_key(|layer| natural(&name(layer)));
    let names: Vec<String> = layers.iter().map(name).collect();
    let Some(values) = values(&names) else { return layers };
    let mut placed: Vec<(f64, T)> = values.into_iter().zip(layers).collect();
    placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    placed.into_iter().map(|(_, layer)| layer).collect()
}

/// A name with its numbers filled up, so that they sort by their values.
pub fn natural(name: &str) -> String {
    const DIGITS: usize = 20;
    let mut key = String::new();
    let mut digits = String::new();
    for letter in name.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if !digits.is_empty() {
            key += &format!("{digits:0>DIGITS$}");
            digits.clear();
        }
        key.push(letter);
    }
    key
}

/// A name by its first number.
struct Numbered<'a> {
    before: &'a str,
    sign: Option<char>,
    whole: &'a str,
    fraction: &'a str,
    /// `e-17`, as of a time that is 0 but for rounding.
    exponent: &'a str,
    unit: &'a str,
}

impl<'a> Numbered<'a> {
    fn of(name: &'a str) -> Option<Self> {
        const SIGNS: [char; 3] = ['-', '+', '\u{2212}'];
        let (before, rest) = name.split_at(name.find(|letter: char| letter.is_ascii_digit())?);
        let sign = before.chars().next_back().filter(|last| SIGNS.contains(last));
        let (whole, rest) = digits(rest);
        let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
        let (exponent, unit) = exponent(rest);
        Some(Self { before: before.strip_suffix(SIGNS).unwrap_or(before), sign, whole, fraction, exponent, unit })
    }
}

/// The digits that a text begins with, and the rest.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()))
}

/// The exponent that a text begins with, and the rest.
fn exponent(text: &str) -> (&str, &str) {
    let power = text.strip_prefix('e').map(|power| power.strip_prefix(['-', '+']).unwrap_or(power));
    match power.map(digits) {
        Some((power, unit)) if !power.is_empty() => text.split_at(text.len() - unit.len()),
        _ => ("", text),
    }
}

/// The first numbers of names that begin alike, with their signs and decimals; none where they do not.
fn values(names: &[String]) -> Option<Vec<f64>> {
    let all: Vec<Numbered> = names.iter().map(|name| Numbered::of(name)).collect::<Option<_>>()?;
    let first = all.first()?;
    if all.iter().any(|one| one.before != first.before) {
        return None;
    }
    // A hyphen that all have behind a word is no sign (`t-1`, `t-2`).
    let signed = first.before.is_empty() || all.iter().any(|one| one.sign != first.sign);
    let has_sign = signed && all.iter().any(|one| one.sign.is_some());
    let has_unit = first.before.is_empty()
        && !first.unit.starts_with('.')
        && first.unit.contains(char::is_alphabetic)
        && all.iter().all(|one| one.unit == first.unit);
    // `4.10` is the eleventh module of the fifth, `0.05` and `0.1 s` are times.
    let zero_led = all.iter().any(|one| one.fraction.len() > 1 && one.fraction.starts_with('0'));
    let counted = all.iter().any(|one| one.fraction.len() != first.fraction.len())
        && all.iter().any(|one| one.fraction.len() > 1 && one.fraction.ends_with('0'));
    let decimal = (has_sign || has_unit || zero_led) && !counted;
    let value = |one: &Numbered| {
        let (fraction, exponent) = if decimal { (one.fraction, one.exponent) } else { ("", "") };
        let size: f64 = format!("{}.{fraction}0{exponent}", one.whole).parse().ok()?;
        Some(if signed && matches!(one.sign, Some('-' | '\u{2212}')) { -size } else { size })
    };
    all.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_by_their_values() {
        for in_order in [
            &["-200 ms", "-50 ms", "0 ms", "100 ms"][..],
            &["\u{2212}100", "-50", "0", "+50", "100"],
            &["-0.1", "-0.05", "0.0", "0.05", "0.1", "0.25", "0.5"],
            &["0.05", "0.1", "0.25", "0.5", "1"],
            &["-0.1", "-0.05", "-2.7755575615628914e-17", "0.05", "0.15000000000000002"],
            &["0.25 s", "0.5 s", "1 s", "1.25 s"],
            &["t-100", "t-50", "t0", "t50"],
            &["-100-0 ms", "-50-50 ms", "0-100 ms"],
            // No times.
            &["layer1", "layer2", "layer10"],
            &["t-1", "t-2", "t-10"],
            &["4.0", "4.2", "4.10", "6.5", "6.12"],
            &["features.0", "features.3", "features.12"],
            &["layer1.2.conv1", "layer1.10.conv1", "layer2.0.conv1"],
            &["conv1", "conv2", "fc6", "pixels"],
        ] {
            let mut names: Vec<String> = in_order.iter().map(|name| name.to_string()).collect();
            for _ in 0..names.len() {
                names.rotate_left(1);
                assert_eq!(sorted(names.clone(), String::clone), in_order);
            }
        }
    }
}
