//! `blocked`: shows addresses that a running gateway refuses for a while, and lets them in again.

use super::asking::Asking;
use super::config::print;
use super::{CliError, ServerAddress};
use serde_json::Value;
use std::net::IpAddr;
use std::process::ExitCode;

/// What to do with blocked addresses.
#[derive(Debug, clap::Args)]
pub(super) struct BlockedArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List them, the longest first.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Let an address in again, and forget its failures.
    Lift {
        /// The address; of IPv6 any of its /64.
        address: IpAddr,
    },
}

/// Does it.
pub(super) async fn run(args: BlockedArgs, server: &ServerAddress) -> Result<ExitCode, CliError> {
    let asking = Asking::new(server)?;
    match args.command {
        Command::List { json } => {
            let answer = asking.get("/api/v1/blocked-addresses").await?;
            for block in answer["blocked_addresses"].as_array().into_iter().flatten() {
                match json {
                    true => print(&block.to_string()),
                    false => print(&line(block)),
                }
            }
        }
        Command::Lift { address } => {
            let path = format!("/api/v1/blocked-addresses/{address}");
            asking.delete(&path).await?;
            print("let in again");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(block: &Value) -> String {
    format!(
        "{}  until {}  since {}  {} failures",
        block["address"].as_str().unwrap_or("-"),
        block["blocked_until"].as_str().unwrap_or("-"),
        block["blocked_at"].as_str().unwrap_or("-"),
        block["failures"],
    )
}
