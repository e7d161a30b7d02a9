use super::*;

/// Eight concepts of classes 10 to 17 in two groups.
fn manifest() -> Manifest {
    let stimulus = |group: usize, concept: usize| Stimulus {
        path: format!("data/images/{group}_{concept}.png").into(),
        class_index: Some(10 + concept as u32),
    };
    Manifest {
        concepts: (0..8).map(|concept| format!("word{concept}")).collect(),
        groups: vec!["1".into(), "2".into()],
        categories: None,
        stimuli: (0..2).map(|group| (0..8).map(|concept| stimulus(group, concept)).collect()).collect(),
    }
}

fn right() -> Predictions {
    vec![(10..18).collect(); 2]
}

#[test]
fn answers_are_sorted_into_correct_ones_and_mistakes() {
    let manifest = manifest();
    let mut predictions = right();
    predictions[0][0] = 17;
    // No word stands for class 900.
    predictions[1][3] = 900;
    let lexicon = Lexicon::of_manifest(&manifest, &Classes::imagenet());
    let (groups, warnings) = answers(&manifest, &predictions, &lexicon, Columns::Others);
    assert_eq!(groups[0].correct, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(groups[0].mistakes, [Mistake { image: 0, truth: 0, predicted: 7 }]);
    assert_eq!((groups[1].correct.len(), groups[1].mistakes.len()), (7, 0));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("1 of 2 misclassified images"), "{warnings:?}");
    assert_eq!(top_1(&manifest, &predictions), Some(14.0 / 16.0));
    let rows = prediction_rows("net", &manifest, Path::new("data"), &predictions, &lexicon);
    assert_eq!((rows[0].path.as_str(), rows[0].predicted.as_deref()), ("images/0_0.png", Some("word7")));
    assert_eq!((rows[11].predicted_index, &rows[11].predicted, rows[11].correct), (900, &None, Some(false)));
    assert_eq!(rows[11].predicted_class, "water tower");
}

#[test]
fn ctrl_c_ends_the_test() {
    let manifest = manifest();
    let mut predictions = right();
    predictions[0][0] = 17;
    let lexicon = Lexicon::of_manifest(&manifest, &Classes::imagenet());
    let rsm = || Rsm::new(8, (0..64).map(|at| if at % 9 == 0 { 1.0 } else { (at % 7) as f64 / 10.0 }).collect());
    let (draws, ties) = (Permutations::new(1, 8), Ties::Lost);
    let rule = Rule { permutations: 9, ..Rule::default() };
    let test = OneVsTwo { rsms: vec![rsm()], draws, rule, columns: Columns::Paper, ties };
    let models = [Words { name: "GloVe".into(), dimensions: 2, rsm: rsm(), scales: None }];
    let (groups, concepts) = (manifest.groups.clone(), manifest.concepts.clone());
    let space = Space { network: "net".into(), layers: vec![], groups, concepts };
    let (progress, answers) = (Progress::silent(), (&predictions, &lexicon));
    let run = || one_vs_two(&space, &models, (&manifest, Path::new("")), answers, &test, &Draws::default(), &progress);
    assert!(run().is_ok());
    progress.interrupt.stop();
    assert!(matches!(run(), Err(Error::Interrupted)));
}

#[test]
fn too_few_correct_images_or_no_mistakes_leave_nothing_and_say_so() {
    let manifest = manifest();
    let lexicon = Lexicon::of_manifest(&manifest, &Classes::imagenet());
    let (groups, warnings) = answers(&manifest, &right(), &lexicon, Columns::Others);
    assert!(groups.iter().all(|group| group.mistakes.is_empty()));
    assert!(warnings.iter().any(|w| w.contains("nothing to test")), "{warnings:?}");
    // Four right in the first group.
    let mut predictions = right();
    (0..4).for_each(|concept| predictions[0][concept] = 17);
    let (groups, warnings) = answers(&manifest, &predictions, &lexicon, Columns::Others);
    assert!(groups[0].mistakes.is_empty());
    assert!(warnings[0].contains("group 1") && warnings[0].contains("needs 5"), "{warnings:?}");
    // Five, the predicted class's own among them: enough of all columns, too few of the others.
    let mut predictions = right();
    (0..3).for_each(|concept| predictions[0][concept] = if concept == 0 { 17 } else { 900 });
    let (groups, warnings) = answers(&manifest, &predictions, &lexicon, Columns::Others);
    assert!(groups[0].mistakes.is_empty());
    let found = &warnings[1];
    assert!(found.starts_with("1 vs. 2: group 1: left out: 1 misclassified image: "), "{warnings:?}");
    assert!(found.contains("beside that of the predicted class") && found.ends_with("has 5 in all"), "{warnings:?}");
    let (groups, warnings) = answers(&manifest, &predictions, &lexicon, Columns::Paper);
    assert_eq!((groups[0].mistakes.len(), warnings.len()), (1, 1), "{warnings:?}");
}

#[test]
fn images_without_a_class_do_not_take_part() {
    let mut manifest = manifest();
    manifest.stimuli[0][2].class_index = None;
    let (groups, warnings) =
        answers(&manifest, &right(), &Lexicon::of_manifest(&manifest, &Classes::imagenet()), Columns::Others);
    assert!(!groups[0].correct.contains(&2));
    assert!(warnings[0].contains("left out: 1 image without a class_index"), "{warnings:?}");
    manifest.stimuli.iter_mut().flatten().for_each(|stimulus| stimulus.class_index = None);
    assert_eq!(top_1(&manifest, &right()), None);
}
