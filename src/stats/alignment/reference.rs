//! The measures by their definitions, from vectors, in plain loops: what the fast forms are held to.

/// Vectors of the concepts, `[concepts][units]`.
pub type Vectors = [Vec<f64>];

fn product(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn gram(vectors: &Vectors) -> Vec<Vec<f64>> {
    vectors.iter().map(|x| vectors.iter().map(|y| product(x, y)).collect()).collect()
}

/// The vectors at unit length.
pub fn normalised(vectors: &Vectors) -> Vec<Vec<f64>> {
    vectors.iter().map(|x| x.iter().map(|value| value / product(x, x).sqrt()).collect()).collect()
}

/// Linear CKA: `|Y^T X|^2 / (|X^T X| |Y^T Y|)` of vectors whose every unit has mean 0 (Kornblith et al. 2019, eq. 3),
/// in the space of the units.
pub fn cka(x: &Vectors, y: &Vectors) -> f64 {
    let centred = |vectors: &Vectors| -> Vec<Vec<f64>> {
        let units = 0..vectors[0].len();
        let unit = |u: usize| {
            let mean = vectors.iter().map(|vector| vector[u]).sum::<f64>() / vectors.len() as f64;
            vectors.iter().map(|vector| vector[u] - mean).collect()
        };
        units.map(unit).collect()
    };
    let (x, y) = (centred(x), centred(y));
    let squares = |x: &[Vec<f64>], y: &[Vec<f64>]| -> f64 {
        x.iter().flat_map(|x| y.iter().map(move |y| product(x, y).powi(2))).sum()
    };
    squares(&x, &y) / (squares(&x, &x) * squares(&y, &y)).sqrt()
}

/// [`cka`] of Gaussian kernels whose width is the median distance, in the space of the concepts.
pub fn cka_rbf(x: &Vectors, y: &Vectors) -> f64 {
    let centred = |vectors: &Vectors| -> Vec<Vec<f64>> {
        let distance = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
        let n = vectors.len();
        let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
        let mut distances: Vec<f64> = pairs.map(|(a, b)| distance(&vectors[a], &vectors[b])).collect();
        distances.sort_by(f64::total_cmp);
        let median = (distances[(distances.len() - 1) / 2] + distances[distances.len() / 2]) / 2.0;
        let kernel = |x: &Vec<f64>, y: &Vec<f64>| (-distance(x, y).powi(2) / (2.0 * median.powi(2))).exp();
        let kernel: Vec<Vec<f64>> = vectors.iter().map(|x| vectors.iter().map(|y| kernel(x, y)).collect()).collect();
        // H K H by its definition.
        let h = |a: usize, b: usize| f64::from(u8::from(a == b)) - 1.0 / n as f64;
        let times = |left: &dyn Fn(usize, usize) -> f64, right: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
            (0..n).map(|a| (0..n).map(|b| (0..n).map(|c| left(a, c) * right(c, b)).sum()).collect()).collect()
        };
        let half = times(&h, &|a, b| kernel[a][b]);
        times(&|a, b| half[a][b], &h)
    };
    let (k, l) = (centred(x), centred(y));
    let inner = |k: &[Vec<f64>], l: &[Vec<f64>]| k.iter().zip(l).map(|(k, l)| product(k, l)).sum::<f64>();
    inner(&k, &l) / (inner(&k, &k) * inner(&l, &l)).sqrt()
}

/// `tr(K L^T)` and the sums of Song et al. 2012, eq. 5, of matrices that need not be symmetric (as CKNNA's are not).
fn hsic(k: &[Vec<f64>], l: &[Vec<f64>]) -> f64 {
    let n = k.len();
    let m = n as f64;
    let off = |matrix: &[Vec<f64>], a: usize, b: usize| if a == b { 0.0 } else { matrix[a][b] };
    let (mut trace, mut sum_k, mut sum_l, mut mixed) = (0.0, 0.0, 0.0, 0.0);
    for a in 0..n {
        for b in 0..n {
            trace += off(k, a, b) * off(l, b, a);
            sum_k += off(k, a, b);
            sum_l += off(l, a, b);
            for c in 0..n {
                mixed += off(k, a, b) * off(l, b, c);
            }
        }
    }
    (trace + sum_k * sum_l / ((m - 1.0) * (m - 2.0)) - 2.0 * mixed / (m - 2.0)) / (m * (m - 3.0))
}

/// Debiased CKA, O(n^3).
pub fn cka_debiased(x: &Vectors, y: &Vectors) -> f64 {
    let (k, l) = (gram(x), gram(y));
    hsic(&k, &l) / (hsic(&k, &k) * hsic(&l, &l)).sqrt()
}

/// The `k` nearest neighbours of each concept: highest cosines, nearest first.
pub fn nearest(vectors: &Vectors, k: usize) -> Vec<Vec<usize>> {
    let cosines = gram(&normalised(vectors));
    let of = |a: usize| {
        let mut others: Vec<usize> = (0..cosines.len()).filter(|&b| b != a).collect();
        others.sort_by(|&b, &c| cosines[a][c].total_cmp(&cosines[a][b]));
        others.truncate(k);
        others
    };
    (0..cosines.len()).map(of).collect()
}

/// Mutual k-nearest neighbours.
pub fn mknn(x: &Vectors, y: &Vectors, k: usize) -> f64 {
    let (x, y) = (nearest(x, k), nearest(y, k));
    let common = |(x, y): (&Vec<usize>, &Vec<usize>)| x.iter().filter(|neighbour| y.contains(neighbour)).count();
    x.iter().zip(&y).map(common).sum::<usize>() as f64 / (k * x.len()) as f64
}

/// CKNNA, O(n^3).
pub fn cknna(x: &Vectors, y: &Vectors, k: usize) -> f64 {
    let similarity = |x: &Vectors, y: &Vectors| {
        let (near_x, near_y) = (nearest(x, k), nearest(y, k));
        let masked = |vectors: &Vectors| -> Vec<Vec<f64>> {
            let mut gram = gram(&normalised(vectors));
            for (a, row) in gram.iter_mut().enumerate() {
                for (b, value) in row.iter_mut().enumerate() {
                    *value *= f64::from(u8::from(near_x[a].contains(&b) && near_y[a].contains(&b)));
                }
            }
            gram
        };
        hsic(&masked(x), &masked(y))
    };
    similarity(x, y) / ((similarity(x, x) * similarity(y, y)).sqrt() + 1e-6)
}
