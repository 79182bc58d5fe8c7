//! Migrating an empty database, twice and at once, and knowing when it is behind.

use crate::support;
use kmrl_gateway::event_store::{SchemaError, check_schema, migrate};

#[tokio::test]
async fn programs_may_migrate_at_once() {
    let database = support::empty_database().await;
    let behind = check_schema(&database.pool).await;
    assert!(
        matches!(behind, Err(SchemaError::Behind { missing: 1 })),
        "{behind:?}"
    );
    let (a, b) = tokio::join!(migrate(&database.pool), migrate(&database.pool));
    a.unwrap();
    b.unwrap();
    check_schema(&database.pool).await.unwrap();
}
