//! What hides keys and outputs from a softmax.

use super::super::drawing::{Drawing, SIZE};
use super::values::{compare, values};

#[test]
fn a_mask_of_truth_values_lets_keys_through_where_it_is_true() {
    let heads: &[(&str, &[i64])] = &[("q_num_heads", &[3]), ("kv_num_heads", &[3])];
    let seen: Vec<i64> = (0..256).map(|n| i64::from(n % 16 <= n / 16)).collect();
    let mut d = Drawing::default();
    let (x, truth) = (d.tokens("x"), d.whole(&seen));
    let truth = d.set("Cast", &[&truth], &[("to", &[9])]);
    let truth = d.reshaped(&truth, &[1, 1, 16, 16]);
    let hidden = seen.iter().map(|&seen| if seen == 1 { 0.0 } else { -1e9 }).collect();
    let (hidden, all) = (d.constant(hidden, &[16, 16]), d.ones(9, &[16, 16]));
    let [by_truth, by_number, unmasked] =
        [&truth, &hidden, &all].map(|mask| d.set("Attention", &[&x, &x, &x, mask], heads));
    let y = d.set("Concat", &[&by_truth, &by_number, &unmasked], &[("axis", &[1])]);
    let [by_truth, by_number, unmasked, _] = values(d, [&by_truth, &by_number, &unmasked, &y]);
    assert!(by_truth == by_number && by_truth != unmasked);
    compare(&by_truth, &by_number);
}

#[test]
fn a_query_that_sees_no_key_comes_to_zeros() {
    let heads: &[(&str, &[i64])] = &[("q_num_heads", &[3]), ("kv_num_heads", &[3])];
    let mut d = Drawing::default();
    let (x, zero) = (d.tokens("x"), d.number(0.0));
    let mean = d.set("ReduceMean", &[&x], &[("axes", &[2])]);
    let all = d.set("ReduceMean", &[&mean], &[("axes", &[1])]);
    let above = d.node("Sub", &[&mean, &all]);
    let truth = d.reshaped(&above, &[0, 1, 16, 1]);
    let truth = d.node("Greater", &[&truth, &zero]);
    let [masked, plain] = [&truth[..], ""].map(|mask| d.set("Attention", &[&x, &x, &x, mask], heads));
    let y = d.set("Concat", &[&masked, &plain], &[("axis", &[1])]);
    let [above, masked, plain, _] = values(d, [&above, &masked, &plain, &y]);
    assert!(above.iter().any(|&above| above > 0.0) && above.iter().any(|&above| above < 0.0));
    let row = |(plain, &above): (&[f32], &f32)| if above > 0.0 { plain.to_vec() } else { vec![0.0; 12] };
    compare(&masked, &plain.chunks(12).zip(&above).flat_map(row).collect::<Vec<f32>>());
}

#[test]
fn outputs_of_a_dense_layer_may_be_hidden_from_a_softmax() {
    let mut d = Drawing::default();
    let (x, hidden) = (d.tokens("x"), f32::NEG_INFINITY);
    let x = d.reshaped(&x, &[0, -1]);
    let (weights, mask) =
        (d.weights(&[12 * (SIZE / 4) * (SIZE / 4), 5]), d.constant(vec![0.0, hidden, 0.5, 0.0, hidden], &[5]));
    let plain = d.node("MatMul", &[&x, &weights]);
    let y = d.node("MatMul", &[&x, &weights]);
    let y = d.node("Add", &[&y, &mask]);
    let y = d.node("Softmax", &[&y]);
    let of_gemm = d.node("Gemm", &[&x, &weights, &mask]);
    let of_gemm = d.node("Softmax", &[&of_gemm]);
    // So that all come out.
    let all = d.set("Concat", &[&plain, &y, &of_gemm], &[("axis", &[1])]);
    let [plain, y, of_gemm, _] = values(d, [&plain, &y, &of_gemm, &all]);
    compare(&of_gemm, &y);
    let expected = plain.chunks(5).flat_map(|row| {
        let powers = [row[0].exp(), 0.0, (row[2] + 0.5).exp(), row[3].exp(), 0.0];
        powers.map(|power| power / powers.iter().sum::<f32>())
    });
    compare(&y, &expected.collect::<Vec<f32>>());
    assert!(y.chunks(5).all(|row| row[1] == 0.0 && row[4] == 0.0));
}

#[test]
fn a_mask_of_truth_values_may_be_too_large_to_be_read_at_once() {
    let mut d = Drawing::default();
    let (x, times, mask) = (d.tokens("x"), d.whole(&[1, 17, 1]), d.ones(9, &[272, 272]));
    let x = d.node("Tile", &[&x, &times]);
    let mask = d.reshaped(&mask, &[1, 1, 272, 272]);
    let heads: &[(&str, &[i64])] = &[("q_num_heads", &[3]), ("kv_num_heads", &[3])];
    let [masked, plain] = [&mask[..], ""].map(|mask| d.set("Attention", &[&x, &x, &x, mask], heads));
    let y = d.set("Concat", &[&masked, &plain], &[("axis", &[1])]);
    let [masked, plain, _] = values(d, [&masked, &plain, &y]);
    compare(&masked, &plain);
}
