#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;

use super::*;
use crate::records::{Defaults, Entry, LabelSet, Reading, Source};

const PYARROW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parquet/pyarrow.parquet");

fn reader() -> Reader {
    open(PYARROW.as_ref())
}

fn open(path: &Path) -> Reader {
    let labels = Some(Arc::new(LabelSet::flat(vec!["a".into()]).unwrap()));
    let defaults = Defaults { labels, label_separator: ".".into(), ..Defaults::default() };
    Reader::open(path, Reading { text_field: "text".into(), defaults }).unwrap()
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
fn only_the_beginning_of_a_row_group_can_be_gone_to() {
    let mut reader = reader();
    reader.seek(place(24)).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().raw.begin(), place(24));
    let error = reader.seek(place(3)).unwrap_err().to_string();
    assert!(error.contains("no row group begins at row 3"), "{error}");
    reader.seek_record(13).unwrap();
    assert_eq!(reader.count(), 6);
}

#[test]
fn a_row_group_that_cannot_be_copied_is_still_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.parquet");
    std::fs::copy(PYARROW, &path).unwrap();
    let mut groups = RowGroups::new(&open(&path), true).unwrap();
    (0..12).for_each(|_| groups.push(Ok(&[])));
    File::options().write(true).open(&path).unwrap().set_len(100).unwrap();
    assert!(groups.complete(0).is_err());
    assert_eq!(groups.held(), 12);
}

#[test]
fn lists_of_older_writers_are_read_and_lists_of_structures_are_not() {
    let older = "message m { required binary text (UTF8);
        optional group labels (LIST) { repeated binary array (UTF8); } }";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.parquet");
    let properties = Arc::new(WriterProperties::builder().build());
    let schema = Arc::new(parse_message_type(older).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts = ["one", "two", "three"].map(ByteArray::from);
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    // Nothing, no label, two labels.
    let labels = ["x", "y"].map(ByteArray::from);
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&labels, Some(&[0, 1, 2, 2]), Some(&[0, 0, 0, 1])).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let labels = |entry: Result<Entry<Row>>| entry.unwrap().record.map(|record| record.labels.names().to_vec()).ok();
    let read: Vec<_> = open(&path).map(labels).collect();
    assert_eq!(read, [Some(vec!["a".to_owned()]), None, Some(vec!["x".to_owned(), "y".to_owned()])]);

    let structures = "message m { optional group labels (LIST) {
        repeated group list { optional group element { optional binary name (UTF8); } } } }";
    let schema = SchemaDescriptor::new(Arc::new(parse_message_type(structures).unwrap()));
    assert_eq!(column::find_list(&schema, "labels"), Ok(None));
}

#[test]
fn a_footer_of_other_columns_is_not_gone_on_with() {
    let footer = RowGroups::new(&reader(), false).unwrap().footer().unwrap();
    for footer in [&footer[..], b"", b"PAR1", &footer[..footer.len() - 9]] {
        assert!(RowGroups::new(&reader(), true).unwrap().go_on(footer, 4).is_err());
    }
}
