//! Read models against a rebuild of each, and the events that they could not apply.

use super::{Check, CheckError, Difference};
use kmrl_projections::{Comparison, NAMES, ProjectionError};

const AREA: &str = "read models";
const UNLIKE: &str = "the row is not what the log gives";
const UNREADABLE: &str = "the log cannot be read, so there is nothing to compare with";
const PARKED: &str = "the event could not be applied; see `dead-letters list`";

impl Check {
    pub(super) async fn read_models(
        &self,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(i64, Vec<Difference>), CheckError> {
        let mut found = Vec::new();
        for name in NAMES {
            let mut told = |done: i64, head: i64| {
                progress(format!(
                    "checking read models: {name}, {done} of {head} events"
                ));
            };
            match self.projector.compare(name, false, &mut told).await {
                Ok(comparison) => found.extend(unlike(&comparison)),
                // What is wrong with the log is told by its own area.
                Err(ProjectionError::Log { .. } | ProjectionError::Gap { .. }) => {
                    found.push(Difference::new(AREA, UNREADABLE, name));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let parked: Vec<(String, i64)> =
            sqlx::query_as("SELECT projection, position FROM read.parked_events ORDER BY position")
                .fetch_all(&self.pool)
                .await?;
        let difference =
            |(name, position)| Difference::new(AREA, PARKED, format!("{name} at {position}"));
        found.extend(parked.into_iter().map(difference));
        let count = i64::try_from(NAMES.len()).unwrap_or_default();
        Ok((count, found))
    }

    /// The rebuilt rows take the place of those that differ, unless they would be poorer.
    pub(super) async fn mend_read_models(
        &self,
        found: &mut [Difference],
    ) -> Result<(), CheckError> {
        for name in NAMES {
            let is_of = |d: &&mut Difference| {
                d.problem == UNLIKE && d.subject.split('.').next() == Some(name)
            };
            if found.iter_mut().find(is_of).is_none() {
                continue;
            }
            let shown = match self.projector.compare(name, true, &mut |_, _| {}).await {
                Ok(comparison) => comparison.shown || comparison.unlike.is_empty(),
                Err(ProjectionError::Log { .. } | ProjectionError::Gap { .. }) => false,
                Err(error) => return Err(error.into()),
            };
            found
                .iter_mut()
                .filter(is_of)
                .for_each(|d| d.repaired = shown);
        }
        Ok(())
    }
}

fn unlike(comparison: &Comparison) -> Vec<Difference> {
    let subject = |row: &kmrl_projections::UnlikeRow| {
        format!("{}.{}/{}", comparison.name, row.table, row.key)
    };
    let rows = comparison.unlike.iter();
    rows.map(|row| Difference::new(AREA, UNLIKE, subject(row)))
        .collect()
}
