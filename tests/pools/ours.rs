//! Our own releases and runs as pools.

use std::fs;

use hardset::domain::{BenchmarkLayout, Cell, ColumnFacts, ColumnKind};
use hardset::source::release_columns;

use crate::common::{Hardset, fake_recipe};
use crate::{listed, opened, png, seen};

/// A run of made-up images, mined, and its release.
pub fn mined() -> Hardset {
    let hardset = Hardset::new();
    hardset.write(
        "pipelines/small.toml",
        fake_recipe("small", "images_per_category = 2\nfail_every = 50", "rule = \"at-least=1\""),
    );
    for (name, accuracy) in [("fake-a", 0.4), ("fake-b", 0.5), ("fake-c", 0.6)] {
        let toml = format!(
            "fake = {{ seed = {}, accuracy = {accuracy} }}\n",
            name.len() + name.bytes().map(usize::from).sum::<usize>()
        );
        hardset.write(&format!("surrogates/{name}.toml"), toml);
    }
    hardset.line("build pipelines/small.toml --run-dir run").expect(3);
    hardset.line("release run --out release").ok();
    hardset
}

#[test]
fn a_run_is_a_pool_of_the_images_that_it_has() {
    let hardset = mined();
    let pool = opened(&hardset.path("run"));
    assert_eq!((pool.source.layout, pool.name.as_str(), pool.key), (BenchmarkLayout::Run, "small", None));
    assert_eq!(pool.categories.name, "imagenet-d");
    let voters: Vec<&str> = pool.surrogates.iter().map(|voter| voter.name.as_str()).collect();
    assert_eq!(voters, ["fake-a", "fake-b", "fake-c"]);
    assert!(pool.surrogates.iter().all(|voter| (1..222).contains(&voter.right_on_pool)), "{:?}", pool.surrogates);
    let found = seen(&pool);
    assert_eq!(found.len(), 222, "226 images of which every fiftieth fails");
    assert!(found.iter().all(|one| one.3.is_ok() && one.0.contains(".tar#")), "{:?}", found[0]);
    // Items keep their numbers, of which some are missing.
    let rows = listed(&pool).rows.part(0..222);
    assert!(rows.iter().all(|row| row.item_id.0 % 50 != 49));
}

#[test]
fn a_release_is_a_pool_with_its_surrogates() {
    let hardset = mined();
    let pool = opened(&hardset.path("release"));
    let (name, version) = (pool.name.as_str(), pool.version.as_deref());
    assert_eq!((pool.source.layout, name, version), (BenchmarkLayout::Release, "small", Some("1.0.0")));
    let sums = fs::read(hardset.path("release/SHA256SUMS")).expect("it is there");
    assert_eq!(pool.key, Some(hardset::domain::Sha256::of(&sums)));
    assert_eq!(pool.surrogates.len(), 3);
    let (of_release, of_run) = (seen(&pool), seen(&opened(&hardset.path("run"))));
    assert!(of_release.len() > 20 && of_release.len() < of_run.len());
    assert!(of_release.iter().all(|one| one.3.is_ok()), "{of_release:?}");

    let column = |name: &str, kind| ColumnFacts { name: name.into(), kind, description: String::new() };
    let wanted = [
        column("sha256", ColumnKind::Text),
        column("fake-b_correct", ColumnKind::Bool),
        column("nobody_correct", ColumnKind::Bool),
        column("category", ColumnKind::Text),
    ];
    let (columns, rows) = release_columns(&hardset.path("release"), &wanted).expect("it can be read");
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, rows.len()), (vec!["sha256", "fake-b_correct", "category"], of_release.len()));
    for (row, one) in rows.iter().zip(&of_release) {
        assert_eq!(row[2], Cell::Text(one.1.clone()), "rows are in the order of the pool's items");
    }
    assert!(rows.iter().any(|row| row[1] == Cell::Bool(true)) && rows.iter().any(|row| row[1] == Cell::Bool(false)));
}

#[test]
fn the_first_release_and_run_of_format_2_are_pools() {
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-2");
    assert_eq!(seen(&opened(&fixture.join("release"))).len(), 8);
    assert!(seen(&opened(&fixture.join("run"))).iter().all(|one| one.3.is_ok()));
}

#[test]
fn a_run_of_photographs_reads_them_where_they_are() {
    let hardset = Hardset::new();
    for (at, class) in ["n01440764", "n01443537", "n01440764"].iter().enumerate() {
        hardset.write(&format!("photos/{class}_{at}.png"), png(8, 10 + at as u8));
    }
    hardset.write("a.toml", "fake = { seed = 1, accuracy = 0.5 }\n");
    let recipe = "name = \"photos\"\ncategories = \"imagenet-1k\"\n[generate]\nsource = \"folder\"\nroot = \"photos\"\n\
                  [mine]\nsurrogates = [\"./a.toml\"]\n";
    hardset.write("photos.toml", recipe);
    hardset.line("build photos.toml --run-dir run").ok();
    let pool = opened(&hardset.path("run"));
    let colours: Vec<_> = seen(&pool).into_iter().map(|one| (one.0, one.3)).collect();
    let expected = [("n01440764_0.png", 10), ("n01440764_2.png", 12), ("n01443537_1.png", 11)];
    assert_eq!(colours, expected.map(|(path, colour)| (path.to_owned(), Ok(colour))));
    hardset.write("photos/n01440764_2.png", png(8, 99));
    let changed = seen(&pool)[1].3.clone().expect_err("it is another picture");
    assert!(changed.contains("has changed since the run pinned it") || changed.contains("cannot be read"), "{changed}");
}
