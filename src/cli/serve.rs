//! `up`, `serve` and `migrate`: the long-running commands.

use super::CliError;
use crate::app::{self, Backends, Plan, Role};
use crate::config::{SettingFlags, Settings};
use crate::engines::{self, EngineOptions, Engines};
use crate::{admin_key, event_store};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// What to run.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Roles to run, separated by commas; all when absent.
    #[arg(long, value_enum, value_delimiter = ',')]
    role: Vec<Role>,
    /// Bring the database to this version's schema before serving, instead of waiting for it.
    #[arg(long)]
    migrate: bool,
}

pub(super) async fn up(settings: Settings, flags: &SettingFlags) -> Result<ExitCode, CliError> {
    make_private_dir(&settings.data_dir)?;
    let embedded = start_engines(&settings).await?;
    let backends = Backends {
        database_url: chosen(
            settings.database.url.as_ref(),
            embedded.as_ref().map(Engines::database_url),
        ),
        nats_url: chosen(
            settings.nats.url.as_ref(),
            embedded.as_ref().map(Engines::nats_url),
        ),
    };
    let outcome = serve_with(&settings, flags, &backends, &Role::ALL, true).await;
    // Engines go last: everything that used them has stopped.
    if let Some(engines) = embedded {
        let stopped = engines.stop().await;
        if let (Err(error), true) = (stopped, outcome.is_ok()) {
            return Err(CliError::failed("stopping the embedded engines", error));
        }
    }
    outcome
}

pub(super) async fn serve(
    args: ServeArgs,
    settings: Settings,
    flags: &SettingFlags,
) -> Result<ExitCode, CliError> {
    make_private_dir(&settings.data_dir)?;
    let backends = app::backends(&settings)?;
    let roles = if args.role.is_empty() {
        Role::ALL.to_vec()
    } else {
        args.role
    };
    serve_with(&settings, flags, &backends, &roles, args.migrate).await
}

pub(super) async fn migrate(settings: Settings) -> Result<ExitCode, CliError> {
    let backends = app::backends(&settings)?;
    let pool = app::connect_database(&settings, &backends).await?;
    event_store::migrate(&pool)
        .await
        .map_err(|e| CliError::failed("migrating the database", e))?;
    super::config::print("the database has this version's schema");
    Ok(ExitCode::SUCCESS)
}

async fn serve_with(
    settings: &Settings,
    flags: &SettingFlags,
    backends: &Backends,
    roles: &[Role],
    migrate: bool,
) -> Result<ExitCode, CliError> {
    let key = admin_key::load_or_create(settings.api_key.as_ref(), &settings.data_dir)
        .map_err(|e| CliError::failed("reading or making the administrator's key", e))?;
    let shutdown = CancellationToken::new();
    tokio::spawn(cancel_on_signal(shutdown.clone()));
    // From here on it means that settings are to be read again, also before anybody does.
    let hangup = tokio::signal::unix::SignalKind::hangup();
    let _heard = tokio::signal::unix::signal(hangup)
        .map_err(|e| CliError::failed("listening for SIGHUP", e))?;
    let started = |address: SocketAddr| announce(settings, backends, address, &key);
    let plan = Plan {
        settings,
        backends,
        roles,
        migrate,
        key: &key.key,
        flags,
    };
    app::run(plan, shutdown, started).await?;
    Ok(ExitCode::SUCCESS)
}

/// Tells where it is, leaves the connection file for other subcommands, shows a new key once.
fn announce(
    settings: &Settings,
    backends: &Backends,
    address: SocketAddr,
    key: &admin_key::AdminKey,
) {
    let scheme = match settings.http.tls {
        Some(_) => "https",
        None => "http",
    };
    let base = format!("{scheme}://{address}");
    let written = engines::write_connection(
        &settings.data_dir,
        &engines::Connection {
            database_url: backends.database_url.clone(),
            nats_url: backends.nats_url.clone(),
            gateway_pid: std::process::id(),
            http: Some(base.clone()),
            certificate_file: settings.http.tls.clone().map(|tls| tls.certificate_file),
        },
    );
    if let Err(error) = written {
        tracing::warn!(%error, "the connection file could not be written: other subcommands need settings");
    }
    tell(&format!(
        "KMRL Gateway {} is ready\n  address        {base}\n  documentation  {base}/docs",
        env!("CARGO_PKG_VERSION")
    ));
    if key.generated {
        tell(&format!(
            "  administrator's key, shown only now (kept in {}):\n  {}",
            admin_key::path(&settings.data_dir).display(),
            key.key.reveal()
        ));
    }
}

async fn start_engines(settings: &Settings) -> Result<Option<Engines>, CliError> {
    if settings.database.url.is_some() && settings.nats.url.is_some() {
        return Ok(None);
    }
    let options = EngineOptions {
        data_dir: settings.data_dir.clone(),
        engines_dir: Some(settings.engines.dir.clone()),
        pg_bin: settings.engines.postgres_bin.clone(),
        nats_bin: settings.engines.nats_bin.clone(),
    };
    engines::start(&options)
        .await
        .map(Some)
        .map_err(|e| CliError::failed("starting the embedded engines", e))
}

fn chosen(given: Option<&crate::config::Secret>, embedded: Option<&str>) -> String {
    given
        .map(|s| s.reveal().to_owned())
        .or_else(|| embedded.map(ToOwned::to_owned))
        .unwrap_or_default()
}

fn make_private_dir(dir: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| CliError::failed(format!("making the data folder {}", dir.display()), e))
}

/// SIGINT or SIGTERM once: in order. Twice: at once.
async fn cancel_on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        tracing::error!("signals cannot be listened for: stop with SIGKILL");
        return;
    };
    for round in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if round == 0 {
            tracing::info!("stopping in order; a second signal stops at once");
            shutdown.cancel();
        }
    }
    #[expect(clippy::disallowed_methods, reason = "the operator asked twice")]
    std::process::exit(130);
}

/// A server goes on when nobody reads what it says at its start.
fn tell(text: &str) {
    let _unread = writeln!(std::io::stdout().lock(), "{text}");
}
