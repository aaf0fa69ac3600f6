//! Opening the control plane's store: reached, its tables up to date.

use host::{DatabaseError, database};

use super::{Store, migration::Migrator};

impl Store {
    /// Connects to `url` and brings its tables up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, DatabaseError> {
        let db = database::connect(url).await?;
        database::migrate::<Migrator>(&db, url).await?;
        Ok(Self { db })
    }
}
