//! The `cinetag` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    cinetag::cli::main()
}
