mod written;

use std::path::Path;

use super::{Decimal, Told};
use crate::arrays;

/// The names of the rows of a table of text, its shape and its values.
type Table = (Vec<String>, Vec<usize>, Vec<f64>);

fn table(text: &str, told: &Told) -> Result<Table, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.csv");
    std::fs::write(&path, text).unwrap();
    let array = arrays::open(&path, None, told).map_err(|error| error.to_string())?;
    let rows = array.labels().rows.first().cloned().unwrap_or_default();
    Ok((rows, array.shape().to_vec(), array.values().unwrap()))
}

#[test]
fn what_numbers_or_names_rows_and_columns_is_no_data() {
    const VALUES: [f64; 12] = [1.5, -0.25, 3.5, 0.5, 2.5, 1.25, 0.125, 9.5, -4.5, 7.5, 6.5, 5.5];
    let rows = || VALUES.chunks(3).map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    let with = |header: &str, names: [&str; 4]| {
        let rows: Vec<String> = names.iter().zip(rows()).map(|(name, row)| format!("{name}{row}\n")).collect();
        format!("{header}{}", rows.concat())
    };
    let (none, counted) = ([""; 4], ["0,", "1,", "2,", "3,"]);
    let named = ["cat,", "dog,", "mole,", "newt,"];
    for (text, names) in [
        (with("", none), ""),
        (with("\u{feff}", none), ""),
        (with("u,v,w\n", none), ""),
        (with("0,1,2\n", none), ""),
        (with("1,2,3\n", none), ""),
        (with(",0,1,2\n", counted), ""),
        (with("\u{feff},0,1,2\n", counted), ""),
        (with("", counted), ""),
        (with("image,u,v,w\n", counted), ""),
        (with("u,v,w\n", counted), ""),
        (with(",Unnamed: 0,u,v,w\n", ["0,0,", "1,1,", "2,2,", "3,3,"]), ""),
        (with(",0,1,2\n", named), "cat dog mole newt"),
        (with("", named), "cat dog mole newt"),
        (with("concept,u,v,w\n", named), "cat dog mole newt"),
        (with("concept,0,1,2\n", named), "cat dog mole newt"),
        (with(",concept,u,v,w\n", ["0,cat,", "1,dog,", "2,mole,", "3,newt,"]), "cat dog mole newt"),
        (with("kind,concept,u,v,w\n", ["a,cat,", "a,dog,", "b,mole,", "b,newt,"]), "cat dog mole newt"),
        (with("kind,,u,v,w\n", ["a,0,", "a,1,", "b,0,", "b,1,"]), "a 0,a 1,b 0,b 1"),
        (with("id,u,v,w\n", ["17,", "3,", "9,", "4,"]), "17 3 9 4"),
        (with("\n# by hand\n\n", none), ""),
    ] {
        let (found, shape, values) = table(&text, &Told::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let names: Vec<&str> =
            names.split(if names.contains(',') { ',' } else { ' ' }).filter(|n| !n.is_empty()).collect();
        assert_eq!(
            (found, shape, values),
            (names.iter().map(|n| n.to_string()).collect(), vec![4, 3], VALUES.to_vec()),
            "{text}"
        );
    }
    let last: String = rows().zip(named).map(|(row, name)| format!("{row},{}\n", name.trim_matches(','))).collect();
    assert_eq!(table(&format!("u,v,w,label\n{last}"), &Told::default()).unwrap().0, ["cat", "dog", "mole", "newt"]);
}

#[test]
fn a_line_or_column_that_may_be_data_is_asked_for() {
    let told = |header, index| Told { header, index, ..Told::default() };
    let ask = |text: &str, expected: &str| {
        let asked = table(text, &Told::default()).unwrap_err();
        assert!(asked.contains(expected), "{asked}");
    };
    // Identities of voxels, times, identities of images, two levels of columns.
    let ids = "12,7,9\n0.5,1.5,2.5\n1.5,0.25,3.5\n";
    ask(ids, "add --header yes or --header no");
    assert_eq!(table(ids, &told(Some(1), None)).unwrap().1, [2, 3]);
    assert_eq!(table(ids, &told(Some(0), None)).unwrap().1, [3, 3]);
    ask("0.0,0.25,0.5\n0.5,1.5,2.5\n1.5,0.75,3.5\n", "add --header yes");
    let images = "u,v,w\n12,0.5,1.5\n7,2.5,1.5\n9,0.25,3.5\n";
    ask(images, "add --index yes or --index no");
    assert_eq!(table(images, &told(None, Some(1))).unwrap().1, [3, 2]);
    assert_eq!(table(images, &told(None, Some(0))).unwrap().1, [3, 3]);
    let levels = "V1,V1,IT\n0,1,0\n0.5,1.5,2.5\n1.5,0.75,3.5\n";
    ask(levels, "add --header 2 or --header 1");
    assert_eq!(table(levels, &told(Some(2), None)).unwrap().1, [2, 3]);
    ask("0,1\n1,0\n", "--header yes");
}

#[test]
fn numbers_are_read_by_the_decimal_sign_that_the_table_shows() {
    let values = |text: &str| table(text, &Told::default()).map(|(_, _, values)| values);
    assert_eq!(values("\"1,5\",\"-0,25\"\n\"2,5\",\"3,5\"\n").unwrap(), [1.5, -0.25, 2.5, 3.5]);
    assert_eq!(values("1,5;-0,25\n2,5;1.003,5\n").unwrap(), [1.5, -0.25, 2.5, 1003.5]);
    assert_eq!(values("\"1,234.5\",\"2.5\"\n\"12,000\",\"3.5\"\n").unwrap(), [1234.5, 2.5, 12000.0, 3.5]);
    assert_eq!(values("sep=;\n1,5;2,5\n3,5;4,75\n").unwrap(), [1.5, 2.5, 3.5, 4.75]);
    let asked = values("\"1,234\",\"2,345\"\n\"3,456\",\"4,567\"\n").unwrap_err();
    assert!(asked.contains("--decimal point") && asked.contains("--decimal comma"), "{asked}");
    let comma = Told { decimal: Some(Decimal::Comma), ..Told::default() };
    assert_eq!(table("\"1,234\",\"2,345\"\n\"3,456\",\"4,567\"\n", &comma).unwrap().2[0], 1.234);
}

#[test]
fn a_row_without_values_is_a_row_between_others() {
    let of = |text: &str| table(text, &Told::default()).unwrap();
    for text in ["1.5,2.5\n,\n3.5,4.5\n", "u,v\n1.5,2.5\n\n,\n3.5,4.5\n,\n,\n"] {
        let (_, shape, values) = of(text);
        assert_eq!(shape, [3, 2], "{text}");
        assert!(values[2].is_nan() && values[3].is_nan() && values[4] == 3.5, "{text}");
    }
    // Before the first, but above the names of columns; behind the last it is what a spreadsheet leaves.
    for text in [",\n1.5,2.5\n3.5,4.5\n", "\n,\n,\n1.5,2.5\n", ",\n1,7\n4,2\n,\n"] {
        let (_, shape, values) = of(text);
        assert_eq!((shape[0], values[0].is_nan()), (3, true), "{text}");
    }
    assert_eq!(of(",\nu,v\n1.5,2.5\n3.5,4.5\n").1, [2, 2]);
    // Between rows that have names it is none.
    let (names, shape, _) = of("concept,u,v\n,,\ncat,1.5,2.5\n,,\ndog,3.5,4.5\n");
    assert_eq!((names, shape), (vec!["cat".to_string(), "dog".to_string()], vec![2, 2]));
}

#[test]
fn what_may_name_rows_or_columns_among_whole_numbers_is_asked() {
    let refused = |text: &str| table(text, &Told::default()).unwrap_err();
    // The second level of two of numbers.
    assert!(refused(",0,0,1\n,0,1,0\ncat,1.5,2.5,3.5\ndog,0.5,4.5,5.5\n").contains("--header 2 or --header 1"));
    let rows = [[4, 9, 3], [0, 7, 7], [3, 9, 1], [1, 4, 4], [2, 6, 9]];
    let lines = |rows: &[[i32; 3]]| rows.iter().map(|[a, b, c]| format!("{a},{b},{c}\n")).collect::<String>();
    let first = table("concept,u,v\n,1.5,2.75\ndog,3.5,1.5\nowl,0.5,2\n", &Told::default()).unwrap();
    assert_eq!(first.1, [3, 2], "a name that is missing");
    let index = refused(&format!("concept,u,v\n{}", lines(&rows)));
    assert!(index.contains("--index yes or --index no"), "{index}");
    for (columns, units) in [(1, 2), (0, 3)] {
        let told = Told { index: Some(columns), ..Told::default() };
        assert_eq!(table(&format!("concept,u,v\n{}", lines(&rows)), &told).unwrap().1, [5, units]);
    }
    let header = refused("concept,1,2,3,0,4\ncat,3,3,9,8,1\ndog,5,3,9,1,1\n");
    assert!(header.contains("--header yes or --header no"), "{header}");
    // Ranks are data.
    let ranks = [[4, 0, 3], [0, 1, 2], [3, 2, 4], [1, 4, 0], [2, 3, 1]];
    assert_eq!(table(&format!("u,v,w\n{}", lines(&ranks)), &Told::default()).unwrap().1, [5, 3]);
}

#[test]
fn no_sign_is_a_separator_that_leaves_another_between_numbers() {
    let refused = |text: &str| table(text, &Told::default()).unwrap_err();
    // Three decimals everywhere, or thousands: cut at its commas it would be rows called "577;7".
    let three = "8,577;7,737;6,952\n2,125;3,250;4,375\n9,500;1,625;5,750\n";
    for text in [
        three,
        &three.replace(';', "\t"),
        &three.replace(';', "; "),
        &three.replace(';', " "),
        &format!("cat;{}", three.replace('\n', "\ndog;").trim_end_matches("dog;")),
    ] {
        let asked = refused(text);
        assert!(asked.contains("--decimal comma"), "{text}: {asked}");
    }
    let told = |decimal| Told { decimal: Some(decimal), ..Told::default() };
    let (point, comma) = (table(three, &told(Decimal::Point)).unwrap(), table(three, &told(Decimal::Comma)).unwrap());
    assert_eq!((point.2[0], &point.1), (8577.0, &vec![3, 3]));
    assert_eq!((comma.2[0], &comma.1), (8.577, &vec![3, 3]));
    // Other cells between them, the semicolon declared away, and separators that a blank follows.
    assert!(refused("8,577;NA;7,737\n2,125;NA;3,250\n").contains("--decimal comma"));
    assert!(refused("8,577;x;7,737\n2,125;y;3,250\n").contains("--decimal comma"));
    assert!(refused("sep=,\n8,577;7,737\n2,125;3,250\n").contains("\"577;7\" between commas"));
    assert!(refused("12, 7, 9\n0.5, 1.5, 2.5\n1.5, 0.25, 3.5\n").contains("add --header yes or --header no"));
    for text in [
        "1.5;2.5 3.5 4.5\n5.5;6.5 7.5 8.5\n",
        "cat,1.5 2.5 3.5\ndog,4.5 5.5 6.5\n",
        "cat:1.5 2.5 3.5\ndog:4.5 5.5 6.5\n",
        "cat;1.5,2.5,3.5\ndog;4.5,5.5,6.5\n",
        "cat\t1.5,2.5,3.5\ndog\t4.5,5.5,6.5\n",
        "cat;1,5 2,5 3,5\ndog;4,5 5,5 6,5\n",
    ] {
        refused(text);
    }
    assert!(refused("cat;1.5 2.5 3.5\ndog;4.5 5.5 6.5\n").contains("\"cat;1.5\" between blanks, expected one number"));
    // Names of whole numbers, and one column that is said to name the rows.
    let name = |text: &str, told: &Told| table(text, told).unwrap().0[0].clone();
    assert_eq!(name("2012 03\t1.5\t2.5\n2012 04\t0.5\t3.5\n", &Told::default()), "2012 03");
    assert_eq!(name("7 3;1,5;2,5\n2 9;0,5;3,5\n", &Told::default()), "7 3");
    let index = Told { index: Some(1), ..Told::default() };
    assert_eq!(name("run trial\tu1\tu2\n7 3\t0.5\t1.5\n2 9\t2.5\t0.75\n", &index), "7 3");
    assert_eq!(name("1.5;2\t0.5\t1.5\n2.5;9\t2.5\t0.75\n", &index), "1.5;2");
    assert_eq!(name("\"12 7\",1.5,2.5\n\"3 4\",0.5,3.5\n", &Told::default()), "12 7");
    assert_eq!(name("month;unit 1;unit 2\n\"1.5 03\";1,5;2,5\n\"2.5 04\";0,5;3,5\n", &Told::default()), "1.5 03");
    // Commas for both.
    let both = refused("3,045,2,5\n1,25,0,75\n");
    assert!(both.contains("line 1: \"045\" between commas") && both.contains("semicolons"), "{both}");
    assert_eq!(table("007,1.5,2.5\n009,0.5,3.5\n", &index).unwrap().0, ["007", "009"]);
    let counted = table("0,1.5,0.25\n1,0.5,3.5\n2,2.5,9.5\n", &index).unwrap();
    assert_eq!((counted.1, counted.2[0]), (vec![3, 2], 1.5), "a number of the index begins a row");
    // Names in quotes, and those of columns, may hold what they like.
    let quoted = table("\"12;7\",1.5,2.5\n\"3;4\",0.5,3.5\n", &Told::default()).unwrap();
    assert_eq!((quoted.0, quoted.1), (vec!["12;7".to_string(), "3;4".to_string()], vec![2, 2]));
    assert_eq!(table("1;2,3;4\n1.5,2.5\n0.5,3.5\n", &Told::default()).unwrap().1, [2, 2]);
    assert_eq!(table("a;b,u\n1,234\n5,678\n9,123\n", &Told::default()).unwrap().1, [3, 2]);
}

#[test]
fn what_python_prints_is_no_table() {
    for text in ["[[-1.5 -2.5]\n [-3.5 -4.5]]\n", "[[1.5, 2.5],\n [3.5, 4.5]]\n", "[ 1.5  2.5\n  3.5  4.5]\n"] {
        assert!(table(text, &Told::default()).unwrap_err().contains("as Python prints an array"), "{text}");
    }
    let scaled = "   1.0e+03 *\n\n    1.5    2.5    0.5\n    0.5    1.5    0.25\n";
    assert!(table(scaled, &Told::default()).unwrap_err().contains("as MATLAB prints a matrix"));
    // R's names of rows, and a token of a vocabulary.
    let rows = |text: &str| table(text, &Told::default()).unwrap().0;
    assert_eq!(rows("[1,] 1.5 2.5\n[2,] 3.5 4.5\n"), ["[1,]", "[2,]"]);
    assert_eq!(rows("[CLS]\t1.5\t2.5\n[PAD]\t3.5\t4.5\n"), ["[CLS]", "[PAD]"]);
}

#[test]
fn what_is_told_of_tables_beside_none_is_doubted() {
    let told = Told { header: Some(1), decimal: Some(Decimal::Comma), ..Told::default() };
    let doubt = |told: &Told, files: &[&str]| told.doubt(files.iter().map(Path::new));
    assert!(
        doubt(&told, &["a.npy", "b.h5"])
            .unwrap()
            .starts_with("--header, --decimal: no effect: of tables of text (.csv,")
    );
    assert_eq!(doubt(&told, &["a.npy", "b.TSV"]).or(doubt(&Told::default(), &["a.npy"])), None);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(told.doubt([folder.path()]), None);
}

#[test]
fn lines_are_counted_however_they_end() {
    for ending in ["\n", "\r\n"] {
        let lines = |lines: &[&str]| lines.iter().map(|line| format!("{line}{ending}")).collect::<String>();
        // Two whole numbers with a sign between them are a name only in quotes.
        let named = lines(&["\"12;7\",0.1,0.7", "", "\"13;7\",0.9,0.4", "\"14;7\",0.3,0.6"]);
        let (names, shape, values) = table(&named, &Told::default()).unwrap();
        assert_eq!((names.join(" "), shape), ("12;7 13;7 14;7".to_string(), vec![3, 2]));
        assert_eq!(values, [0.1, 0.7, 0.9, 0.4, 0.3, 0.6]);
        let quoted_elsewhere = lines(&["\"12;7\",0.9,0.2", "12;7,0.3,0.4"]);
        assert!(table(&quoted_elsewhere, &Told::default()).unwrap_err().contains("line 2: \"12;7\" between commas"));
        for (before, line) in [(&[][..], 2), (&["# by hand"], 3), (&["# by hand", ""], 4)] {
            let text = lines(&[before, &["0.5,1.5", "2.5,x", "3.5,4.5"]].concat());
            let error = table(&text, &Told { header: Some(0), index: Some(0), ..Told::default() }).unwrap_err();
            assert!(error.contains(&format!("line {line}: \"x\"")), "{text:?}: {error}");
        }
        let text = lines(&["0.5,1.5", "", "", "2.5,x"]);
        let error = table(&text, &Told { header: Some(0), index: Some(0), ..Told::default() }).unwrap_err();
        assert!(error.contains("line 4: \"x\""), "{text:?}: {error}");
    }
}

#[test]
fn what_pandas_writes_above_numbers_is_told_from_rows() {
    let read = |text: &str, header| table(text, &Told { header, ..Told::default() });
    let found = |text: &str, header| {
        let (names, shape, _) = read(text, header).unwrap_or_else(|error| panic!("{text}: {error}"));
        (names.join(" "), shape)
    };
    let expected = |names: &str, shape: [usize; 2]| (names.to_string(), shape.to_vec());
    // A row without values is one, whatever the index is called.
    for corner in ["", "concept"] {
        let gap = format!("{corner},u,v,w\ncat,,,\ndog,1.5,0.25,3.5\nmole,0.5,7.5,1.25\n");
        assert_eq!(found(&gap, None), expected("cat dog mole", [3, 3]));
    }
    // The index's name stands in a line of its own behind two levels of columns.
    let rows = "concept,,,\ncat,0.5,9.5,2.5\ndog,1.5,0.75,3.5\n";
    assert_eq!(found(&format!(",V1,V1,IT\n,a,b,a\n{rows}"), None), expected("cat dog", [2, 3]));
    let numbered = format!(",V1,V1,IT\n,0,1,0\n{rows}");
    let asked = read(&numbered, None).unwrap_err();
    assert!(asked.contains("add --header 3 or --header 1"), "{asked}");
    assert_eq!(found(&numbered, Some(3)), expected("cat dog", [2, 3]));
    // A column without a name.
    assert_eq!(found(",0\ncat,0.5\ndog,0.25\n", None), expected("cat dog", [2, 1]));
    assert_eq!(found(",,0\ncat,dog,0.5\ncat,mole,0.25\n", None).1, [2, 1]);
    assert_eq!(found("cat,cat,0\ncat,dog,0.5\ndog,dog,0\n", None).1, [3, 1]);
    for text in ["a,b,0\ncat,dog,0.5\ncat,mole,0.25\n", "concept,0\ncat,0.5\ndog,0.25\n", "0\n0.5\n0.25\n0.75\n"] {
        let asked = read(text, None).unwrap_err();
        assert!(asked.contains("add --header yes or --header no"), "{text}: {asked}");
    }
    // Rows in another order with their index, beside names.
    let shuffled = [("2", "cat"), ("0", "dog"), ("4", "mole"), ("1", "newt"), ("3", "owl")];
    let row = |(n, (index, name)): (usize, &(&str, &str))| format!("{index},{name},{}.5,{}.25\n", n * n % 7, n * 3 % 5);
    let rows: String = shuffled.iter().enumerate().map(row).collect();
    assert_eq!(found(&format!(",concept,u,v\n{rows}"), None), expected("cat dog mole newt owl", [5, 2]));
}

#[test]
fn a_triangle_without_names_or_diagonal_keeps_its_blank_line() {
    let lower = ",,,\n0.5,,,\n0.25,0.75,,\n0.1,0.2,0.4,\n";
    let upper = ",0.5,0.25,0.1\n,,0.75,0.2\n,,,0.4\n,,,\n";
    for (text, place) in [(lower.to_string(), 4), (upper.to_string(), 1), (format!("cat,dog,mole,newt\n{lower}"), 4)] {
        let (_, shape, values) = table(&text, &Told::default()).unwrap();
        assert_eq!((shape, values[place], values[0].is_nan()), (vec![4, 4], 0.5, true), "{text}");
    }
    // As spreadsheets leave them.
    let blank = "0.5,9.5,2.5,\n1.5,0.75,3.5,\n,,,\n";
    assert_eq!(table(blank, &Told::default()).unwrap().1, [2, 3]);
}

#[test]
fn word2vecs_line_of_counts_is_no_row() {
    let rows = "cat 0.5 9.5 2.5 1.5\ndog 1.5 0.75 3.5 2.25\nmole 0.25 4.5 1.5 6.5\n";
    for header in [None, Some(0), Some(1)] {
        let (names, shape, _) = table(&format!("3 4\n{rows}"), &Told { header, ..Told::default() }).unwrap();
        assert_eq!((names.join(" "), shape), ("cat dog mole".to_string(), vec![3, 4]));
    }
    let refused = table(&format!("5 4\n{rows}"), &Told::default()).unwrap_err();
    assert!(refused.contains("line 1: announces 5 rows, found 3"), "{refused}");
}
