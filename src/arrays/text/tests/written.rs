//! Tables as R, pandas and spreadsheets write them.

use super::{Told, table};

#[test]
fn a_triangle_of_named_rows_has_all_their_columns() {
    let of = |text: &str| table(text, &Told::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    for text in [
        "cat\ndog,0.5\nmole,0.25,0.75\nnewt,0.1,0.2,0.4\n",
        "cat\ndog 0.5\nmole 0.25 0.75\nnewt 0.1 0.2 0.4\n",
        "cat,,,\ndog,0.5,,\nmole,0.25,0.75,\nnewt,0.1,0.2,0.4\n",
        "cat;;;;\ndog;0,5;;;\nmole;0,25;0,75;;\nnewt;0,1;0,2;0,4;\n",
        ",cat,dog,mole,newt\ncat,,,,\ndog,0.5,,,\nmole,0.25,0.75,,\nnewt,0.1,0.2,0.4,\n",
    ] {
        let (names, shape, values) = of(text);
        assert_eq!((names.join(" "), shape), ("cat dog mole newt".to_string(), vec![4, 4]), "{text}");
        assert_eq!((values[4], values[14]), (0.5, 0.4), "{text}");
        assert!(values[0].is_nan() && values[15].is_nan(), "{text}");
    }
    // With its diagonal.
    for text in ["1\n0.5,1\n0.25,0.75,1\n", "1\n0,5;1\n0,25;0,75;1\n"] {
        let (names, shape, values) = of(text);
        assert_eq!((names.len(), shape, values[7]), (0, vec![3, 3], 0.75), "{text}");
    }
    assert_eq!(of("cat,1\ndog,0.5,1\nmole,0.25,0.75,1\n").1, [3, 3]);
    // Lines of other lengths are none.
    let refused = table("cat,0.5,1.5\ndog,2.5\nmole,0.25,0.75\nnewt,3.5,4.5\n", &Told::default()).unwrap_err();
    assert!(
        refused.contains("line 2: 2 values, expected 3; names with a separator in them stand in quotes"),
        "{refused}"
    );
}

#[test]
fn a_first_line_may_lack_the_cells_above_several_columns_of_names() {
    let text = "u,v,w\na,x,0.5,1.5,2.5\na,y,0.25,9.5,3.5\nb,x,1.25,4.5,7.5\n";
    let (names, shape, values) = table(text, &Told::default()).unwrap();
    assert_eq!((names.join(","), shape, values[0]), ("a x,a y,b x".to_string(), vec![3, 3], 0.5));
    // Numbers may be data.
    let text = "u,v,w\n0,0,0.5,1.5,2.5\n0,1,0.25,9.5,3.5\n1,0,1.25,4.5,7.5\n";
    let asked = table(text, &Told::default()).unwrap_err();
    assert!(asked.contains("line 2: 5 values, expected 3; if the first 2 name the rows, add --index 2"), "{asked}");
    let (names, shape, _) = table(text, &Told { index: Some(2), ..Told::default() }).unwrap();
    assert_eq!((names.join(","), shape), ("0 0,0 1,1 0".to_string(), vec![3, 3]));
}

#[test]
fn separators_behind_every_line_are_no_columns() {
    let rows = ["cat,0.5,1.5,9.5", "dog,2.5,0.25,3.5", "mole,1.5,7.5,0.75"];
    let of = |header: &str, behind: &str| {
        let rows = rows.map(|row| format!("{row}{behind}\n"));
        table(&format!("{header}\n{}", rows.concat()), &Told::default()).unwrap()
    };
    for (header, behind) in
        [("concept,u,v,w,,,", ",,,"), ("concept,u,v,w", ",,,"), ("concept,u,v,w,,,", ""), ("u,v,w", ",,")]
    {
        let (names, shape, values) = of(header, behind);
        assert_eq!((names.join(" "), shape, values[8]), ("cat dog mole".to_string(), vec![3, 3], 0.75), "{header}");
    }
    assert_eq!(of("concept,u,v,w,x,y", ",,").1, [3, 5], "what has a name is a column");
    // R's first line, which a spreadsheet filled up.
    let shifted = "V1;V2;V3;\n82;53;31;8\n5;37;73;22\n4;31;13;63\n";
    assert!(table(shifted, &Told::default()).unwrap_err().contains("add --index yes or --index no"));
    for (index, units) in [(1, 3), (0, 4)] {
        assert_eq!(table(shifted, &Told { index: Some(index), ..Told::default() }).unwrap().1, [3, units]);
    }
}

#[test]
fn a_second_level_of_numbers_above_whole_ones_is_asked_for() {
    let rows = "3,4,9,6\n7,1,2,2\n";
    let indexed = "0,3,4,9,6\n1,7,1,2,2\n";
    let named = "cat,3,4,9,6\ndog,7,1,2,2\n";
    let header = |header| Told { header, ..Told::default() };
    for (text, with, without) in [
        (format!("V1,V1,IT,IT\n0,1,0,1\n{rows}"), 2, "1"),
        (format!("V1,V1,IT,IT\n0,1,2,3\n{rows}"), 2, "1"),
        (format!("0,0,1,1\n0,1,0,1\n{rows}"), 2, "no"),
        ("0,0,1,1\n0,1,0,1\n3.5,4.5,9.5,6.5\n7.5,1.5,2.5,2.5\n".to_string(), 2, "no"),
        (format!(",0,0,1,1\n,0,1,0,1\n{indexed}"), 2, "no"),
        (format!(",V1,V1,IT,IT\n,0,1,0,1\n{indexed}"), 2, "1"),
        (format!(",0,0,1,1\n,0,1,0,1\n{named}"), 2, "1"),
        (format!("roi,0,0,1,1\nvox,0,1,0,1\n{named}"), 2, "no"),
        (format!("roi,V1,V1,IT,IT\nvox,0,1,0,1\n{named}"), 2, "1"),
        (format!("roi,V1,V1,IT,IT\nvox,0,1,0,1\nconcept,,,,\n{named}"), 3, "1"),
    ] {
        let asked = table(&text, &header(None)).unwrap_err();
        assert!(asked.contains(&format!("add --header {with} or --header {without}")), "{text}: {asked}");
        assert_eq!(table(&text, &header(Some(with))).unwrap().1, [2, 4], "{text}");
    }
    // Times below an empty cell; where a name stands there, one is missing.
    let times = "0.0,0.1,0.0,0.1\ncat,1.5,2.5,0.5,3\ndog,2.5,1,2,7.5\n";
    let asked = table(&format!(",Fz,Fz,Cz,Cz\n,{times}"), &header(None)).unwrap_err();
    assert!(asked.contains("add --header 2 or --header 1"), "{asked}");
    assert_eq!(table(&format!(",Fz,Fz,Cz,Cz\n,{times}"), &header(Some(2))).unwrap().1, [2, 4]);
    assert_eq!(table(&format!("concept,u,v,w,x\n,{times}"), &header(None)).unwrap().1, [3, 4]);
    // An index of two levels of numbers, with their names.
    let two = "s,c,,,,\n0,0,3,4,9,6\n0,1,7,1,2,2\n";
    assert_eq!(table(&format!(",,V1,V1,IT,IT\n,,a,b,a,b\n{two}"), &header(None)).unwrap().1, [2, 4]);
    let text = format!(",,V1,V1,IT,IT\n,,0,1,0,1\n{two}");
    assert!(table(&text, &header(None)).unwrap_err().contains("add --header 3 or --header 1"));
    assert_eq!(table(&text, &header(Some(3))).unwrap().1, [2, 4]);
    // Few numbers, behind what may be a name or call the names, or nothing.
    let rows = "dog,7,1,2\nowl,9,9,1\n";
    for text in [
        &format!("cat,1,2,3\n{rows}"),
        &format!("concept,2001,2002,2003\n{rows}"),
        &format!("concept,421,442,329\n{rows}"),
        "1,2,3\n7,1,2\n9,9,1\n",
    ] {
        let asked = table(text, &header(None)).unwrap_err();
        assert!(asked.contains("add --header yes or --header no"), "{asked}");
        assert_eq!(table(text, &header(Some(1))).unwrap().1, [2, 3]);
        assert_eq!(table(text, &header(Some(0))).unwrap().1, [3, 3]);
    }
    // Data of few values, and regions above data.
    assert_eq!(table("0,0,1\n0,1,0\n1,0,0\n", &header(None)).unwrap().1, [3, 3]);
    assert_eq!(table("V1,V1,IT\n3,7,4\n1,9,2\n", &header(None)).unwrap().1, [2, 3]);
}

#[test]
fn numbers_in_quotes_among_others_are_names() {
    let of = |text: &str| table(text, &Told::default()).unwrap();
    let (names, shape, _) = of("\"12\",3,4,7\n\"7\",1,2,2\n\"33\",8,1,0\n");
    assert_eq!((names.join(" "), shape), ("12 7 33".to_string(), vec![3, 3]));
    assert_eq!(of("\"12\",\"7\",\"33\"\n4,5,6\n7,1,2\n").1, [2, 3]);
    let (names, shape, _) = of("\"\",\"12\",\"7\",\"33\"\n\"cat\",4,5,6\n\"dog\",7,1,2\n");
    assert_eq!((names.join(" "), shape), ("cat dog".to_string(), vec![2, 3]));
    // Under a name they may be answers.
    let answers = "\"resp\",\"rt\",\"acc\"\n\"3\",512,1\n\"5\",433,0\n\"1\",678,1\n\"7\",234,0\n";
    let asked = table(answers, &Told::default()).unwrap_err();
    assert!(asked.contains("column 1 (3, 5, 1, 7, …)") && asked.contains("--index yes or --index no"), "{asked}");
    assert_eq!(table(answers, &Told { index: Some(0), ..Told::default() }).unwrap().1, [4, 3]);
    // All in quotes, or those with a decimal comma.
    assert_eq!(of("\"12\",\"7\"\n\"4\",\"5\"\n").1, [2, 2]);
    assert_eq!(of("\"1,5\",\"2,5\"\n3,4\n").1, [2, 2]);
}

#[test]
fn numbers_that_a_spreadsheet_wrote_as_text_are_no_names() {
    for (text, expected) in [
        ("concept,u,v\ncat,12%,0.5\ndog,30%,0.7\n", "line 2: \"12%\" in column 2"),
        ("concept,u\ncat,12%\ndog,30%\n", "line 2: \"12%\" in column 2"),
        ("concept,u,v\ncat,1.5 ms,0.5\ndog,30 ms,0.7\n", "line 2: \"1.5 ms\" in column 2"),
        ("concept,u,v\ncat,$1.5,0.5\ndog,(0.7),0.7\n", "line 2: \"$1.5\" in column 2"),
        ("concept,animate,size\ncat,True,3.2\ndog,FALSE,2.1\n", "line 2: \"True\" in column 2"),
        ("size,animate\n3.2,false\n2.1,true\n", "line 2: \"false\" in column 2"),
        ("cat,TRUE,FALSE\ndog,TRUE,TRUE\n", "line 1: \"TRUE\" in column 2"),
        ("concept,u,v\ncat,1. Mai,0.5\ndog,3.25,0.7\nowl,2. Jun,0.1\n", "line 2: \"1. Mai\" in column 2"),
    ] {
        let refused = table(text, &Told::default()).unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
    // Dates and numbers with signs name what they like.
    let (names, shape, _) = table("run,on,u\n7-3,12.03.2020,0.5\n2-9,1.5.2020,0.7\n", &Told::default()).unwrap();
    assert_eq!((names.join(" "), shape), ("7-3 2-9".to_string(), vec![2, 1]));
    let told = Told { index: Some(2), ..Told::default() };
    assert_eq!(table("concept,kind,u\ncat,a,0.5\ndog,1.5,0.7\nowl,b,0.1\n", &told).unwrap().1, [3, 1]);
}

#[test]
fn numbers_beside_names_are_data_but_those_of_rows() {
    let read = |text: &str| table(&text.replace('|', "\n"), &Told::default());
    let shape = |text: &str| read(text).unwrap_or_else(|error| panic!("{text}: {error}")).1;
    let asked = |text: &str| read(text).unwrap_err();
    for name in ["concept", "word", "label", "name", "item", "stimulus"] {
        let (names, shape, _) = read(&format!("{name},1,2,3|cat,1,2,5|dog,3,1,5|owl,2,2,6")).unwrap();
        assert_eq!((names.join(" "), shape), ("cat dog owl".to_string(), vec![3, 3]));
    }
    assert_eq!(
        shape("concept,freq,size,valence|cat,120,3.2,4.5|dog,301,2.1,4.4|owl,20,2.9,1.5|ape,25,3.7,3.3"),
        [4, 3]
    );
    assert_eq!(shape("concept,freq,size|cat,20,3.2|dog,25,2.1|owl,120,2.9|ape,301,3.7|bat,302,1.1"), [5, 2], "sorted");
    assert_eq!(shape("concept,r1,r2|cat,2,3|dog,3,1|owl,1,5|ape,5,4|bat,4,2"), [5, 2], "ranks");
    assert_eq!(shape("r1,r2,concept|5,2,cat|3,1,dog|3,4,owl"), [3, 2]);
    // A rank, numbers of the rows, or another level of them.
    for text in [
        "concept,rank,size|cat,3,3.2|dog,1,2.1|owl,2,2.9|ape,5,1.7|bat,4,2.2",
        "concept,rank,size|cat,1,3.2|dog,2,2.1|owl,3,2.9",
        "concept,rank,size|cat,1,3|dog,2,2|owl,3,9",
        "concept,stim_id,u|cat,17,0.5|dog,3,3.5|owl,9,1.5",
        "concept,run,u,v|cat,1,3.2,4.5|cat,2,2.1,4.4|dog,1,2.9,1.5|dog,2,3.7,3.3",
    ] {
        assert!(asked(text).contains("--index 2 or --index 1"), "{text}");
    }
    let subjects = "subject,concept,r1,r2|1,cat,5,2|1,dog,3,1|2,cat,4,4|2,dog,2,5";
    assert!(
        asked(subjects).contains("column 1 (1, 1, 2, 2, …)") && asked(subjects).contains("--index yes or --index no")
    );
}

#[test]
fn a_column_of_identities_is_no_data_wherever_it_stands() {
    let read = |text: &str, index| table(&text.replace('|', "\n"), &Told { index, ..Told::default() });
    let rows = |ids: [&str; 3]| format!("0.5,1.5,2.5,{}|1.5,9.5,0.25,{}|0.75,3.5,1.25,{}", ids[0], ids[1], ids[2]);
    let last = |name: &str, ids| format!("u,v,w,{name}|{}", rows(ids));
    for (text, expected) in [
        (last("id", ["417", "203", "988"]), "417 203 988"),
        (last("ID", ["0", "1", "2"]), ""),
        ("u,v,Index,w|3,7,417,1|9,1,203,4|3,2,988,8".to_string(), "417 203 988"),
    ] {
        let (names, shape, _) = read(&text, None).unwrap();
        assert_eq!((names.join(" "), shape), (expected.to_string(), vec![3, 3]), "{text}");
    }
    let distinct = ["417", "203", "988"];
    for (text, without) in [
        (last("id", ["7", "7", "9"]), 0),
        (last("stim_id", distinct), 0),
        (last("stimId", distinct), 0),
        ("concept,u,v,w,image id|cat,0.5,1.5,2.5,417|dog,1.5,9.5,0.25,203|owl,0.75,3.5,1.25,988".to_string(), 1),
    ] {
        let asked = read(&text, None).unwrap_err();
        let option = if without == 0 { "--index no" } else { "--index 1" };
        assert!(asked.contains("may number the rows or be data: if it numbers them put it first"), "{asked}");
        assert!(asked.contains(option), "{asked}");
        assert_eq!(read(&text, Some(without)).unwrap().1, [3, 4], "{text}");
    }
    assert_eq!(read("u,v,acid|3,7,417|9,1,203|3,2,988", None).unwrap().1, [3, 3]);
    // With the same number in some: places, or words. What is called as names are is a label beside fractions alone.
    for name in ["row", "index"] {
        assert_eq!(read(&last(name, ["7", "7", "9"]), None).unwrap().1, [3, 4], "{name}");
    }
    for name in ["label", "group", "Category"] {
        let asked = read(&last(name, ["0", "1", "1"]), None).unwrap_err();
        assert!(asked.contains(&format!("column 4 ({name:?}) may number")), "{asked}");
    }
    let kinds = "concept,category,u,v|cat,1,0.5,1.5|dog,1,9.5,0.25|axe,2,3.5,1.25";
    assert!(read(kinds, None).unwrap_err().contains("column 2 (\"category\") may number"));
    assert_eq!(read(&last("label", ["0", "1", "1"]), Some(0)).unwrap().1, [3, 4]);
    assert_eq!(read("u,v,label|3,7,0|9,1,1|3,2,1", None).unwrap().1, [3, 3]);
    // Before them no column stands before names of rows with data behind.
    let (names, shape, _) = read("u,v,concept,id|3,7,cat,417|9,1,dog,203|3,2,owl,988", None).unwrap();
    assert_eq!((names.join(" "), shape), ("cat dog owl".to_string(), vec![3, 2]));
    let both = read("image_id,id,u,v|417,31,3,9|203,31,7,1|988,42,2,2", None).unwrap_err();
    assert!(both.contains("--index 2 or --index no"), "{both}");
    // At the left among whole numbers: by their name, as only codes are written, or greater than all others.
    for (text, with, columns) in [
        ("image_id,u,v|417,3,9|203,7,1|988,2,2", "yes", 1),
        ("image_id,subject_id,u,v|417,31,3,9|203,31,7,1|988,42,2,2", "2", 2),
        ("hash,u,v|1e10,3,9|9133,7,1|5e10,2,2", "yes", 1),
        ("code,u,v|0077,3,9|0412,7,1|9001,2,2", "yes", 1),
        ("417,3,7|203,9,1|988,3,2", "yes", 1),
    ] {
        let asked = read(text, None).unwrap_err();
        assert!(asked.contains(&format!("--index {with} or --index no")), "{asked}");
        assert_eq!(read(text, Some(columns)).unwrap().1, [3, 2], "{text}");
    }
    let above = "417,203,988|3,7,1|9,1,4|3,2,8";
    assert!(read(above, None).unwrap_err().contains("add --header yes or --header no"));
    // What has a name of its own is a unit, and of named columns the first row may be of greater numbers.
    for name in ["freq", "age", "total"] {
        assert_eq!(read(&format!("{name},u,v|417,3,7|203,9,1|988,3,2"), None).unwrap().1, [3, 3], "{name}");
    }
    for name in ["image", "image_nr", "V1", "0"] {
        let asked = read(&format!("{name},u,v|417,3,7|203,9,1|988,3,2"), None).unwrap_err();
        assert!(asked.contains("--index yes or --index no"), "{name}: {asked}");
    }
    assert_eq!(read(&format!("a,b,c|{above}"), None).unwrap().1, [4, 3]);
    // Zeros before other numbers, too.
    assert_eq!(read("12 1007 100|03 003 044|55 061 009", None).unwrap().1, [3, 3]);
    // Numbers of one length, as some write them all, and those of which some are greater.
    assert_eq!(read("007 012 100|120 003 044|055 061 009", None).unwrap().1, [3, 3]);
    assert_eq!(read("90,3,7|4,9,1|30,3,2|5,5,5", None).unwrap().1, [4, 3]);
    // As numpy.savetxt and R write whole numbers.
    assert_eq!(
        read("1.0e+00 3.0e+00 7.0e+00|9.0e+00 4.0e+00 1.0e+00|4.0e+00 2.0e+00 8.0e+00", None).unwrap().1,
        [3, 3]
    );
    assert_eq!(read("\"\",\"u\",\"v\"|\"1\",1e+05,3|\"2\",200,1|\"3\",7e+05,2", None).unwrap().1, [3, 2]);
}

#[test]
fn what_pandas_prints_without_its_empty_cells_is_refused_with_what_writes_them() {
    let printed = "          u     v\na cat  0.35  0.82\n  dog -1.30  0.91\nb owl -0.54  0.58\n";
    let refused = table(printed, &Told::default()).unwrap_err();
    assert!(refused.contains("line 3: 3 values, expected 4") && refused.contains("save it by to_csv"), "{refused}");
}

#[test]
fn lines_of_the_header_are_counted_as_they_stand() {
    let text = "My experiment,,,\n,,,\nconcept,u,v,w\ncat,0.5,1.5,2.5\ndog,9.5,0.25,3.5\n";
    let refused = table(text, &Told::default()).unwrap_err();
    assert!(refused.contains("line 3: \"u\"") && refused.contains("add --header 3"), "{refused}");
    let (names, shape, _) = table(text, &Told { header: Some(3), ..Told::default() }).unwrap();
    assert_eq!((names.join(" "), shape), ("cat dog".to_string(), vec![2, 3]));
    // Behind numbers of a level, or times.
    let rows = ["0,cat,1.5,2.5,0.5,3", "1,dog,2.5,0.5,1.5,1.25", "0,owl,3.5,2.25,1.5,0.25"].join("\n");
    let levels = format!(",,s0,s0,s1,s1\n,,0,1,2,3\nkind,concept,,,,\n{rows}\n");
    let times = "0.0,0.1,0.2,0.3,0.0\nu0,u1,u2,u3,u4\n1,2,5,3,3\n3,1,4,2,7\n2,6,4,4,1\n5,6,1,4,2\n".to_string();
    for (text, header, index, shape) in [(levels, 3, Some(2), [3, 4]), (times, 2, None, [4, 5])] {
        let refused = table(&text, &Told::default()).unwrap_err();
        assert!(refused.contains(&format!("add --header {header}")) && !refused.contains("--index"), "{refused}");
        assert_eq!(table(&text, &Told { header: Some(header), index, ..Told::default() }).unwrap().1, shape);
    }
    // Behind rows no line names columns.
    let refused = table("u,v\n1.5,2.5\nu,v\n3.5,4.5\n", &Told::default()).unwrap_err();
    assert!(refused.contains("line 3: \"u\", expected a number") && !refused.contains("--header"), "{refused}");
    assert!(table("1\0,\x002\0\n\0", &Told::default()).unwrap_err().contains("UTF-16 without a mark"));
    assert!(super::super::decode(vec![0x1f, 0x8b, 8, 0]).unwrap_err().contains("packed by gzip"));
}
