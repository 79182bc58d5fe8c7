//! Runs a reader built on third-party parsers where it can do no harm: on a stack large
//! enough for deeply nested input, and with its panics turned into an error. It must not know
//! any format. Memory and time are bounded outside, by the process that holds this one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use crate::error::ExtractError;
use crate::{OnPage, PageProgress};

/// Address space for nested structures; only what is touched becomes memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Run `work` on a thread of its own, while `on_page` is called on this one.
pub(crate) fn run<T: Send>(
    on_page: &mut OnPage<'_>,
    work: impl Fn(&mut OnPage<'_>) -> Result<T, ExtractError> + Sync,
) -> Result<T, ExtractError> {
    let work = &work;
    thread::scope(|scope| {
        // Both channels are rendezvous: the reader waits for each answer, so that a refusal
        // stops it at that very page.
        let (ask, asked) = mpsc::sync_channel::<PageProgress>(0);
        let (answer, answers) = mpsc::sync_channel::<bool>(0);
        let spawned = thread::Builder::new()
            .name("extract".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, move || {
                caught(work, &mut |progress| {
                    ask.send(progress).is_ok() && answers.recv().unwrap_or(false)
                })
            });
        let Ok(reader) = spawned else {
            // A jail may forbid threads; this stack then serves, as most documents are flat.
            return caught(work, on_page);
        };
        while let Ok(progress) = asked.recv() {
            if answer.send(on_page(progress)).is_err() {
                break;
            }
        }
        reader.join().unwrap_or_else(|_| Err(gave_up()))
    })
}

fn caught<T>(
    work: &impl Fn(&mut OnPage<'_>) -> Result<T, ExtractError>,
    on_page: &mut OnPage<'_>,
) -> Result<T, ExtractError> {
    // Nothing that `work` touched is looked at again after a panic.
    catch_unwind(AssertUnwindSafe(|| work(on_page))).unwrap_or_else(|_| Err(gave_up()))
}

fn gave_up() -> ExtractError {
    ExtractError::damaged("the reader of this format could not cope with its content")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let outcome: Result<(), _> = run(&mut |_| true, |_| {
            std::panic::resume_unwind(Box::new("a parser's bug"))
        });
        assert_eq!(outcome.unwrap_err().code(), "damaged");
    }

    #[test]
    fn a_refusal_reaches_the_reader_at_once() {
        let mut seen = Vec::new();
        let outcome = run(
            &mut |progress| {
                seen.push(progress.page);
                progress.page < 2
            },
            |on_page| {
                Ok((1..=9)
                    .take_while(|page| {
                        on_page(PageProgress {
                            page: *page,
                            pages: 9,
                        })
                    })
                    .count())
            },
        );
        assert_eq!((outcome, seen), (Ok(1), vec![1, 2]));
    }
}
