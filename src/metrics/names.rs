//! The values that labels may have.

/// A stage of a document's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the head of the upload to its event.
    Accepted,
    /// From there to its job being in the queue.
    Queued,
    /// From there to the start of the work.
    Started,
    /// From there to the text.
    Extracted,
    /// From there to the row that shows it.
    Visible,
}

impl Stage {
    pub(super) const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Queued,
        Self::Started,
        Self::Extracted,
        Self::Visible,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Queued => "queued",
            Self::Started => "started",
            Self::Extracted => "extracted",
            Self::Visible => "visible",
        }
    }
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadOutcome {
    /// It is a document.
    Accepted,
    /// The answer of the first time was given again.
    Replayed,
    /// It is not let in.
    Refused,
    /// A part of the gateway did not do its part.
    Failed,
}

impl UploadOutcome {
    pub(super) const ALL: [Self; 4] = [Self::Accepted, Self::Replayed, Self::Refused, Self::Failed];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Replayed => "replayed",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// How a run of processing, or an attempt in it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// There is a text.
    Done,
    /// It is given up: a dead letter.
    Failed,
    /// Another attempt follows.
    Retried,
    /// The document was withdrawn, erased or put into quarantine.
    Cancelled,
}

impl JobEnd {
    pub(super) const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Retried, Self::Cancelled];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A limit that stops requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests of a key, source or class of endpoints in a time.
    Rate,
    /// Requests of an address before it is known whose they are.
    Address,
    /// An address is blocked after failures.
    Blocked,
    /// Uploads at once.
    Uploads,
    /// Connections or subscriptions at once.
    Connections,
    /// Bytes of a body, a header or a path.
    Size,
    /// Time that a client may take.
    Time,
    /// Documents that wait.
    Queue,
}

impl Limit {
    pub(super) const ALL: [Self; 8] = [
        Self::Rate,
        Self::Address,
        Self::Blocked,
        Self::Uploads,
        Self::Connections,
        Self::Size,
        Self::Time,
        Self::Queue,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Address => "address",
            Self::Blocked => "blocked",
            Self::Uploads => "uploads",
            Self::Connections => "connections",
            Self::Size => "size",
            Self::Time => "time",
            Self::Queue => "queue",
        }
    }
}

/// What came of reading the settings again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// They are in force.
    Applied,
    /// What changed needs a new start.
    NeedsRestart,
    /// They cannot be used; those before stay in force.
    Failed,
}

impl Reload {
    pub(super) const ALL: [Self; 3] = [Self::Applied, Self::NeedsRestart, Self::Failed];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::NeedsRestart => "needs_restart",
            Self::Failed => "failed",
        }
    }
}

/// What became of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanEnd {
    /// The collector has them.
    Sent,
    /// The collector did not take them.
    Failed,
    /// Too many waited.
    Dropped,
}

impl SpanEnd {
    pub(super) const ALL: [Self; 3] = [Self::Sent, Self::Failed, Self::Dropped];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// Methods of HTTP; clients may make up others.
pub(super) fn method(of: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN
        .into_iter()
        .find(|known| *known == of)
        .unwrap_or("OTHER")
}

#[cfg(test)]
mod tests {
    #[test]
    fn methods_that_clients_make_up_have_one_label() {
        assert_eq!(super::method("GET"), "GET");
        assert_eq!(super::method("BREW"), "OTHER");
        assert_eq!(super::method("get"), "OTHER");
    }
}
