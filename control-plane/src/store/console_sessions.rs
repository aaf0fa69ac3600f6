//! Rows of console sessions and of what waits in them.
//!
//! Keys are SHA-256 of what a browser holds; nothing here could be presented by anyone.

use chrono::{DateTime, Utc};
use contract::ids::OperatorId;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter};

use super::{StoreError, Tx, codec};
use crate::console_sessions::{Preferences, SessionRow};

mod session {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "console_sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_sha256: String,
        pub operator_id: String,
        pub csrf: String,
        pub id_token: Option<Vec<u8>>,
        pub created_at: DateTime<Utc>,
        pub last_seen_at: DateTime<Utc>,
        pub expires_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod stash {
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "console_stash")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_sha256: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub slot: String,
        pub body: String,
        pub expires_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod preference {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "console_preferences")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub operator_id: String,
        pub theme: String,
        pub density: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Tx {
    /// Writes a new session.
    pub(crate) async fn insert_console_session(&self, row: &SessionRow) -> Result<(), StoreError> {
        session::Entity::insert(session::ActiveModel {
            token_sha256: Set(row.token_sha256.clone()),
            operator_id: Set(row.operator.to_string()),
            csrf: Set(row.csrf.clone()),
            id_token: Set(row.id_token.clone()),
            created_at: Set(row.created_at),
            last_seen_at: Set(row.last_seen_at),
            expires_at: Set(row.expires_at),
        })
        .exec_without_returning(&self.db)
        .await?;
        Ok(())
    }

    /// Finds a session, alive or not.
    pub(crate) async fn find_console_session(
        &self,
        token_sha256: &str,
    ) -> Result<Option<SessionRow>, StoreError> {
        session::Entity::find_by_id(token_sha256)
            .one(&self.db)
            .await?
            .map(|row| {
                Ok(SessionRow {
                    token_sha256: row.token_sha256,
                    operator: codec::parse("console_sessions", &row.operator_id)?,
                    csrf: row.csrf,
                    id_token: row.id_token,
                    created_at: row.created_at,
                    last_seen_at: row.last_seen_at,
                    expires_at: row.expires_at,
                })
            })
            .transpose()
    }

    /// Notes that a session's person is here.
    pub(crate) async fn touch_console_session(
        &self,
        token_sha256: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        session::Entity::update_many()
            .set(session::ActiveModel {
                last_seen_at: Set(now),
                ..Default::default()
            })
            .filter(session::Column::TokenSha256.eq(token_sha256))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Removes a session and what waits in it.
    pub(crate) async fn delete_console_session(
        &self,
        token_sha256: &str,
    ) -> Result<(), StoreError> {
        session::Entity::delete_by_id(token_sha256)
            .exec(&self.db)
            .await?;
        stash::Entity::delete_many()
            .filter(stash::Column::TokenSha256.eq(token_sha256))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Removes every session of an operator; says how many there were.
    pub(crate) async fn delete_console_sessions_of(
        &self,
        operator: OperatorId,
    ) -> Result<u64, StoreError> {
        let deleted = session::Entity::delete_many()
            .filter(session::Column::OperatorId.eq(operator.to_string()))
            .exec(&self.db)
            .await?;
        Ok(deleted.rows_affected)
    }

    /// Removes what has expired: sessions last seen before `idle_since`, and stashes.
    pub(crate) async fn sweep_console(
        &self,
        now: DateTime<Utc>,
        idle_since: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        session::Entity::delete_many()
            .filter(
                Condition::any()
                    .add(session::Column::ExpiresAt.lte(now))
                    .add(session::Column::LastSeenAt.lte(idle_since)),
            )
            .exec(&self.db)
            .await?;
        stash::Entity::delete_many()
            .filter(stash::Column::ExpiresAt.lte(now))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Leaves something in a slot of a session, in place of what was there.
    pub(crate) async fn put_stash(
        &self,
        token_sha256: &str,
        slot: &str,
        body: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.put(stash::ActiveModel {
            token_sha256: Set(token_sha256.to_owned()),
            slot: Set(slot.to_owned()),
            body: Set(body.to_owned()),
            expires_at: Set(expires_at),
        })
        .await
    }

    /// Whether something waits in a slot.
    pub(crate) async fn has_stash(
        &self,
        token_sha256: &str,
        slot: &str,
    ) -> Result<bool, StoreError> {
        let waiting = stash::Entity::find_by_id((token_sha256.to_owned(), slot.to_owned()))
            .count(&self.db)
            .await?;
        Ok(waiting > 0)
    }

    /// Takes what waits in a slot, if it has not expired. Only one of two who take at once gets it: the
    /// row is deleted, and the count of deleted rows decides.
    pub(crate) async fn take_stash(
        &self,
        token_sha256: &str,
        slot: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        let key = (token_sha256.to_owned(), slot.to_owned());
        let row = stash::Entity::find_by_id(key.clone()).one(&self.db).await?;
        let deleted = stash::Entity::delete_by_id(key).exec(&self.db).await?;
        Ok(row
            .filter(|row| deleted.rows_affected == 1 && now < row.expires_at)
            .map(|row| row.body))
    }

    /// Finds an operator's preferences.
    pub(crate) async fn find_preferences(
        &self,
        operator: OperatorId,
    ) -> Result<Option<Preferences>, StoreError> {
        preference::Entity::find_by_id(operator.to_string())
            .one(&self.db)
            .await?
            .map(|row| {
                Ok(Preferences {
                    theme: codec::parse("console_preferences", &row.theme)?,
                    density: codec::parse("console_preferences", &row.density)?,
                })
            })
            .transpose()
    }

    /// Writes an operator's preferences.
    pub(crate) async fn put_preferences(
        &self,
        operator: OperatorId,
        preferences: Preferences,
    ) -> Result<(), StoreError> {
        self.put(preference::ActiveModel {
            operator_id: Set(operator.to_string()),
            theme: Set(preferences.theme.as_str().to_owned()),
            density: Set(preferences.density.as_str().to_owned()),
        })
        .await
    }
}
