#![allow(clippy::unwrap_used)]

use super::*;
use crate::records::{Defaults, LabelSet, Source};

const PYARROW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/pyarrow.parquet");

fn reader() -> Reader {
    let labels = Some(std::sync::Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
    let defaults = Defaults { labels, ..Defaults::default() };
    Reader::open(PYARROW.as_ref(), Reading { text_field: "text".into(), defaults }).unwrap()
}

/// Writes the rows of `reader`, some labels or none for each; the size and the footer after each row group.
fn write(reader: Reader, groups: &mut RowGroups, out: &mut Vec<u8>) -> Vec<(usize, Vec<u8>)> {
    let labels = [("a", 0.5), ("b", 0.25), ("c", 1.0), ("d", 0.0), ("e", 0.125)];
    let mut ends = Vec::new();
    for entry in reader {
        let row = entry.unwrap().raw;
        let number = row.begin().byte as usize;
        groups.push(if number % 7 == 3 { Err("seven") } else { Ok(&labels[..number % 6]) });
        if let Some(group) = row.ends() {
            out.extend(groups.complete(group).unwrap());
            ends.push((out.len(), groups.footer().unwrap()));
        }
    }
    ends
}

#[test]
fn a_file_that_is_gone_on_with_is_that_of_one_run() {
    let mut groups = RowGroups::new(&reader(), true).unwrap();
    let mut whole = Vec::new();
    groups.begin(&mut whole);
    let ends = write(reader(), &mut groups, &mut whole);
    assert_eq!(ends.len(), 3);
    for (done, bound) in [(1, 12), (2, 24)] {
        let (size, footer) = &ends[done - 1];
        let mut groups = RowGroups::new(&reader(), true).unwrap();
        groups.go_on(footer, *size as u64).unwrap();
        let (mut reader, mut again) = (reader(), whole[..*size].to_vec());
        reader.seek(place(bound)).unwrap();
        assert_eq!(write(reader, &mut groups, &mut again), ends[done..]);
        assert_eq!(again, whole);
    }
}

#[test]
fn a_footer_of_other_columns_is_not_gone_on_with() {
    let footer = RowGroups::new(&reader(), false).unwrap().footer().unwrap();
    for footer in [&footer[..], b"", b"PAR1", &footer[..footer.len() - 9]] {
        assert!(RowGroups::new(&reader(), true).unwrap().go_on(footer, 4).is_err());
    }
}
