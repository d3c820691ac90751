//! Renders the small world on which the models of the quick start are trained and tested: 12 of ImageNet-D's categories
//! as solids, in 12 of its backgrounds, with 10 of its textures and 9 of its materials.
//!
//! Not part of the product. Holds always: a picture depends on (distribution, seed, number) alone.
//!
//! Writes `pictures.u8`, `[count, 64, 64, 3]` RGB, and `labels.tsv`, one row for each picture.

mod place;
mod random;
mod render;
mod scene;
mod shape;
mod solid;
mod surface;
mod vector;

use std::io::Write;
use std::process::ExitCode;

use scene::{Distribution, Label, Scene};
use shape::Category;

const USAGE: &str = "usage: quickstart-world ordinary|everything|unusual COUNT SEED OUT-DIR [THREADS]";

/// Pictures that one thread makes before they are written.
const CHUNK: usize = 500;

struct Order {
    distribution: Distribution,
    count: usize,
    seed: u64,
    out: std::path::PathBuf,
    threads: usize,
}

fn main() -> ExitCode {
    let Some(order) = order(&std::env::args().skip(1).collect::<Vec<_>>()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match write(&order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write into {}: {error}", order.out.display());
            ExitCode::FAILURE
        }
    }
}

fn order(words: &[String]) -> Option<Order> {
    let distribution = match words.first()?.as_str() {
        "ordinary" => Distribution::Ordinary,
        "everything" => Distribution::Everything,
        "unusual" => Distribution::Unusual,
        _ => return None,
    };
    Some(Order {
        distribution,
        count: words.get(1)?.parse().ok()?,
        seed: words.get(2)?.parse().ok()?,
        out: words.get(3)?.into(),
        threads: words.get(4).map_or(Some(2), |word| word.parse().ok()).filter(|n| *n > 0)?,
    })
}

fn write(order: &Order) -> std::io::Result<()> {
    std::fs::create_dir_all(&order.out)?;
    let mut pictures = std::io::BufWriter::new(std::fs::File::create(order.out.join("pictures.u8"))?);
    let mut labels = std::io::BufWriter::new(std::fs::File::create(order.out.join("labels.tsv"))?);
    writeln!(labels, "number\tcategory\tid\tkind\tvalue\tplace\tprompt")?;
    for start in (0..order.count).step_by(CHUNK * order.threads) {
        for (number, (label, pixels)) in (start..).zip(rendered(order, start)) {
            pictures.write_all(&pixels)?;
            let Label { category, kind, value, place, prompt } = label;
            let id = Category::ALL[category].1;
            writeln!(labels, "{number}\t{category}\t{id}\t{kind}\t{value}\t{place}\t{prompt}")?;
        }
    }
    // Who finds all pictures finds all labels.
    labels.flush()?;
    pictures.flush()
}

/// The pictures from number `start` on, one chunk for each thread, in order.
fn rendered(order: &Order, start: usize) -> Vec<(Label, Vec<u8>)> {
    let chunk = |thread: usize| {
        let first = (start + thread * CHUNK).min(order.count);
        let last = (first + CHUNK).min(order.count);
        let one = |number: usize| {
            let seed = random::mixed(order.seed ^ random::mixed(number as u64));
            let scene = Scene::new(order.distribution, seed);
            let pixels = render::picture(&scene);
            (scene.label, pixels)
        };
        (first..last).map(one).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let chunk = &chunk;
        let threads: Vec<_> = (0..order.threads).map(|thread| scope.spawn(move || chunk(thread))).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictures(count: usize, seed: u64, threads: usize) -> Vec<(String, Vec<u8>)> {
        let order = Order { distribution: Distribution::Everything, count, seed, out: "unused".into(), threads };
        rendered(&order, 0).into_iter().map(|(label, pixels)| (label.prompt, pixels)).collect()
    }

    #[test]
    fn a_picture_depends_on_seed_and_number_alone() {
        let all = pictures(6, 1, 1);
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|(_, pixels)| pixels.len() == 64 * 64 * 3));
        assert_eq!(pictures(6, 1, 3), all);
        assert_eq!(pictures(2, 1, 1), all[..2]);
        assert!(pictures(6, 2, 1).iter().zip(&all).all(|(other, one)| other.1 != one.1));
    }
}
