//! Everything at once, at random, from a seed: `KMRL_TEST_SOAK_SEED` replays a plan and
//! `KMRL_TEST_SOAK_SECONDS` says how long it goes on.

use crate::cast::{Cast, Part, own_world, stage};
use crate::ledger::{Ledger, What};
use crate::support::proxy::Proxy;
use crate::verdict::{Leaves, verify};
use kmrl_gateway::engines::Postgres;
use kmrl_gateway::fault_point;
use std::time::{Duration, Instant};

/// Steps between two faults.
const CALM: u64 = 6;

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What a step does. The plan depends on the seed alone, not on how steps end.
#[derive(Clone, Debug)]
enum Step {
    Upload { text: u64 },
    Pdf { pages: usize },
    Broken,
    Read { path: &'static str },
    Correct { of: usize },
    Withdraw { of: usize },
    Fault(Fault),
}

#[derive(Clone, Debug)]
enum Fault {
    Kill(Part),
    KillAt(Part, String),
    RestartPostgres,
    WipeNats,
    CutPostgres { after: u32 },
    CutNats { after: u32 },
}

impl Step {
    fn of(random: &mut Random) -> Self {
        if random.next().is_multiple_of(CALM) {
            return Self::Fault(Fault::of(random));
        }
        match random.below(12) {
            // Few texts: many are duplicates.
            0..=3 => Self::Upload {
                text: random.next() % 50,
            },
            4 => Self::Pdf {
                pages: random.below(40) + 1,
            },
            5 => Self::Broken,
            6..=8 => Self::Read {
                path: random.of(&["/api/v1/documents/", "/api/v1/events", "/api/v1/audit"]),
            },
            9 | 10 => Self::Correct {
                of: random.below(1_000),
            },
            _ => Self::Withdraw {
                of: random.below(1_000),
            },
        }
    }
}

impl Fault {
    fn of(random: &mut Random) -> Self {
        let part = random.of(&Part::ALL);
        let after = u32::try_from(random.below(20_000)).unwrap();
        match random.below(12) {
            0..=2 => Self::Kill(part),
            3..=7 => {
                let point = random.of(fault_point::ALL);
                Self::KillAt(part, format!("{point}:{}", random.below(3) + 1))
            }
            8 => Self::RestartPostgres,
            9 => Self::WipeNats,
            10 => Self::CutPostgres { after },
            _ => Self::CutNats { after },
        }
    }
}

struct Soak {
    cast: Cast,
    ledger: Ledger,
    postgres: Postgres,
    to_postgres: Proxy,
    to_nats: Proxy,
}

impl Soak {
    async fn step(&mut self, step: Step) {
        // What died goes on living after one step without it.
        let lacks = self.cast.lacks();
        let api = self.cast.get(Part::Api);
        match (step, api) {
            (Step::Fault(fault), _) => self.fault(fault).await,
            (_, None) => {}
            (Step::Upload { text }, Some(api)) => {
                let _ = self
                    .ledger
                    .upload(api, "t.txt", format!("text {text}"))
                    .await;
            }
            (Step::Pdf { pages }, Some(api)) => {
                let pages: Vec<String> = (0..pages).map(|n| format!("Page {n}")).collect();
                let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
                let bytes = kmrl_extraction::fixtures::pdf(&pages);
                let _ = self.ledger.upload(api, "p.pdf", bytes).await;
            }
            (Step::Broken, Some(api)) => {
                let bytes = "%PDF-1.7\nnot really";
                let _ = self.ledger.upload(api, "b.pdf", bytes).await;
            }
            (Step::Read { path }, Some(api)) => {
                let _ = self.ledger.read(api, path).await;
            }
            (Step::Correct { of }, Some(api)) => {
                if let Some(id) = self.ledger.document(of) {
                    let _ = self.ledger.command(api, What::Correct, id).await;
                }
            }
            (Step::Withdraw { of }, Some(api)) => {
                if let Some(id) = self.ledger.document(of) {
                    let _ = self.ledger.command(api, What::Withdraw, id).await;
                }
            }
        }
        if lacks {
            self.cast.revive().await;
        }
    }

    async fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(part) => self.cast.kill(part),
            Fault::KillAt(part, at) => {
                let _ = self.cast.start(part, Some(&at)).await;
            }
            Fault::RestartPostgres => {
                self.postgres.kill().await.unwrap();
                self.postgres.restart().await.unwrap();
            }
            Fault::WipeNats => {
                self.cast.world.nats.kill().await.unwrap();
                self.cast.world.nats.restart_empty().await.unwrap();
            }
            Fault::CutPostgres { after } => self.to_postgres.cut_after(after),
            Fault::CutNats { after } => self.to_nats.cut_after(after),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_at_once() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seconds = number("KMRL_TEST_SOAK_SECONDS").unwrap_or(60);
    let seed = number("KMRL_TEST_SOAK_SEED").unwrap_or_else(|| {
        use std::hash::{BuildHasher as _, Hasher as _};
        std::hash::RandomState::new().build_hasher().finish()
    });
    println!("soak: KMRL_TEST_SOAK_SEED={seed} KMRL_TEST_SOAK_SECONDS={seconds}");
    let stage = stage().await;
    let (mut world, postgres, _dir) = own_world().await;
    let to_postgres = Proxy::before(&world.database.url).await;
    let to_nats = Proxy::before(world.nats.nats_url()).await;
    let (database, nats) = (
        to_postgres.url(&world.database.url),
        to_nats.url(world.nats.nats_url()),
    );
    world.settings.push(("DATABASE_URL".into(), database));
    world.settings.push(("NATS_URL".into(), nats));
    let mut soak = Soak {
        cast: Cast::of(world, None, stage).await,
        ledger: Ledger::new("soak"),
        postgres,
        to_postgres,
        to_nats,
    };
    let mut random = Random(seed);
    let (began, mut steps, mut faults) = (Instant::now(), 0, 0);
    while began.elapsed() < Duration::from_secs(seconds) {
        let step = Step::of(&mut random);
        steps += 1;
        faults += u32::from(matches!(step, Step::Fault(_)));
        if std::env::var_os("KMRL_TEST_SOAK_TELL").is_some() {
            println!("{:>6.1} s {step:?}", began.elapsed().as_secs_f32());
        }
        soak.step(step).await;
    }
    // Nobody is to die and nothing to be cut any more.
    soak.to_postgres.cut();
    soak.to_nats.cut();
    for part in Part::ALL {
        soak.cast.kill(part);
    }
    soak.cast.revive().await;
    soak.ledger.send_again(soak.cast.api()).await;
    let (sent, reads) = (soak.ledger.sent.len(), soak.ledger.reads.len());
    println!("soak: {steps} steps, {faults} faults, {sent} uploads and commands, {reads} reads");
    verify(&soak.cast, &soak.ledger, Leaves::Perhaps).await;
}
