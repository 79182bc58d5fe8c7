//! Counts how work on documents ends inside the jail, around whatever does it.

use super::Metrics;
use crate::ports::{ExtractFailure, ExtractRequest, Extractor, InspectRequest, Inspector};
use async_trait::async_trait;
use kmrl_extraction::inspect::Inspection;
use kmrl_extraction::{Extraction, PageProgress};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A reader whose outcomes are counted.
pub struct Measured<T> {
    reader: Arc<T>,
    metrics: Arc<Metrics>,
}

impl<T> Measured<T> {
    /// Counts what `reader` does.
    pub const fn new(reader: Arc<T>, metrics: Arc<Metrics>) -> Self {
        Self { reader, metrics }
    }

    async fn count<R>(
        &self,
        task: &'static str,
        work: impl Future<Output = Result<R, ExtractFailure>> + Send,
    ) -> Result<R, ExtractFailure> {
        let begun = Instant::now();
        let result = work.await;
        let outcome = result.as_ref().err().map_or("ok", word);
        self.metrics.jailed(task, outcome, begun.elapsed());
        result
    }
}

const fn word(failure: &ExtractFailure) -> &'static str {
    match failure {
        ExtractFailure::Refused(_) => "refused",
        ExtractFailure::TimeLimit { .. } => "out_of_time",
        ExtractFailure::Crashed { .. } => "crashed",
        ExtractFailure::OutOfMemory => "out_of_memory",
        ExtractFailure::OcrUnavailable { .. } => "ocr_unavailable",
        ExtractFailure::Io(_) => "not_run",
    }
}

#[async_trait]
impl<T: Extractor> Extractor for Measured<T> {
    async fn extract(
        &self,
        input: ExtractRequest,
        progress: mpsc::Sender<PageProgress>,
    ) -> Result<Extraction, ExtractFailure> {
        self.count("read", self.reader.extract(input, progress))
            .await
    }
}

#[async_trait]
impl<T: Inspector> Inspector for Measured<T> {
    async fn inspect(&self, input: InspectRequest) -> Result<Inspection, ExtractFailure> {
        self.count("inspect", self.reader.inspect(input)).await
    }
}
