//! The program `hardset`: calls [`hardset::cli`] and turns its verdict into an exit code.

/// Re-mining allocates and frees tables in all threads at once; glibc returns their pages to the system each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    hardset::cli::run()
}
