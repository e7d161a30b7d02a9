//! The page of a sweep: all networks, each with the way to its own page.

use std::path::{Path, PathBuf};

use super::tables::{accuracy_cells, accuracy_text};
use super::{drawings, fill, head, note, provenance, save};
use crate::record::RunRecord;
use crate::report::best::ranked;
use crate::report::canvas::escape;
use crate::report::curves::SIGNIFICANT;
use crate::report::inference;
use crate::report::material::Said;
use crate::report::networks::Names;
use crate::report::{Best, Drawing, OfNetworks, ReportError};
use crate::results::{NetworkRow, ResultsDir, figure_name};
use crate::wording::{counted, grouped};

/// Writes `report.html` of a sweep; returns its path.
///
/// # Errors
/// It cannot be written.
pub fn write(of: &OfNetworks, figures: &[Drawing], directory: &Path) -> Result<PathBuf, ReportError> {
    let records = records(of, directory)?;
    save(&ResultsDir::new(directory), &page(of, figures, &records))
}

/// The labels of the networks, with the records of those whose folders lie in the sweep's.
fn records<'a>(of: &OfNetworks<'a>, directory: &Path) -> Result<Vec<(&'a str, RunRecord)>, ReportError> {
    let mut records = Vec::new();
    for label in of.labels() {
        let record = RunRecord::read(&ResultsDir::new(directory.join(figure_name(label))))?;
        records.extend(record.map(|record| (label, record.without_folders())));
    }
    Ok(records)
}

/// What made the networks' results: what all share once, then what each has of its own.
fn provenance(of: &OfNetworks, records: &[(&str, RunRecord)], names: &Names) -> String {
    let changed = of.changed.map(|said| ("Warning", said.to_string()));
    let Some((_, first)) = records.first() else {
        return provenance::facts([("semgpu", of.semgpu.to_string())].into_iter().chain(changed).collect());
    };
    let mut facts = provenance::origin(&first.semgpu, &first.origin);
    facts.extend(changed);
    facts.push(("Device", first.device.name.clone()));
    facts.push(("CPU threads", first.threads.to_string()));
    let duration = records.iter().map(|(_, record)| record.seconds.total).sum::<f64>();
    facts.push(("Duration of all", format!("{duration:.0} s")));
    facts.extend(first.run().into_iter().flat_map(provenance::images_and_words));
    for (label, record) in records {
        let seed = || format!("random, seed {}", record.seed());
        let weights = record.run().map(|run| run.checksums.weights.clone().unwrap_or_else(seed));
        facts.extend(weights.map(|weights| ("Weights, SHA-256", format!("{weights} ({})", called(names, label)))));
        let warnings = record.warnings.iter();
        facts.extend(warnings.map(|warning| ("Warning", format!("{}: {warning}", called(names, label)))));
    }
    provenance::facts(facts)
}

/// What several networks have in common.
const SAME: &str =
    "All networks saw the same images, cut to the size that each expects, and were compared with the same words. ";
/// What p the best of several layers needs, and the best of several networks.
const CHOSEN: [&str; 2] = [
    "a layer that was chosen as the best of its network needs a family-wise p",
    "a network that was chosen as the best of all needs one over all networks (inference.family = \"networks\")",
];

fn page(of: &OfNetworks, figures: &[Drawing], records: &[(&str, RunRecord)]) -> String {
    let networks = of.labels().len();
    let title = counted(networks, "network");
    let names = of.names();
    let tested = of.rows.iter().any(|row| row.permutations > 0);
    fill(include_str!("networks.html"), |part| match part {
        "head" => head(&title, &title, &summary(of, &names), false),
        "note" => of.note.map_or_else(String::new, note),
        "figures" => figures.iter().map(drawings::inline).collect(),
        "tables" => of.models().into_iter().map(|words| table(of, words, &names)).collect(),
        // Of one network.
        "all" | "same" if networks == 1 => String::new(),
        "order" if networks == 1 => "A name".to_string(),
        "all" => " of all networks".to_string(),
        "order" => "The best first; a name".to_string(),
        "same" => SAME.to_string(),
        "bold" if tested => format!(" Bold: p below {SIGNIFICANT}, {}.", of.covers()),
        "bold" => String::new(),
        "inference" => inferred(of, tested, networks),
        "provenance" => provenance(of, records, &names),
        unknown => unreachable!("networks.html has no part {unknown}"),
    })
}

/// What p-values are of.
fn inferred(of: &OfNetworks, tested: bool, networks: usize) -> String {
    if !tested {
        return inference::NOT_MADE.to_string() + "the accuracies have no p-values.";
    }
    let (is_chosen, what) =
        if one_layer(of.networks) { (false, "p-values") } else { (true, "p-values of a best layer") };
    let by = if networks == 1 { "" } else { "All were tested by the same permutations. " };
    let chosen = CHOSEN.into_iter().zip([is_chosen, networks > 1]).filter(|(_, is_said)| *is_said);
    let chosen = chosen.map(|(said, _)| said).collect::<Vec<_>>().join(", ");
    let before = if chosen.is_empty() { "" } else { ": " };
    format!("{by}{what} are {}{before}{chosen}.", of.covers())
}

/// Whether no network has a layer that was chosen.
fn one_layer(rows: &[NetworkRow]) -> bool {
    rows.iter().all(|row| row.layers == 1)
}

fn summary(of: &OfNetworks, names: &Names) -> String {
    let Some(row) = of.networks.first() else { return String::new() };
    let mut text = format!(
        "<p>{} concepts, {}{}.</p>\n",
        grouped(row.concepts),
        Said::RUN.groups(row.groups),
        inference::permutations(Some(of.null), of.rows.iter().map(|row| row.permutations))
            .map_or_else(String::new, |said| format!(", {said}"))
    );
    for words in of.models() {
        let rows = of.networks.iter().filter(|row| row.words == words);
        let Some(best) = Best::of(rows, Some(of.null)) else { continue };
        let chance = best.by_chance();
        text += &format!(
            "<p><strong>{}</strong>{} in {} at {}: {:.3}{chance}.</p>\n",
            escape(words),
            best.chosen(" ", "", ""),
            escape(called(names, &best.row.network)),
            escape(&best.row.best_layer),
            best.row.best_accuracy
        );
    }
    text
}

fn called<'a>(names: &'a Names, label: &'a str) -> &'a str {
    names.get(label).map_or(label, String::as_str)
}

/// The networks by their best layer.
fn table(of: &OfNetworks, words: &str, names: &Names) -> String {
    let rows = ranked(of.networks.iter().filter(|row| row.words == words), Some(of.null)).rows;
    let columns: fn(&NetworkRow) -> String = if one_layer(of.networks) { of_one_layer } else { of_layers };
    let heads: &[&str] = match one_layer(of.networks) {
        true => &["Layer", "accuracy", "p, family-wise"],
        false => &[
            "Layers",
            "First layer",
            "accuracy",
            "Best layer",
            "accuracy",
            "p, family-wise",
            "Last layer",
            "accuracy",
            "p, family-wise",
        ],
    };
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let line = |row: &NetworkRow| {
        let (folder, name) = (figure_name(&row.network), escape(called(names, &row.network)));
        let name = format!("<th scope=\"row\"><a href=\"{folder}/report.html\">{name}</a></th>");
        format!("<tr>{name}{}</tr>\n", columns(row))
    };
    let body: String = rows.into_iter().map(line).collect();
    format!(
        "<h3>{words}</h3>\n<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Networks, {words}\"><table>\n\
         <thead><tr><th scope=\"col\">Network</th>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n",
        words = escape(words)
    )
}

fn of_layers(row: &NetworkRow) -> String {
    let first = [row.layers.to_string(), escape(&row.first_layer), accuracy_text(row.first_accuracy)];
    let first = first.map(|text| format!("<td>{text}</td>")).concat();
    first + &of_one_layer(row) + &of_layer(&row.last_layer, row.last_accuracy, row.permutations, row.last_p_fwer)
}

/// Which is its best one.
fn of_one_layer(row: &NetworkRow) -> String {
    of_layer(&row.best_layer, row.best_accuracy, row.permutations, row.best_p_fwer)
}

fn of_layer(layer: &str, accuracy: f64, permutations: u64, p: f64) -> String {
    format!("<td>{}</td>{}", escape(layer), accuracy_cells(accuracy, permutations, p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{InferenceOptions, TestOptions};
    use crate::report::Null;
    use crate::report::networks::tests::{row, table};

    #[test]
    fn the_page_leads_to_every_network_the_best_first() {
        let (rows, networks) = (table(2), [row("vgg16", 0.7), row("a <b>", 0.8)]);
        let of = OfNetworks {
            rows: &rows,
            networks: &networks,
            directory: Path::new("nowhere"),
            null: Null::new(&TestOptions::default(), InferenceOptions::default()),
            note: Some("drawings & photographs"),
            changed: Some("accuracy.csv: not as semgpu wrote it"),
            semgpu: "0.1.0",
        };
        let page_of = |of: &OfNetworks| page(of, &of.drawings(), &[]);
        let page = page_of(&of);
        assert!(page.contains("best in a &lt;b&gt; at b: 0.800") && page.contains("drawings &amp; photographs"));
        assert!(page.contains("accuracy.csv: not as semgpu wrote it"));
        let alone = OfNetworks { rows: &rows[..3], networks: &networks[..1], ..of };
        let alone = super::page(&alone, &alone.drawings(), &[]);
        assert!(alone.contains("<strong>GloVe</strong> in VGG16 at b: 0.700"), "{alone}");
        for said in ["The best first", "All networks", "all networks", "best of all"] {
            assert!(page.contains(said) && !alone.contains(said), "{said}");
        }
        assert!(
            alone.contains("p-values of a best layer are family-wise over layers: a layer that")
                && !alone.contains("not across")
        );
        let single = NetworkRow { layers: 1, ..networks[0].clone() };
        let single = super::page(&OfNetworks { rows: &rows[..1], networks: &[single], ..of }, &[], &[]);
        let heads = "<th scope=\"col\">Network</th><th scope=\"col\">Layer</th><th scope=\"col\">accuracy</th>";
        assert!(single.contains(heads) && single.contains("p-values are family-wise over layers.\n"), "{single}");
        assert!(page.contains(
            "<td>b</td><td class=\"significant\">0.700</td><td>0.0400</td><td>c</td><td>0.500</td><td>0.9000</td></tr>"
        ));
        let place = |text: &str| page.find(text).expect(text);
        assert!(place("href=\"a__b_/report.html\"") < place("href=\"vgg16/report.html\">VGG16</a>"));
        assert!(page.contains("<svg role=\"img\"") && !page.contains("{{"));
        let covers = "family-wise over the layers of each network, not across networks";
        assert!(page.contains(&format!(" Bold: p below 0.05, {covers}.</p>")));
        assert!(page.contains(&format!("by the same permutations. p-values of a best layer are {covers}: a layer")));
        // Nothing is drawn.
        let (mut untested, mut networks_untested) = (rows.clone(), networks.clone());
        untested.iter_mut().for_each(|row| row.permutations = 0);
        networks_untested.iter_mut().for_each(|row| row.permutations = 0);
        let plain = page_of(&OfNetworks { rows: &untested, networks: &networks_untested, ..of });
        assert!(plain.contains("same words. No permutation test was made: the accuracies have no p-values.\nRelative"));
        assert!(!plain.contains("Bold") && !plain.contains("same permutations") && !plain.contains("family-wise over"));
        // Where chance differs, by the distance from it.
        let moved = [NetworkRow { best_null_mean: Some(0.3), ..networks[0].clone() }, networks[1].clone()];
        let moved = OfNetworks { networks: &moved, ..of };
        let said = summary(&moved, &moved.names());
        assert!(said.contains("best (against its own chance) in VGG16 at b: 0.700 (chance 0.300, 8.0 s.d. above it)"));
        assert!(page.contains("<section id=\"provenance\"") && page.contains("<dt>semgpu</dt><dd>0.1.0</dd>"));
    }
}
