//! The order of layers that nothing states: by their names.

/// The layers by their names, whole numbers in these by their values: `layer2` before `layer10`. Where the names are numbers with
/// one unit, and one is negative, they are places along an axis: `-100 ms` before `-50 ms`, `-0.1` before `-0.05` before `0`.
pub fn sorted<T>(mut layers: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
    layers.sort_by_cached_key(|layer| natural(&name(layer)));
    let names: Vec<String> = layers.iter().map(name).collect();
    match numbers(&names).filter(|values| values.iter().any(|&value| value < 0.0)) {
        Some(values) => ordered_by(&values, layers),
        None => layers,
    }
}

/// The layers in the order of their `values`.
pub fn ordered_by<T>(values: &[f64], layers: Vec<T>) -> Vec<T> {
    let mut placed: Vec<(&f64, T)> = values.iter().zip(layers).collect();
    placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    placed.into_iter().map(|(_, layer)| layer).collect()
}

/// A name with its whole numbers filled up, so that they sort by their values.
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

/// The values of names that are numbers with one unit, or with none; else none.
pub fn numbers(names: &[String]) -> Option<Vec<f64>> {
    let all: Vec<(f64, &str)> = names.iter().map(|name| number(name)).collect::<Option<_>>()?;
    let unit = all.first()?.1;
    all.into_iter().map(|(value, other)| (other == unit).then_some(value)).collect()
}

/// The number that a name begins with, with its sign, decimals and exponent, and the rest.
fn number(name: &str) -> Option<(f64, &str)> {
    let (sign, size) = match name.strip_prefix(['-', '\u{2212}']) {
        Some(size) => (-1.0, size),
        None => (1.0, name.strip_prefix('+').unwrap_or(name)),
    };
    let digits = |text: &str| text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(size);
    if end == 0 {
        return None;
    }
    // A point or an `e` without digits behind it begins the rest.
    if let Some(fraction) = size[end..].strip_prefix('.').filter(|fraction| digits(fraction) > 0) {
        end += 1 + digits(fraction);
    }
    let power = size[end..].strip_prefix('e').map(|power| power.strip_prefix(['-', '+']).unwrap_or(power));
    if let Some(power) = power.filter(|power| digits(power) > 0) {
        end = size.len() - power.len() + digits(power);
    }
    let (size, unit) = size.split_at(end);
    Some((sign * size.parse::<f64>().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_by_their_values() {
        for in_order in [
            &["-200 ms", "-50 ms", "0 ms", "100 ms"][..],
            &["\u{2212}100", "-50", "0", "+50", "100"],
            &["-0.20", "-0.10", "-0.05", "0", "0.05", "0.1", "0.25", "0.5"],
            &["-50 ms.npy", "0 ms.npy", "0.5 ms.npy"],
            &["-0.1", "-0.05", "-2.7755575615628914e-17", "0.05", "0.15000000000000002"],
            // Names of layers, and decimals that may be.
            &["layer1", "layer1.0", "layer1.1", "layer2", "layer10"],
            &["layer-1", "layer-2", "layer-12", "layer0"],
            &["4.0", "4.2", "4.10", "6.5", "6.12"],
            &["0.2_relu", "0.5_relu", "0.11_relu", "1.1_relu"],
            &["features.0", "features.3", "features.12"],
            &["layer1.2.conv1", "layer1.10.conv1", "layer2.0.conv1"],
            &["conv-1", "conv-3", "conv2", "conv10", "fc6", "pixels"],
            &["-1", "0.5_relu", "4.11_relu"],
        ] {
            let mut names: Vec<String> = in_order.iter().map(|name| name.to_string()).collect();
            for _ in 0..names.len() {
                names.rotate_left(1);
                assert_eq!(sorted(names.clone(), String::clone), in_order);
            }
        }
    }

    #[test]
    fn names_along_an_axis_are_numbers_with_one_unit() {
        let values = |names: &[&str]| numbers(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(values(&["0.1 s", "0.15 s", "0.2s", "1e1 s"]), Some(vec![0.1, 0.15, 0.2, 10.0]));
        assert_eq!(values(&["50 ms", "1 s"]), None);
        assert_eq!(values(&["0.1-0.2 s", "0.15-0.25 s"]), None);
        assert_eq!((values(&["t0", "t1"]), values(&[])), (None, None));
    }
}
