//! The edge of the process; what it does is in the library beside it.

use std::process::ExitCode;

use data_plane::process::entry::enter;

/// Many small allocations on many threads: the system's allocator spends more on them than we do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    enter("bailiwick", bailiwick::run)
}
