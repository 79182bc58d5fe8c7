//! Starts children on a thread of its own, and keeps some of them ready.
//!
//! The kernel kills a child when the thread that started it ends, not the process. Threads of a
//! runtime come and go; this one lasts as long as anything holds the spawner, and with it end all
//! of its children.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Requests that may wait: more than there are documents at once in any setting.
const MOST_ASKED: usize = 4096;

type Make = dyn Fn() -> Command + Send + Sync;
type Reply = oneshot::Sender<io::Result<Child>>;

enum Request {
    /// A child of the usual kind, one that is ready where there is one.
    Usual(Reply),
    /// Any other.
    Other(Box<Command>, Reply),
}

/// Starts children. The thread begins with the first.
pub(super) struct Spawner {
    make: Arc<Make>,
    ready: usize,
    thread: OnceLock<SyncSender<Request>>,
}

impl Spawner {
    /// Of the usual children, which `make` says how to start, `ready` are started ahead.
    pub(super) fn new(ready: usize, make: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
            ready,
            thread: OnceLock::new(),
        }
    }

    /// A child of the usual kind, which nobody has used before and nobody else will.
    pub(super) async fn usual(&self) -> io::Result<Child> {
        self.ask(Request::Usual).await
    }

    pub(super) async fn other(&self, command: Command) -> io::Result<Child> {
        self.ask(|reply| Request::Other(Box::new(command), reply))
            .await
    }

    async fn ask(&self, request: impl FnOnce(Reply) -> Request) -> io::Result<Child> {
        let (reply, child) = oneshot::channel();
        let ended = || io::Error::other("the thread that starts children has ended");
        let asked = self.thread()?.try_send(request(reply));
        asked.map_err(|_| io::Error::other("no child can be started now"))?;
        child.await.map_err(|_| ended())?
    }

    fn thread(&self) -> io::Result<&SyncSender<Request>> {
        if let Some(requests) = self.thread.get() {
            return Ok(requests);
        }
        let (requests, asked) = sync_channel(MOST_ASKED);
        let (make, ready, runtime) = (Arc::clone(&self.make), self.ready, Handle::current());
        thread::Builder::new()
            .name("children".to_owned())
            .spawn(move || {
                let _within = runtime.enter();
                serve(&asked, &make, ready);
            })?;
        // When two came at once, the thread of the second ends with its only sender.
        Ok(self.thread.get_or_init(|| requests))
    }
}

/// Answer requests, and make children ahead while there are none.
fn serve(asked: &Receiver<Request>, make: &Arc<Make>, most: usize) {
    let mut ready: VecDeque<Child> = VecDeque::new();
    // Starting failed: not tried again before somebody needs one.
    let mut is_failing = false;
    loop {
        let next = if ready.len() < most && !is_failing {
            asked.try_recv()
        } else {
            asked.recv().map_err(|_| TryRecvError::Disconnected)
        };
        match next {
            Ok(Request::Usual(reply)) => {
                let child = living(&mut ready).map_or_else(|| make().spawn(), Ok);
                is_failing = child.is_err();
                // Nobody may be waiting any more: the child is killed as it is dropped.
                let _ = reply.send(child);
            }
            Ok(Request::Other(mut command, reply)) => {
                let _ = reply.send(command.spawn());
            }
            Err(TryRecvError::Empty) => match make().spawn() {
                Ok(child) => ready.push_back(child),
                Err(error) => {
                    tracing::warn!(%error, "no extraction child could be started ahead");
                    is_failing = true;
                }
            },
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

/// The oldest that has not ended while it waited.
fn living(ready: &mut VecDeque<Child>) -> Option<Child> {
    while let Some(mut child) = ready.pop_front() {
        if matches!(child.try_wait(), Ok(None)) {
            return Some(child);
        }
        tracing::warn!("an extraction child ended before it was used");
    }
    None
}
