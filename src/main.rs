//! The program `kmrl-gateway`: hands over to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    kmrl_gateway::cli::main()
}
