//! Tickets: what lets a browser, which can send no header there, open one live connection.
//!
//! A ticket is good once, for half a minute, on any replica. Only its digest is kept.

use super::{Principal, Unproved};
use crate::ports::Ids;
use kmrl_domain::authority::Authority;
use kmrl_domain::private::hex;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use sqlx::types::Json;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

/// How long a ticket is good.
pub const GOOD_FOR: Duration = Duration::from_secs(30);

/// Gives out and takes back tickets.
#[derive(Clone)]
pub struct Tickets {
    pool: PgPool,
    ids: Arc<dyn Ids>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Holder {
    actor: String,
    key_id: Option<String>,
    name: String,
    authority: Authority,
    #[serde(with = "time::serde::rfc3339::option")]
    good_until: Option<OffsetDateTime>,
}

fn digest(ticket: &str) -> String {
    hex(&Sha256::digest(ticket))
}

impl Tickets {
    /// Tickets kept in this database.
    #[must_use]
    pub fn new(pool: PgPool, ids: Arc<dyn Ids>) -> Self {
        Self { pool, ids }
    }

    /// A new ticket. Those that nobody used are thrown away meanwhile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give(&self, principal: &Principal) -> Result<String, sqlx::Error> {
        let ticket = hex(&self.ids.salt());
        let holder = Holder {
            actor: principal.actor.clone(),
            key_id: principal.key_id.clone(),
            name: principal.name.clone(),
            authority: (*principal.authority).clone(),
            good_until: principal.good_until,
        };
        sqlx::query(
            "WITH old AS (DELETE FROM tickets WHERE expires_at < now()) \
             INSERT INTO tickets (digest, holder, expires_at) \
             VALUES ($1, $2, now() + make_interval(secs => $3))",
        )
        .bind(digest(&ticket))
        .bind(Json(holder))
        .bind(GOOD_FOR.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(ticket)
    }

    /// Whoever got the ticket; it is used up.
    pub(super) async fn redeem(&self, ticket: &str) -> Result<Principal, Unproved> {
        let found: Option<(Json<Holder>, bool)> = sqlx::query_as(
            "DELETE FROM tickets WHERE digest = $1 RETURNING holder, expires_at >= now()",
        )
        .bind(digest(ticket))
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| Unproved::Unavailable(error.into()))?;
        match found {
            Some((Json(holder), true)) => Ok(Principal {
                actor: holder.actor,
                key_id: holder.key_id,
                name: holder.name,
                authority: Arc::new(holder.authority),
                good_until: holder.good_until,
            }),
            _ => Err(Unproved::NotGood),
        }
    }
}
