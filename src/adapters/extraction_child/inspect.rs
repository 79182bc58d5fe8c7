//! The door's question about a file, put to a child.

use async_trait::async_trait;
use kmrl_extraction::inspect::Inspection;

use super::ExtractionChild;
use super::session::Deadline;
use crate::extraction_child::Task;
use crate::ports::{ExtractFailure, ExtractRequest, InspectRequest, Inspector};

#[async_trait]
impl Inspector for ExtractionChild {
    async fn inspect(&self, input: InspectRequest) -> Result<Inspection, ExtractFailure> {
        let request = ExtractRequest {
            path: input.path,
            file_name: input.file_name,
            content_type: input.content_type,
            soft: input.within,
            hard: input.within,
        };
        let deadline = Deadline::new(request.soft, request.hard);
        self.start(Task::Inspect(input.limits), &request, deadline)
            .await?
            .run(|_page| ())
            .await
    }
}
