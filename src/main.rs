//! The program `hardset`: calls [`hardset::cli`] and turns its verdict into an exit code.

fn main() -> std::process::ExitCode {
    hardset::cli::run()
}
