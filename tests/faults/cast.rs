//! The processes of a scene: the roles apart from each other, each killed and started by name.

use crate::ledger::Ledger;
use crate::support::gateway::{Gateway, World};
use crate::support::{TempDir, TestDatabase, engine_options, eventually};
use kmrl_gateway::engines::Postgres;
use sqlx::PgPool;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Scenes that play at once: each has four processes.
static STAGE: Semaphore = Semaphore::const_new(3);

/// Roles that share a process here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Api,
    /// Relay and projector, with reconciler and notary.
    Back,
    Worker,
}

impl Part {
    pub const ALL: [Self; 3] = [Self::Back, Self::Worker, Self::Api];

    const fn roles(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Back => "relay,projector",
            Self::Worker => "worker",
        }
    }
}

/// A world with its processes.
pub struct Cast {
    // Before the world, which goes away last.
    parts: Vec<(Part, Gateway)>,
    pub world: World,
    _stage: SemaphorePermit<'static>,
}

/// A world for processes that share a PostgreSQL with those of other scenes.
pub async fn world(settings: &[(&str, &str)]) -> World {
    with_settings(World::new().await, settings)
}

/// A world on a PostgreSQL of its own, which may be stopped.
pub async fn own_world() -> (World, Postgres, TempDir) {
    let dir = TempDir::new("own-pg");
    let postgres = Postgres::start(&engine_options(dir.path())).await.unwrap();
    let url = postgres.database_url().to_owned();
    let pool = PgPool::connect(&url).await.unwrap();
    kmrl_gateway::event_store::migrate(&pool).await.unwrap();
    let world = World::on(TestDatabase { pool, url }).await;
    (with_settings(world, &[]), postgres, dir)
}

fn with_settings(mut world: World, settings: &[(&str, &str)]) -> World {
    let few = [
        ("KMRL_DATABASE_MAX_CONNECTIONS", "5"),
        // One job at a time: it is known what a kill interrupts.
        ("KMRL_JOBS_WORKERS", "1"),
        ("KMRL_LOG_CHECKPOINT_EVERY", "1"),
    ];
    let all = few.iter().chain(settings);
    world.settings = all.map(|(k, v)| ((*k).into(), (*v).into())).collect();
    world
}

/// Waits for a place on the stage.
pub async fn stage() -> SemaphorePermit<'static> {
    STAGE.acquire().await.unwrap()
}

impl Cast {
    /// All parts on a world of their own; one of them may be about to die at a fault point.
    pub async fn new(armed: Option<(Part, &str)>) -> Self {
        let stage = stage().await;
        Self::of(world(&[]).await, armed, stage).await
    }

    /// All parts on a world.
    pub async fn of(
        world: World,
        armed: Option<(Part, &str)>,
        stage: SemaphorePermit<'static>,
    ) -> Self {
        let mut cast = Self {
            world,
            parts: Vec::new(),
            _stage: stage,
        };
        let commands = Part::ALL.map(|part| {
            let at = armed.filter(|(who, _)| *who == part).map(|(_, at)| at);
            (part, cast.command(part, at))
        });
        // The api answers once the projector has made the read models: all start together.
        let starting = commands.map(|(part, command)| {
            (
                part,
                tokio::task::spawn_blocking(|| Gateway::spawn(command)),
            )
        });
        for (part, started) in starting {
            cast.parts.push((part, started.await.unwrap()));
        }
        cast
    }

    fn command(&self, part: Part, kill_at: Option<&str>) -> Command {
        let mut command = self.world.command(part.roles());
        command.envs(kill_at.map(|at| ("KMRL_TEST_KILL_AT", at)));
        command
    }

    pub fn api(&self) -> &Gateway {
        self.get(Part::Api).expect("the api is not there")
    }

    pub fn get(&self, part: Part) -> Option<&Gateway> {
        self.parts
            .iter()
            .find(|(p, _)| *p == part)
            .map(|(_, gateway)| gateway)
    }

    /// Waits until a part has ended by itself, and says how. Reads go on meanwhile, as some places
    /// are reached only while the log grows: the second checkpoint, for one.
    pub async fn ends(&mut self, part: Part, ledger: &mut Ledger) -> ExitStatus {
        eventually(&format!("{part:?} dies"), async || {
            ledger.read(self.api(), "/api/v1/documents/").await;
            self.take_ended(part)
        })
        .await
    }

    fn take_ended(&mut self, part: Part) -> Option<ExitStatus> {
        let index = self.parts.iter().position(|(p, _)| *p == part)?;
        let status = self.parts[index].1.ended()?;
        self.parts.remove(index);
        Some(status)
    }

    /// Kills a part, if it is there.
    pub fn kill(&mut self, part: Part) {
        self.parts.retain(|(p, _)| *p != part);
    }

    /// Starts a part (again); false when it was killed before it served.
    pub async fn start(&mut self, part: Part, kill_at: Option<&str>) -> bool {
        self.kill(part);
        let command = self.command(part, kill_at);
        let started = tokio::task::spawn_blocking(|| Gateway::try_spawn(command)).await;
        match started.unwrap() {
            Ok(gateway) => {
                self.parts.push((part, gateway));
                true
            }
            Err(status) => {
                assert!(is_sigkill(status), "{part:?} did not start: {status}");
                false
            }
        }
    }

    /// Whether a part is not there.
    pub fn lacks(&mut self) -> bool {
        Part::ALL.into_iter().any(|part| !self.lives(part))
    }

    fn lives(&mut self, part: Part) -> bool {
        let parts = &mut self.parts;
        parts
            .iter_mut()
            .any(|(p, gateway)| *p == part && gateway.ended().is_none())
    }

    /// Starts again what has died.
    pub async fn revive(&mut self) {
        for part in Part::ALL {
            if !self.lives(part) {
                assert!(self.start(part, None).await);
            }
        }
    }
}

pub fn is_sigkill(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}
