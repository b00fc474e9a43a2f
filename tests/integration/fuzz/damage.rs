//! Ways to damage a good file: in its bytes, and in what it says.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// What readers look for.
const WORDS: [&str; 28] = [
    "\"",
    "\"\"",
    "\\",
    "\\u",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\0",
    "\u{feff}",
    "null",
    "-1",
    "1e999",
    "\"text\"",
    "\"labels\"",
    "__label__",
    "99999999999999999999",
    "\u{fffd}",
    "\u{202e}",
    "0",
    "|",
];

/// One way to damage bytes.
#[derive(Debug, Clone)]
pub enum Damage {
    Set(Index, u8),
    Insert(Index, usize),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// A part stands elsewhere, too.
    Copy(Index, usize, Index),
    /// Nothing comes after.
    Cut(Index),
}

pub fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Damage::Set(place, byte)),
        6 => (any::<Index>(), 0..WORDS.len()).prop_map(|(place, word)| Damage::Insert(place, word)),
        4 => (any::<Index>(), 1..40_usize).prop_map(|(place, count)| Damage::Remove(place, count)),
        4 => (any::<Index>(), 1..40_usize).prop_map(|(place, count)| Damage::Repeat(place, count)),
        4 => (any::<Index>(), 1..40_usize, any::<Index>()).prop_map(|(from, count, to)| Damage::Copy(from, count, to)),
        1 => any::<Index>().prop_map(Damage::Cut),
    ];
    proptest::collection::vec(one, 0..6)
}

/// Damages the first `size` bytes.
pub fn damaged(bytes: impl Into<Vec<u8>>, size: usize, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.into();
    let rest = bytes.split_off(size.min(bytes.len()));
    for damage in damages {
        let place = |index: &Index| index.index(bytes.len().max(1)).min(bytes.len());
        let part = |start: usize, count: &usize| start..(start + count).min(bytes.len());
        match damage {
            Damage::Set(index, byte) => {
                let place = place(index);
                bytes.get_mut(place).into_iter().for_each(|found| *found = *byte);
            }
            Damage::Insert(index, word) => {
                let place = place(index);
                bytes.splice(place..place, WORDS[*word].bytes());
            }
            Damage::Remove(index, count) => {
                bytes.drain(part(place(index), count));
            }
            Damage::Repeat(index, count) => {
                let place = place(index);
                let part = bytes[part(place, count)].to_vec();
                bytes.splice(place..place, part);
            }
            Damage::Copy(from, count, to) => {
                let (part, to) = (bytes[part(place(from), count)].to_vec(), place(to));
                bytes.splice(to..to, part);
            }
            Damage::Cut(index) => bytes.truncate(place(index)),
        }
    }
    [bytes, rest].concat()
}

/// The way from the root of a JSON value down to one of its parts.
type Way = Vec<Index>;

/// One way to change what a JSON file says, so that it stays JSON.
#[derive(Debug, Clone)]
pub enum Edit {
    Set(Way, usize),
    /// A part takes the value of another.
    Copy(Way, Way),
    Swap(Way, Way),
    Remove(Way),
    /// `x` becomes `[x]`.
    Wrap(Way),
}

pub fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let way = || proptest::collection::vec(any::<Index>(), 0..7);
    let one = prop_oneof![
        4 => (way(), 0..values().len()).prop_map(|(way, value)| Edit::Set(way, value)),
        2 => (way(), way()).prop_map(|(from, to)| Edit::Copy(from, to)),
        1 => (way(), way()).prop_map(|(one, other)| Edit::Swap(one, other)),
        2 => way().prop_map(Edit::Remove),
        1 => way().prop_map(Edit::Wrap),
    ];
    proptest::collection::vec(one, 0..4)
}

/// What nobody expects there.
fn values() -> [Value; 30] {
    [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(7),
        json!(-1),
        json!(-100),
        json!(255),
        json!(65_536),
        json!(2_147_483_648_u64),
        json!(4_294_967_296_u64),
        json!(4_611_686_018_427_387_904_u64),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(0.5),
        json!(-1e300),
        json!(1e-320),
        json!(""),
        json!("a"),
        json!("gelu"),
        json!("I8"),
        json!("F64"),
        json!([]),
        json!([0]),
        json!([1, 0]),
        json!([4_294_967_296_u64, 4_294_967_296_u64]),
        json!({}),
    ]
}

pub fn edited(mut value: Value, edits: &[Edit]) -> Value {
    for edit in edits {
        match edit {
            Edit::Set(way, number) => *part(&mut value, way) = values()[*number].clone(),
            Edit::Copy(from, to) => *part(&mut value, to) = part(&mut value, from).clone(),
            Edit::Swap(one, other) => {
                let [first, second] = [one, other].map(|way| part(&mut value, way).clone());
                *part(&mut value, one) = second;
                *part(&mut value, other) = first;
            }
            Edit::Remove(way) => {
                let Some((last, above)) = way.split_last() else { continue };
                match part(&mut value, above) {
                    Value::Array(items) if !items.is_empty() => drop(items.remove(last.index(items.len()))),
                    Value::Object(fields) if !fields.is_empty() => {
                        let name = fields.keys().nth(last.index(fields.len())).unwrap().clone();
                        fields.shift_remove(&name);
                    }
                    other => *other = Value::Null,
                }
            }
            Edit::Wrap(way) => {
                let part = part(&mut value, way);
                *part = Value::Array(vec![part.take()]);
            }
        }
    }
    value
}

/// What the way leads to: a child for each step, until there is none.
fn part<'a>(mut value: &'a mut Value, way: &[Index]) -> &'a mut Value {
    for step in way {
        let children = match value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if children == 0 {
            break;
        }
        let child = step.index(children);
        value = match value {
            Value::Array(items) => &mut items[child],
            Value::Object(fields) => fields.values_mut().nth(child).unwrap(),
            _ => unreachable!("only these have children"),
        };
    }
    value
}
