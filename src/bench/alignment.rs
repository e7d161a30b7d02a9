//! The measures of alignment: every pair of layers under draws. Mutual neighbours are counted on a GPU too; the others are
//! f64 on the CPU whatever the device.

use std::ops::{ControlFlow, Range};

use super::{BenchError, Row, Work, is_near, timed};
use crate::device::Selected;
use crate::error::Error;
use crate::stats::Interrupted;
use crate::stats::alignment::inner::InnerTest;
use crate::stats::alignment::neighbours::NeighbourTest;
use crate::stats::alignment::{Gram, Measure, Side, Unvaried, reference};
use crate::stats::inference::Statistic;
use crate::stats::permutation::{Permutations, Random};

/// Neighbours, as Huh et al. 2024.
const NEIGHBOURS: usize = 10;

/// Values of order 1 from sums in f64.
const TOLERANCE: f64 = 1e-9;

/// One layer against 17 at the paper's concepts and against 24 at 1,024, and 24 against 24; validated first.
///
/// # Errors
/// A value that differs from its reference, or of a GPU from the CPU's.
pub(super) fn rows(selected: &Selected) -> Result<Vec<Row>, Error> {
    validate().map_err(Error::failed)?;
    let measures: &[Measure] = match &selected.adapter {
        None => &[Measure::Cka, Measure::Mknn, Measure::Cknna],
        Some(_) => &[Measure::Mknn],
    };
    let mut rows = Vec::new();
    // A batch of inner products at 1,024 concepts has 1,024 draws.
    for (concepts, words, images, draws) in [(166, 1, 17, 1000), (1024, 1, 24, 1000), (1024, 24, 24, 128)] {
        for &measure in measures {
            rows.push(time(selected, measure, concepts, [words, images], draws)?);
        }
    }
    Ok(rows)
}

fn vectors(concepts: usize, units: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = Random::keyed(seed, 1);
    (0..concepts).map(|_| (0..units).map(|_| random.unit() + random.unit() - 1.0).collect()).collect()
}

fn gram(vectors: &[Vec<f64>]) -> Gram {
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum();
    Gram::new(vectors.len(), vectors.iter().flat_map(|x| vectors.iter().map(|y| product(x, y))).collect())
}

fn layers(concepts: usize, count: usize, seed: u64) -> Vec<Gram> {
    (0..count as u64).map(|layer| gram(&vectors(concepts, 64, seed + layer))).collect()
}

fn sides(grams: &[Gram]) -> Vec<Side<'_>> {
    grams.iter().map(|gram| Side { rsms: &[], grams: std::slice::from_ref(gram) }).collect()
}

/// A measure's points under some draws.
type Points<'a> = Box<dyn Fn(Range<u64>) -> Result<Vec<Vec<i64>>, Error> + 'a>;

/// Mutual neighbours on a GPU, their first draws held against the CPU's.
fn on_gpu<'a>(
    selected: &Selected,
    words: &[Side],
    images: &[Side],
    draws: &'a Permutations,
) -> Result<Points<'a>, Error> {
    let test = || NeighbourTest::new(Measure::Mknn, NEIGHBOURS, words, images, draws).expect("random layers vary");
    let on_device = test().on(&selected.device).ok().expect("a GPU that binds bits of a thousand concepts");
    if on_device.points(0..3, &go_on)? != test().points(0..3, &go_on)? {
        let difference = "it counts other neighbours".to_string();
        return Err(Error::failed(BenchError { what: Measure::Mknn.name(), device: "gpu", difference }));
    }
    Ok(Box::new(move |range| Ok(on_device.points(range, &go_on)?)))
}

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A measure, ready for draws.
fn test<'a>(
    measure: Measure,
    words: &[Side],
    images: &[Side],
    draws: &'a Permutations,
) -> Result<Box<dyn Statistic<Error = Interrupted> + 'a>, Unvaried> {
    Ok(if InnerTest::takes(measure) {
        Box::new(InnerTest::new(measure, words, images, draws)?)
    } else {
        Box::new(NeighbourTest::new(measure, NEIGHBOURS, words, images, draws)?)
    })
}

fn time(
    selected: &Selected,
    measure: Measure,
    concepts: usize,
    [words, images]: [usize; 2],
    draws: u64,
) -> Result<Row, Error> {
    let permutations = Permutations::new(2018, concepts);
    let grams = [layers(concepts, words, 1), layers(concepts, images, 1000)];
    let [of_words, of_images] = [sides(&grams[0]), sides(&grams[1])];
    let points: Points = match &selected.adapter {
        Some(_) => on_gpu(selected, &of_words, &of_images, &permutations)?,
        None => {
            let test = test(measure, &of_words, &of_images, &permutations).expect("random layers vary");
            Box::new(move |range| Ok(test.points(range, &go_on)?))
        }
    };
    let pairs = (words * images) as f64 * draws as f64;
    // Multiply-adds of the inner product; of neighbours the look-ups.
    let operations = match measure {
        Measure::Cka => pairs * (concepts * (concepts + 1)) as f64,
        _ => (words * concepts * NEIGHBOURS) as f64 * draws as f64,
    };
    let work = Work {
        task: measure.to_string(),
        case: format!("k {concepts}, {words} x {images} layers, {draws} draws"),
        count: pairs,
        unit: "layer-permutations",
        operations,
        bytes: (8 * concepts * concepts * (words + images)) as f64,
    };
    timed(selected, work, || {
        points(1..draws + 1)?;
        Ok(())
    })
}

fn validate() -> Result<(), BenchError> {
    let (concepts, draws) = (65, Permutations::new(1, 65));
    let (x, y) = (vectors(concepts, 20, 1), vectors(concepts, 30, 2));
    let drawn: Vec<Vec<f64>> = draws.draw(1).iter().map(|&concept| x[concept as usize].clone()).collect();
    let by_definition = [
        (Measure::Cka, reference::cka(&drawn, &y)),
        (Measure::CkaDebiased, reference::cka_debiased(&drawn, &y)),
        (Measure::Mknn, reference::mknn(&drawn, &y, NEIGHBOURS)),
        (Measure::Cknna, reference::cknna(&drawn, &y, NEIGHBOURS)),
    ];
    for (measure, expected) in by_definition {
        let grams = [[gram(&x)], [gram(&y)]];
        let test = test(measure, &sides(&grams[0]), &sides(&grams[1]), &draws).expect("random layers vary");
        let points = test.points(1..2, &go_on).expect("nothing stops it");
        let found = points[0][0] as f64 / test.whole() as f64;
        if !is_near(found, expected, TOLERANCE) {
            let difference = format!("{found}, expected {expected}");
            return Err(BenchError { what: measure.name(), device: "cpu", difference });
        }
    }
    Ok(())
}
