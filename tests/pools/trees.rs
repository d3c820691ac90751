//! Trees of folders: ImageNet-A, -V2, -C, -D, ObjectNet, and others.

use std::path::Path;

use hardset::domain::{BenchmarkLayout, FolderNames};
use hardset::source::PoolOptions;
use tempfile::TempDir;

use crate::{listed, opened, png, reasons, seen, set, with, write};

/// A tree with these files, pictures of 8 px whose colours count from 1.
fn tree(files: &[&str]) -> TempDir {
    let dir = TempDir::new().expect("temporary folders can be made");
    for (file, colour) in files.iter().zip(1..) {
        write(&dir.path().join(file), &png(8, colour));
    }
    dir
}

fn one_each(folders: impl Iterator<Item = String>) -> TempDir {
    let files: Vec<String> = folders.map(|folder| format!("{folder}/a.png")).collect();
    let dir = TempDir::new().expect("temporary folders can be made");
    files.iter().for_each(|file| write(&dir.path().join(file), &png(4, 9)));
    dir
}

fn layout(layout: BenchmarkLayout) -> PoolOptions {
    PoolOptions { layout: Some(layout), ..PoolOptions::default() }
}

#[test]
fn folders_of_exactly_the_classes_of_a_built_in_set_are_that_set() {
    for name in ["imagenet-a", "imagenet-r"] {
        let dir = one_each(set(name).entries.into_iter().map(|category| category.id));
        let pool = opened(dir.path());
        assert_eq!((pool.source.layout, pool.categories.name.as_str()), (BenchmarkLayout::ImageFolder, name));
        assert_eq!((seen(&pool).len(), pool.source.border_px, pool.source.prepared_px), (200, 0, None));
        assert!(pool.notes.iter().any(|note| note.contains(name)), "{:?}", pool.notes);
    }
}

#[test]
fn some_of_imagenets_classes_are_taken_for_imagenet_and_an_unknown_folder_costs_its_images() {
    let dir = tree(&["n01440764/b.png", "n01443537/deep/a.png", "tiger_shark/c.png", "n99999999/d.png", "e.png"]);
    write(&dir.path().join("n01440764/notes.txt"), b"?");
    let pool = opened(dir.path());
    assert_eq!((pool.categories.name.as_str(), pool.source.folders), ("imagenet-1k", Some(FolderNames::Label)));
    let found: Vec<_> = seen(&pool).into_iter().map(|(path, category, _, colour)| (path, category, colour)).collect();
    let expected = [
        ("n01440764/b.png", "n01440764", 1),
        ("n01443537/deep/a.png", "n01443537", 2),
        ("tiger_shark/c.png", "n01491361", 3),
    ];
    assert_eq!(found, expected.map(|(path, category, colour)| (path.to_owned(), category.to_owned(), Ok(colour))));
    let lost = reasons(&pool);
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(lost[0].0 == "e.png" && lost[0].1.contains("in the root itself"), "{lost:?}");
    assert!(lost[1].0 == "n99999999/d.png" && lost[1].1.contains("label `n99999999` is neither"), "{lost:?}");
    assert_eq!(listed(&pool).passed_over.total(), 1);
}

#[test]
fn images_of_classes_that_a_given_set_does_not_have_are_left_out_and_counted() {
    // The clean images of ImageNet-A's classes alone.
    let dir = tree(&["n01440764/a.png", "n01498041/a.png", "n01531178/a.png"]);
    let pool = with(dir.path(), &PoolOptions { categories: Some(set("imagenet-a")), ..PoolOptions::default() });
    assert_eq!(seen(&pool).len(), 2);
    let listing = listed(&pool);
    assert_eq!(listing.notes, ["1 image is of a class that is not in imagenet-a and is left out"]);
    assert!(listing.lost.is_empty());
}

#[test]
fn a_thousand_numbers_are_class_indices_and_fewer_only_where_people_say_so() {
    let dir = one_each((0..1000).map(|class| class.to_string()));
    let pool = opened(dir.path());
    assert_eq!((pool.source.folders, pool.categories.name.as_str()), (Some(FolderNames::ClassIndex), "imagenet-1k"));
    let found = seen(&pool);
    let by_path = |path: &str| found.iter().find(|one| one.0 == path).expect("it is there").1.clone();
    assert_eq!((found.len(), by_path("2/a.png"), by_path("10/a.png")), (1000, "n01484850".into(), "n01530575".into()));

    let few = tree(&["0/a.png", "007/a.png"]);
    let said = PoolOptions { categories: Some(set("imagenet-1k")), ..PoolOptions::default() };
    let found: Vec<_> = seen(&with(few.path(), &said)).into_iter().map(|one| one.1).collect();
    assert_eq!(found, ["n01440764", "n01514668"]);
}

#[test]
fn files_with_wordnet_ids_in_their_names_need_no_folders() {
    let dir = tree(&[
        "ILSVRC2012_val_00000293_n01440764.png",
        "n01443537_a.png",
        "n01443537_b.png",
        "n01440764_n01443537.png",
        "x.png",
    ]);
    let pool = opened(dir.path());
    assert_eq!(pool.source.folders, Some(FolderNames::WordnetId));
    let found: Vec<_> = seen(&pool).into_iter().map(|one| one.1).collect();
    assert_eq!(found, ["n01440764", "n01443537", "n01443537"]);
    let lost: Vec<_> = reasons(&pool).into_iter().map(|lost| lost.1).collect();
    assert!(lost[0].contains("WordNet ids n01440764 and n01443537") && lost[1].contains("no WordNet id"), "{lost:?}");
}

#[test]
fn imagenet_d_says_kind_and_category() {
    let dir = tree(&["background/mug/1.png", "texture/alarm_clock/1.png", "texture/stray.png", "material/mug/x/2.png"]);
    let pool = opened(dir.path());
    assert_eq!((pool.source.layout, pool.categories.name.as_str()), (BenchmarkLayout::ImagenetD, "imagenet-d"));
    let found = seen(&pool);
    assert_eq!(found[0], ("background/mug/1.png".into(), "mug".into(), "background/".into(), Ok(1)));
    assert_eq!(found[1], ("texture/alarm_clock/1.png".into(), "alarm_clock".into(), "texture/".into(), Ok(2)));
    let lost = reasons(&pool);
    assert!(lost.len() == 2 && lost[0].1.contains("<kind>/<category>/"), "{lost:?}");
}

#[test]
fn imagenet_c_says_corruption_and_severity_and_is_ready_for_models() {
    for group in ["", "weather/"] {
        let files = [format!("{group}fog/1/n01440764/a.png"), format!("{group}fog/5/n01443537/a.png")];
        let dir = tree(&files.each_ref().map(String::as_str));
        let pool = opened(dir.path());
        assert_eq!((pool.source.layout, pool.source.prepared_px), (BenchmarkLayout::ImagenetC, Some(224)));
        let nuisances: Vec<_> =
            seen(&pool).into_iter().map(|(_, category, nuisance, _)| (category, nuisance)).collect();
        assert_eq!(
            nuisances,
            [("n01440764".into(), "fog/1".into()), ("n01443537".into(), "fog/5".into())] as [(String, String); 2]
        );
        let other = with(dir.path(), &PoolOptions { prepared_px: Some(299), ..PoolOptions::default() });
        assert_eq!(other.source.prepared_px, Some(299));
    }
}

#[test]
fn objectnet_loses_its_border_and_the_classes_that_imagenet_does_not_have() {
    let folders = set("objectnet").entries.into_iter().map(|category| category.id);
    let dir = one_each(folders.chain(["squeegee".to_owned(), "air_freshener".to_owned()]));
    let red = [255, 0, 0].repeat(9 * 9);
    let mut pixels = red.clone();
    for y in 2..7 {
        (2..7).for_each(|x| pixels[(y * 9 + x) * 3..][..3].fill(40));
    }
    let image = hardset::imaging::RgbImage::new(9, 9, pixels).expect("a picture");
    let bordered = hardset::imaging::encode_png(&image, &[]).expect("it can be encoded");
    write(&dir.path().join("alarm_clock/a.png"), &bordered);
    write(&dir.path().join("backpack/a.png"), &png(5, 50));
    let pool = opened(dir.path());
    assert_eq!((pool.source.layout, pool.source.border_px), (BenchmarkLayout::Objectnet, 2));
    let found = seen(&pool);
    assert_eq!((found.len(), found[0].1.as_str(), &found[0].3, &found[1].3), (113, "alarm_clock", &Ok(40), &Ok(50)));
    let reason = found[2].3.as_ref().expect_err("4 px are all border");
    assert_eq!(reason, "nothing of the image is left without its border of 2 px at each side");
    let notes = listed(&pool).notes;
    assert_eq!(notes, ["2 images are of classes that are not in objectnet and are left out"]);
    let whole = with(dir.path(), &PoolOptions { border_px: Some(0), ..PoolOptions::default() });
    assert_eq!(seen(&whole)[2].3, Ok(9));
}

#[test]
fn a_damaged_picture_costs_itself_alone_and_a_changed_one_is_seen() {
    let dir = tree(&["n01440764/a.png", "n01440764/b.png", "n01440764/c.png"]);
    let whole = png(8, 2);
    write(&dir.path().join("n01440764/b.png"), &whole[..whole.len() / 2]);
    write(&dir.path().join("n01440764/c.png"), b"no picture");
    let pool = opened(dir.path());
    let found = seen(&pool);
    assert_eq!(found[0].3, Ok(1));
    assert!(found[1].3.is_err() && found[2].3.is_err(), "{found:?}");
}

#[test]
fn contents_tell_pools_apart_and_a_pool_that_moved_is_the_same() {
    let (a, b) = (tree(&["n01440764/a.png"]), tree(&["n01440764/a.png"]));
    let identity = |path: &Path| {
        let source = opened(path).source;
        hardset::domain::GenerateSpec::Benchmark(source).identity()
    };
    let before = identity(a.path());
    assert_eq!(before, identity(b.path()));
    write(&b.path().join("n01440764/b.png"), b"?");
    assert_ne!(before, identity(b.path()));
    let spec = hardset::domain::GenerateSpec::Benchmark(with(a.path(), &layout(BenchmarkLayout::ImageFolder)).source);
    assert_eq!(spec.identity(), before, "whether it was detected or said");
}
