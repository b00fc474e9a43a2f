//! Imports run one way: `src/lib.rs` draws it, the table here says it, and a test holds it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the crate uses of the others. All that it uses stands below it.
const USES: [(&str, &str); 19] = [
    (
        "cli",
        "adapted architectures checkpoint classifier digest display error files kernels metrics model records runner \
         scores training",
    ),
    ("training", "checkpoint classifier display error files metrics model records runner scores"),
    ("model", "architectures backbones checkpoint classifier digest encode error files kernels records"),
    ("architectures", "backbones checkpoint classifier encode error heads kernels records scores"),
    ("heads", "backbones checkpoint error kernels"),
    ("backbones", "checkpoint error kernels"),
    ("kernels", ""),
    ("checkpoint", "error files panics"),
    ("adapted", "classifier error records scores"),
    ("runner", "classifier error panics records"),
    ("metrics", "display"),
    ("encode", "error panics records"),
    ("scores", "error records"),
    ("classifier", "error records"),
    ("records", "digest display error files panics"),
    ("files", "error"),
    ("display", ""),
    ("digest", ""),
    ("panics", ""),
];

/// All source files in a folder and below it, but for those that hold nothing but tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    let is_source =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs");
    paths.flat_map(below).filter(is_source).collect()
}

/// Code in the layout of rustfmt without its comments, and without what only tests have.
fn shipped(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let (mut lines, mut shipped) = (code.lines(), String::new());
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix(MARK) else {
            shipped += line.split("//").next().unwrap_or_default();
            shipped.push('\n');
            continue;
        };
        let item = lines.find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
        if !item.ends_with(';') {
            lines.find(|line| line.strip_prefix(indent) == Some("}"));
        }
    }
    shipped
}

/// The modules that code names behind `crate::`.
fn used(code: &str) -> BTreeSet<String> {
    let names = code.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
        Some(group) => group.split('}').next().unwrap_or_default().split(',').collect(),
        None => vec![rest],
    });
    let module = |name: &str| {
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
        match &name[..end] {
            "Error" | "Result" => "error".to_owned(),
            name => name.to_owned(),
        }
    };
    names.map(|name| module(name.trim())).collect()
}

#[test]
fn tests_and_comments_import_nothing() {
    let code = "use crate::a::{B, C}; // crate::d\n#[cfg(test)]\nmod tests;\nuse crate::{e, f};\n\
                impl G {\n    #[cfg(test)]\n    #[allow(unused)]\n    fn h() {\n        crate::i();\n    }\n\n    \
                fn j() -> crate::Result<()> {\n        crate::k::l()\n    }\n}\n\
                #[cfg(test)]\nmod more {\n    use crate::m;\n}\nuse crate::n;\n";
    assert_eq!(used(&shipped(code)).into_iter().collect::<Vec<_>>(), ["a", "e", "error", "f", "k", "n"]);
}

#[test]
fn every_module_uses_what_the_table_says_and_only_what_stands_below_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let place = |module: &str| USES.iter().position(|(name, _)| *name == module);
    let mut found = vec![BTreeSet::new(); USES.len()];
    for path in sources(&source) {
        let first = path.strip_prefix(&source).unwrap().iter().next().unwrap();
        let module = Path::new(first).file_stem().unwrap().to_str().unwrap();
        if ["lib", "main", "error"].contains(&module) {
            continue;
        }
        let place = place(module).unwrap_or_else(|| panic!("{module} is not in the table"));
        let others = used(&shipped(&fs::read_to_string(&path).unwrap())).into_iter().filter(|name| name != module);
        found[place].extend(others);
    }
    for (number, ((module, uses), found)) in USES.iter().zip(found).enumerate() {
        assert!(found.iter().map(String::as_str).eq(uses.split_whitespace()), "{module} uses {found:?}, not {uses}");
        let above = found.iter().find(|name| *name != "error" && place(name).is_none_or(|place| place < number));
        assert_eq!(above, None, "{module} must not use what stands above it");
    }
}
