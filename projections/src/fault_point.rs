//! Named places between two steps, at which a test has the process killed.
//!
//! Owns the list of names and the blow. It is here because this crate and the gateway have such
//! places, and the gateway can see this crate. A release build has none of it: [`reach`] is empty
//! there, and nobody can kill a gateway by its environment.

/// Every place there is. A test checks that each is reached at one place in the source and that
/// each has a case in the matrix of kills.
pub const ALL: &[&str] = &[
    // The bytes of an upload are in the spool.
    "upload.after_spool",
    // They are in the object store, and no event names them.
    "upload.after_blob",
    // A batch of commands is about to be sent.
    "append.before_statement",
    // It is committed, and nobody has been answered.
    "append.after_commit",
    // Records of access are durable; the answers they are of were not given.
    "recorder.after_commit",
    // Jobs are committed with the cursor, and not published.
    "relay.after_jobs",
    // Jobs are published, and not marked.
    "relay.after_publish",
    // A worker has a job of which the document does not know.
    "worker.after_claim",
    // The document knows of the attempt.
    "worker.after_started",
    // The extraction process runs.
    "worker.in_extraction",
    // A file inside a document is a document of its own, and others may follow.
    "worker.after_child",
    // The text is stored, and no event names it.
    "worker.after_text",
    // The outcome is in the log, and the queue was not told.
    "worker.after_outcome",
    // Rows are written, and not committed with the checkpoint.
    "projector.in_batch",
    // They are committed.
    "projector.after_commit",
    // The same for a generation that nobody sees yet.
    "rebuild.in_batch",
    // A generation is full, and not shown.
    "rebuild.before_swap",
    // A tile is in the object store, its root in no row.
    "notary.after_tile",
    // The signed note is in the object store, and in no row.
    "notary.after_note",
    // Its row is written, and not committed.
    "notary.before_commit",
    // The claim on bytes says that they are being removed, and they are there.
    "removal.after_mark",
    // They are gone, and the claim does not say so.
    "removal.after_delete",
    // Names and metadata of an erased document are gone, its texts and bytes are there.
    "eraser.after_private_parts",
    // Its texts are gone as well.
    "eraser.after_texts",
    // All of it is gone, and no event says so.
    "eraser.after_bytes",
];

/// Kills this process (`SIGKILL`) when `KMRL_TEST_KILL_AT` names this place: `name`, or `name:n`
/// for the n-th time that it is reached.
#[inline(always)]
pub fn reach(name: &str) {
    #[cfg(debug_assertions)]
    armed::reach(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static PLAN: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static REACHED: AtomicU32 = AtomicU32::new(0);

    pub(super) fn reach(name: &str) {
        let plan = PLAN.get_or_init(|| plan(&std::env::var("KMRL_TEST_KILL_AT").ok()?));
        let Some((_, nth)) = plan.as_ref().filter(|(at, _)| at == name) else {
            return;
        };
        if REACHED.fetch_add(1, Ordering::AcqRel) + 1 == *nth {
            // SAFETY: `raise` takes a number and touches no memory of ours.
            unsafe { libc::raise(libc::SIGKILL) };
        }
    }

    pub(super) fn plan(text: &str) -> Option<(String, u32)> {
        let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
        Some((name.to_owned(), nth.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_a_place_and_a_time() {
        assert_eq!(armed::plan("a.b"), Some(("a.b".into(), 1)));
        assert_eq!(armed::plan("a.b:3"), Some(("a.b".into(), 3)));
        assert_eq!(armed::plan("a.b:x"), None);
    }

    #[test]
    fn every_place_has_a_name_of_its_own() {
        for (index, name) in ALL.iter().enumerate() {
            assert!(!ALL[..index].contains(name), "{name}");
        }
    }
}
