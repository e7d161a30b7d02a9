//! Rotary positions as exporters write them.

use super::super::super::drawing::Drawing;
use super::check;

const UNITS: i64 = 4;
const TOKENS: usize = 16;

fn part(d: &mut Drawing, x: &str, [first, end, axis, step]: [i64; 4]) -> String {
    let all = [first, end, axis, step].map(|number| d.whole(&[number]));
    d.node("Slice", &[x, &all[0], &all[1], &all[2], &all[3]])
}

/// `x cos + exchanged(x) sin`, of so many tokens.
fn turned(d: &mut Drawing, x: &str, tokens: usize, exchanged: fn(&mut Drawing, &str, i64) -> String) -> String {
    let [cosines, sines] = [0, 1].map(|_| d.weights(&[tokens, UNITS as usize]));
    let y = d.node("Mul", &[x, &cosines]);
    let z = exchanged(d, x, tokens as i64);
    let z = d.node("Mul", &[&sines, &z]);
    d.node("Add", &[&y, &z])
}

/// Each of the second half negated, then those of the first.
fn halves(d: &mut Drawing, x: &str, _: i64) -> String {
    let (first, second) = (part(d, x, [0, UNITS / 2, -1, 1]), part(d, x, [UNITS / 2, UNITS, -1, 1]));
    let second = d.node("Neg", &[&second]);
    d.set("Concat", &[&second, &first], &[("axis", &[-1])])
}

/// Every second one negated, then the one before it.
fn neighbours(d: &mut Drawing, x: &str, tokens: i64) -> String {
    let (second, first) = (part(d, x, [1, i64::MAX, 3, 2]), part(d, x, [0, i64::MAX, 3, 2]));
    let second = d.node("Neg", &[&second]);
    let last = d.whole(&[4]);
    let all = [second, first].map(|part| d.node("Unsqueeze", &[&part, &last]));
    let y = d.set("Concat", &[&all[0], &all[1]], &[("axis", &[-1])]);
    d.reshaped(&y, &[-1, 3, tokens, UNITS])
}

/// Queries and keys that `rotated` makes of theirs, attention, and the layer behind it.
fn attention(d: &mut Drawing, rotated: impl Fn(&mut Drawing, &str) -> String) -> String {
    let x = d.tokens("x");
    let y = d.dense(&x, 12, 36);
    let y = d.reshaped(&y, &[0, TOKENS as i64, 3, 3, UNITS]);
    let y = d.turned(&y, &[2, 0, 3, 1, 4]);
    let [q, k, v] = [0i64, 1, 2].map(|n| {
        let place = d.whole(&[n]);
        let part = d.set("Gather", &[&y, &place], &[("axis", &[0])]);
        let axis = d.whole(&[0]);
        d.node("Squeeze", &[&part, &axis])
    });
    let [q, k] = [q, k].map(|part| rotated(d, &part));
    let k = d.turned(&k, &[0, 1, 3, 2]);
    let y = d.node("MatMul", &[&q, &k]);
    let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
    let y = d.node("MatMul", &[&y, &v]);
    let y = d.turned(&y, &[0, 2, 1, 3]);
    let y = d.reshaped(&y, &[0, TOKENS as i64, 12]);
    d.dense(&y, 12, 7)
}

#[test]
fn rotary_positions_are_one_step() {
    for exchanged in [halves, neighbours] {
        // The patches, queries to values, queries, keys, attention, the layer behind it.
        check("of all tokens", 6, |d| attention(d, |d, x| turned(d, x, TOKENS, exchanged)));
        check("behind tokens that have none", 6, |d| {
            attention(d, |d, x| {
                let (before, others) = (part(d, x, [0, 2, 2, 1]), part(d, x, [2, 99, 2, 1]));
                let others = turned(d, &others, TOKENS - 2, exchanged);
                d.set("Concat", &[&before, &others], &[("axis", &[2])])
            })
        });
    }
    check("of the second unit, not the first", 6, |d| {
        attention(d, |d, x| {
            turned(d, x, TOKENS, |d, x, _| {
                let (first, second) = (part(d, x, [0, 2, -1, 1]), part(d, x, [2, 4, -1, 1]));
                let first = d.node("Neg", &[&first]);
                d.set("Concat", &[&second, &first], &[("axis", &[-1])])
            })
        })
    });
}

#[test]
fn what_only_looks_like_rotary_positions_is_not() {
    // The tokens before are not those before; the halves are not exchanged; the order of the halves is another token's.
    check("behind other tokens", 12, |d| {
        attention(d, |d, x| {
            let (before, others) = (part(d, x, [1, 3, 2, 1]), part(d, x, [2, 99, 2, 1]));
            let others = turned(d, &others, TOKENS - 2, halves);
            d.set("Concat", &[&before, &others], &[("axis", &[2])])
        })
    });
    check("not exchanged", 20, |d| {
        attention(d, |d, x| {
            turned(d, x, TOKENS, |d, x, _| {
                let (first, second) = (part(d, x, [0, 2, -1, 1]), part(d, x, [2, 4, -1, 1]));
                let first = d.node("Neg", &[&first]);
                d.set("Concat", &[&first, &second], &[("axis", &[-1])])
            })
        })
    });
}
